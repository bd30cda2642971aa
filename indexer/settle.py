"""Whose id a file has: decided for a batch, under the lease, from what is on record.

The rules are those of the ids in the public contract. Same path and new content is a new revision of the
same id; same content at another path is unchanged and remembered as an alias; other content that claims
an id which another path holds is refused, naming both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from indexer.errors import FileRefused
from indexer.identity import minted_id
from indexer.summary import Outcome
from store.lake import Writer

FILES: Final = "archive.files"
ALIASES: Final = "archive.aliases"
OBSERVATIONS: Final = "ivoa.ObsCore"

PATH_TAKEN: Final = "path-taken"
"""Why a file is refused whose path below its root is that of another one."""

Place: TypeAlias = tuple[str, str]
"""Collection and path below the ingest root."""

Record: TypeAlias = Mapping[str, Any]
"""A row of ``archive.files`` or ``archive.aliases``."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a file that was read says: where it was found, what it holds, which id it brings."""

    place: Place
    location: str
    holding: str
    size: int
    mtime: int
    checksum: str
    own_id: str | None
    content_type: str
    file_name: str
    release_date: datetime | None = None
    rights: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a claim.

    ``record`` is the row of ``archive.files`` that is new or must change. ``alias`` is the row by which the
    place is remembered as another place of the same content; ``stale_alias`` says that the row it had is no
    longer true.
    """

    outcome: Outcome
    dp_id: str = ""
    revision: int = 0
    record: Record | None = None
    alias: Record | None = None
    stale_alias: bool = False
    refusal: FileRefused | None = None


@dataclass(slots=True)
class OnRecord:
    """What is on record about the claims of a batch; kept up to date while they are decided."""

    by_place: dict[Place, Record] = field(default_factory=dict)
    by_id: dict[str, Record] = field(default_factory=dict)
    by_checksum: dict[str, Record] = field(default_factory=dict)
    aliases: dict[Place, Record] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
    still_there: Callable[[Record], bool] = field(default_factory=lambda: unchanged_on_disk)

    @classmethod
    def look_up(cls, writer: Writer, claims: Iterable[Claim]) -> OnRecord:
        """Ask the lake about a batch."""
        claims = list(claims)
        found = cls()
        ids = {own_or_minted(claim) for claim in claims}
        columns = [column.name for column in writer.schemas.table(FILES).columns]
        asked: tuple[tuple[str, set[str]], ...] = (
            ("path", {claim.place[1] for claim in claims}),
            ("dp_id", ids),
            ("checksum", {claim.checksum for claim in claims}),
        )
        for column, values in asked:
            for record in writer.lookup(FILES, column, values, columns).to_pylist():
                found.add(record)
        columns = [column.name for column in writer.schemas.table(ALIASES).columns]
        for record in writer.lookup(ALIASES, "path", asked[0][1], columns).to_pylist():
            found.aliases[record["collection"], record["path"]] = record
        found.loaded = set(writer.lookup(OBSERVATIONS, "dp_id", ids)["dp_id"].to_pylist())
        return found

    def add(self, record: Record) -> None:
        """Remember a row of ``archive.files``."""
        old = self.by_id.get(record["dp_id"])
        if old is not None and self.by_checksum.get(old["checksum"]) is old:
            del self.by_checksum[old["checksum"]]
        self.by_place[record["collection"], record["path"]] = record
        self.by_id[record["dp_id"]] = record
        self.by_checksum.setdefault(record["checksum"], record)


def own_or_minted(claim: Claim) -> str:
    """Return the id that a claim would have if it were new."""
    return claim.own_id or minted_id(*claim.place)


def decide(claim: Claim, known: OnRecord) -> Decision:
    """Settle one claim and remember the result in ``known``."""
    record = known.by_place.get(claim.place)
    if record is not None:
        return _at_known_place(claim, record, known)
    same = known.by_checksum.get(claim.checksum)
    if same is not None:
        return _known_content(claim, same, known)
    dp_id = own_or_minted(claim)
    holder = known.by_id.get(dp_id)
    if holder is not None:
        return _refused("id-taken", f"Its id {dp_id} is held by {_name(holder)} with other content.")
    if dp_id in known.loaded:
        return _refused("id-taken", f"Its id {dp_id} belongs to a row that was loaded without a file.")
    fresh = record_of(claim, dp_id, 1)
    known.add(fresh)
    stale = known.aliases.pop(claim.place, None) is not None
    return Decision(Outcome.ACCEPTED, dp_id, 1, record=fresh, stale_alias=stale)


def _at_known_place(claim: Claim, record: Record, known: OnRecord) -> Decision:
    if record["checksum"] == claim.checksum:
        return _same_content(claim, record, known)
    if record["withdrawn"] is not None:
        return _refused("withdrawn", f"{record['dp_id']} was withdrawn: {record['withdrawn']}.")
    elsewhere = record["holding"] == "reference" and record["location"] != claim.location
    if elsewhere and known.still_there(record):
        return _refused(
            PATH_TAKEN,
            f"{claim.place[1]} of {claim.place[0]} is {record['location']}, which holds other content.",
        )
    # A minted id was given to the path, whatever it holds; any other says what the content is, so that a
    # product written over its raw frame must not take the frame's id.
    if record["dp_id"] not in (own_or_minted(claim), minted_id(*claim.place)):
        own = f"is {claim.own_id}" if claim.own_id else "has no id of its own"
        return _refused(
            "id-changed", f"Its path is on record as {record['dp_id']}, but its new content {own}."
        )
    revision = record["revision"] + 1
    fresh = record_of(claim, record["dp_id"], revision)
    known.add(fresh)
    return Decision(Outcome.REPLACED, record["dp_id"], revision, record=fresh)


def _same_content(claim: Claim, record: Record, known: OnRecord) -> Decision:
    """Return ``unchanged``; the record follows a file that was touched, moved with its tree, or copied."""
    fresh = _taken_over(claim, record)
    if fresh["holding"] == "managed" or record["location"] == claim.location:
        fresh |= {"size": claim.size, "mtime": claim.mtime}
    elif not known.still_there(record):
        fresh |= {"size": claim.size, "mtime": claim.mtime, "location": claim.location}
    return Decision(
        Outcome.UNCHANGED, record["dp_id"], record["revision"], record=_if_changed(fresh, record, known)
    )


def _taken_over(claim: Claim, record: Record) -> dict[str, Any]:
    """Return a record whose bytes the archive keeps itself from now on, if the claim brings a copy."""
    if record["holding"] == "reference" and claim.holding == "managed":
        return {**record, "holding": claim.holding, "location": claim.location}
    return dict(record)


def _if_changed(fresh: Record, record: Record, known: OnRecord) -> Record | None:
    if fresh == dict(record):
        return None
    known.add(fresh)
    return fresh


def _known_content(claim: Claim, same: Record, known: OnRecord) -> Decision:
    alias = known.aliases.get(claim.place)
    fresh = {
        "collection": claim.place[0],
        "path": claim.place[1],
        "dp_id": same["dp_id"],
        "size": claim.size,
        "mtime": claim.mtime,
        "checksum": claim.checksum,
    }
    known.aliases[claim.place] = fresh
    changed = alias is None or any(alias[key] != value for key, value in fresh.items())
    return Decision(
        Outcome.UNCHANGED,
        same["dp_id"],
        same["revision"],
        record=_if_changed(_taken_over(claim, same), same, known),
        alias=fresh if changed else None,
    )


def record_of(claim: Claim, dp_id: str, revision: int) -> Record:
    """Return what ``archive.files`` keeps of a claim under an id."""
    return {
        "dp_id": dp_id,
        "revision": revision,
        "collection": claim.place[0],
        "path": claim.place[1],
        "holding": claim.holding,
        "location": claim.location,
        "size": claim.size,
        "mtime": claim.mtime,
        "checksum": claim.checksum,
        "content_type": claim.content_type,
        "file_name": claim.file_name,
        "release_date": claim.release_date,
        "rights": claim.rights,
        "withdrawn": None,
    }


def _refused(code: str, message: str) -> Decision:
    return Decision(Outcome.QUARANTINED, refusal=FileRefused(code, message))


def _name(record: Record) -> str:
    return f"{record['collection']}/{record['path']}"


def unchanged_on_disk(record: Record) -> bool:
    """Whether a referenced file is where it was, with the size and time on record."""
    try:
        status = Path(record["location"]).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (record["size"], record["mtime"])
