"""Makes packages, keeps them in the database, and opens them to be sent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from threading import Lock

from archive.access import AccessPolicy
from archive.files.bytes import open_held
from archive.files.catalogue import HeldFile
from archive.files.ranges import Representation, Span
from archive.packages import content
from archive.packages.content import LeftOut, Package
from archive.packages.layout import Entry, Form, Layout
from archive.packages.reader import Reader
from archive.packages.selection import PackageParams, choose, held_files, refused_now, wanted_ids
from archive.packages.texts import Words, documents
from archive.problems import Problem
from store.database import PackageStore, StoredPackage, new_package_id
from store.port import Index, Site, Snapshot

_REMEMBERED = 8
_CHALLENGED = ("proprietary", "secure")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLimits:
    """What packages are granted: files and bytes of one, days that it is kept, how many of all and of one."""

    files: int
    bytes: int
    days: float
    of_all: int
    of_one: int
    seconds: float


class OpenPackage:
    """A package in a form, ready to be sent."""

    def __init__(self, package: Package, layout: Layout, reader: Callable[[], Reader]) -> None:
        self._package = package
        self._layout = layout
        self._reader = reader

    @property
    def what(self) -> Representation:
        """Its validators."""
        return Representation(f'"{self._layout.tag}"', self._package.created, self._layout.size)

    @property
    def content_type(self) -> str:
        """The form's media type."""
        return self._layout.form.media_type

    @property
    def file_name(self) -> str:
        """The name to save it by."""
        return f"{self._package.name}.{self._layout.form.suffix}"

    def read(self, span: Span) -> Generator[bytes]:
        """Yield the bytes of a span."""
        return self._reader().read(span)

    def close(self) -> None:
        """Do nothing: files are opened as they are reached."""


class Packages:
    """All packages of the archive."""

    def __init__(
        self,
        store: PackageStore,
        index: Index,
        site: Site,
        policy: AccessPolicy,
        *,
        files_root: Path,
        limits: PackageLimits,
        title: str,
        secret: bytes,
    ) -> None:
        self._store = store
        self._index = index
        self._site = site
        self._policy = policy
        self._root = files_root
        self._limits = limits
        self._title = title
        self._secret = secret
        self._layouts: OrderedDict[tuple[str, str], Layout] = OrderedDict()
        self._turn = Lock()

    def make(self, params: PackageParams, asked: str, client: str) -> tuple[str, Package, datetime]:
        """Make a package; return its identifier, what it holds and when it expires.

        Raises
        ------
        Problem
            400, 413 for a request that is wrong or too large; 401 when all files are withheld, 404 when
            there is none for another reason; 503 when too many packages are kept.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        owner = blake2b(client.encode(), key=self._secret, digest_size=16).hexdigest()
        self._require_room(owner, now)
        limits = self._limits
        with self._index.snapshot() as snapshot:
            ids = wanted_ids(params, snapshot, self._site, limits.files, limits.seconds)
            chosen = choose(ids, snapshot, self._site, self._policy, self._root)
        if not chosen.members:
            raise self._empty(chosen.left_out)
        size = sum(member.size for member in chosen.members)
        if size > limits.bytes:
            text = f"these files have {size} bytes, a package at most {limits.bytes}; make several packages"
            raise Problem(413, text, kind="too-large")
        name = f"package-{now:%Y%m%dT%H%M%S}"
        words = Words(asked, self._title, f"{self._site.public_url}/", chosen.proposals, chosen.articles)
        texts = documents(name, now, chosen.members, chosen.left_out, words)
        package = Package(name, now, chosen.members, chosen.left_out, texts)
        package_id, expires = new_package_id(), now + timedelta(days=limits.days)
        self._store.add(StoredPackage(package_id, owner, now, expires, package.written()), now=now)
        return package_id, package, expires

    def _require_room(self, owner: str, now: datetime) -> None:
        everybody, own = self._store.load(owner, now=now)
        if own >= self._limits.of_one or everybody >= self._limits.of_all:
            whose = "you have" if own >= self._limits.of_one else "this service has"
            text = f"{whose} {max(own, 1)} packages or more that have not expired, the most that are kept"
            raise Problem(503, text, kind="too-many", headers={"Retry-After": "3600"})

    def _empty(self, left_out: tuple[LeftOut, ...]) -> Problem:
        withheld = [item for item in left_out if item.reason in _CHALLENGED]
        said = f"; {left_out[0].dp_id}: {left_out[0].detail}" if left_out else ""
        if withheld and len(withheld) == len(left_out):
            challenge = {"WWW-Authenticate": f'Bearer realm="{self._policy.realm}"'}
            text = f"none of these {len(left_out)} files is public{said}"
            raise Problem(401, text, kind="proprietary", headers=challenge)
        return Problem(404, f"there is no file to be had of {len(left_out)} that match{said}", kind="empty")

    def get(self, package_id: str) -> tuple[Package, datetime]:
        """Return a package and when it expires.

        Raises
        ------
        Problem
            404 when there is none of that identifier, 410 when it has expired.
        """
        stored = self._store.get(package_id)
        if stored is None:
            raise Problem(404, f"there is no package {package_id}", kind="unknown-package")
        if stored.expires <= datetime.now(UTC):
            raise Problem(410, "the package has expired; ask for it again", kind="expired")
        return content.read(stored.content), stored.expires

    def open(self, package_id: str, form: Form) -> OpenPackage:
        """Return a package to be sent.

        Raises
        ------
        Problem
            As ``get``; 409 when a file was replaced, withdrawn or withheld since it was made.
        """
        package, _ = self.get(package_id)
        with self._index.snapshot() as snapshot:
            held = self._still(package, snapshot)
        layout = self._layout(package_id, package, form)
        by_name = {f"{package.name}/{member.name}": held[member.dp_id] for member in package.members}
        sums = [member.checksum for member in package.members]

        def open_file(entry: Entry) -> int:
            return open_held(by_name[entry.name], self._root)

        def reader() -> Reader:
            return Reader(layout, open_file, known=lambda: self._store.crcs(sums), learn=self._store.learn)

        return OpenPackage(package, layout, reader)

    def _still(self, package: Package, snapshot: Snapshot) -> dict[str, HeldFile]:
        """Return the present records of a package's files, all of which are as they were."""
        found = held_files(snapshot, [member.dp_id for member in package.members])
        for member in package.members:
            held = found.get(member.dp_id)
            gone = LeftOut(member.dp_id, "unknown", "the archive has it no more") if held is None else None
            if held is not None:
                gone = refused_now(held, self._policy)
                if gone is None and held.checksum != member.checksum:
                    gone = LeftOut(member.dp_id, "replaced", "the file was replaced")
            if gone is not None:
                text = f"the package cannot be had any more; {member.dp_id}: {gone.detail}; ask for it again"
                raise Problem(409, text, kind="changed")
        return found

    def _layout(self, package_id: str, package: Package, form: Form) -> Layout:
        key = (package_id, form.suffix)
        with self._turn:
            found = self._layouts.get(key)
            if found is None:
                found = self._layouts[key] = Layout(package.entries(), form)
            self._layouts.move_to_end(key)
            while len(self._layouts) > _REMEMBERED:
                self._layouts.popitem(last=False)
            return found
