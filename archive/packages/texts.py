"""The documents at the beginning of a package, which is a bag as RFC 8493 (BagIt) has it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import PurePosixPath

from archive.packages.content import LeftOut, Member

_UNSAFE = frozenset('/\\:*?"<>|%')
_LONGEST = 200

_COLUMNS = ("file", "dp_id", "bytes", "sha256", "content_type", "status", "reason", "access_url")


@dataclass(frozen=True, slots=True)
class Words:
    """What the documents say beside the names of files.

    ``asked`` is the selection in a line, ``source`` the archive's name and ``url`` its address;
    ``proposals`` and ``articles`` are what the files' rows name.
    """

    asked: str
    source: str
    url: str
    proposals: Sequence[str]
    articles: Sequence[str]


def member_names(files: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return a path below ``data/`` for each file, given by identifier and name, in order of identifiers.

    No two differ in case only, and none needs escapes in a list of checksums. Files whose names are taken
    are in folders named after their identifiers.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for dp_id, name in sorted(files):
        base = safe(name.rsplit("/", 1)[-1])
        path, number = f"data/{base}", 1
        while path.casefold() in taken:
            folder = safe(dp_id) + (f"_{number}" if number > 1 else "")
            path, number = f"data/{folder}/{base}", number + 1
        taken.add(path.casefold())
        # A file must not have the name of a folder.
        taken.update(str(parent).casefold() for parent in PurePosixPath(path).parents)
        found[dp_id] = path
    return found


def safe(name: str) -> str:
    """Return a name that every file system takes, and that leads nowhere else."""
    plain = "".join("_" if c in _UNSAFE or not c.isprintable() else c for c in name).strip(" ")
    plain = plain.encode("utf-8", "replace").decode()
    while len(plain.encode()) > _LONGEST:
        plain = plain[1:]
    return plain if plain.strip(".") else "file"


def documents(
    name: str,
    created: datetime,
    members: Sequence[Member],
    left_out: Sequence[LeftOut],
    words: Words,
) -> tuple[tuple[str, str], ...]:
    """Return the documents by their paths."""
    sums = "".join(f"{member.checksum}  {member.name}\n" for member in members)
    found = [
        ("bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"),
        ("bag-info.txt", _info(name, created, members, words)),
        ("manifest-sha256.txt", sums),
        ("manifest.csv", _table(members, left_out)),
        ("README.txt", _readme(name, created, members, left_out, words)),
    ]
    tags = "".join(f"{sha256(text.encode()).hexdigest()}  {path}\n" for path, text in found)
    return (*found, ("tagmanifest-sha256.txt", tags))


def _info(name: str, created: datetime, members: Sequence[Member], words: Words) -> str:
    items = {
        "Source-Organization": words.source,
        "External-Identifier": name,
        "External-Description": words.asked,
        "Bagging-Date": created.date().isoformat(),
        "Payload-Oxum": f"{sum(member.size for member in members)}.{len(members)}",
    }
    return "".join(f"{key}: {_line(value)}\n" for key, value in items.items())


def _line(text: str) -> str:
    return " ".join(text.split())


def _table(members: Sequence[Member], left_out: Sequence[LeftOut]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for m in members:
        writer.writerow((m.name, m.dp_id, m.size, m.checksum, m.content_type, "included", "", ""))
    for item in left_out:
        said = f"{item.reason}: {item.detail}"
        writer.writerow(("", item.dp_id, "", "", "", "left out", said, item.access_url or ""))
    return out.getvalue()


def _readme(
    name: str,
    created: datetime,
    members: Sequence[Member],
    left_out: Sequence[LeftOut],
    words: Words,
) -> str:
    lines = [
        f"{name}: files of {words.source}, {words.url}",
        "",
        f"Made    {created:%Y-%m-%d %H:%M:%S} UTC",
        f"Asked   {_line(words.asked)}",
        f"Files   {len(members)}, {sum(member.size for member in members)} bytes, below data/",
    ]
    if left_out:
        lines.append(f"Without {len(left_out)} that manifest.csv names, each with the reason")
    lines += [
        "",
        "To verify all files, in this folder:",
        "    sha256sum -c manifest-sha256.txt",
        "manifest.csv has the identifier of each file in the archive. The folder is a bag (RFC 8493).",
        "",
        f"If you publish what you made of these files, please name their source, {words.source},",
        "and their identifiers.",
    ]
    for title, items in (("Observing programmes", words.proposals), ("Articles", words.articles)):
        if items:
            lines += ["", f"{title} that the files name:", *(f"    {_line(item)}" for item in items)]
    return "\n".join(lines) + "\n"
