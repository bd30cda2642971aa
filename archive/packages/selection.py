"""From what a user asks for to the files that a package holds, and those that it does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from pydantic import Field

from archive.access import AccessPolicy
from archive.api.filters import condition
from archive.api.params import Filters
from archive.api.tables import public_table
from archive.files.bytes import open_held
from archive.files.catalogue import FILES, OBSCORE, HeldFile
from archive.links.known import rows_with
from archive.packages.content import LeftOut, Member
from archive.packages.texts import member_names
from archive.problems import Detail, Problem, wrong
from query import build
from store.port import Site, Snapshot

_FILE = tuple(HeldFile.__slots__)
_OBSERVATION = ("dp_id", "obs_publisher_did", "access_url", "proposal_id", "bib_reference")


class PackageParams(Filters):
    """A list of files, or the filters of a search."""

    ids: list[str] | None = Field(
        default=None, description="Files by dp_id or obs_publisher_did; instead of filters"
    )
    table: str = Field(
        default=OBSCORE, description="The table that the filters are for; one with a column dp_id"
    )
    format: Literal["tar", "zip"] | None = Field(
        default=None, description="Answer with a redirect to the package in this form, for curl -L"
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """Files to be sent and not to be sent; programmes and articles that their rows name."""

    members: tuple[Member, ...]
    left_out: tuple[LeftOut, ...]
    proposals: tuple[str, ...]
    articles: tuple[str, ...]


def wanted_ids(params: PackageParams, snapshot: Snapshot, site: Site, most: int, seconds: float) -> list[str]:
    """Return the identifiers of the files that are asked for, each once.

    Raises
    ------
    Problem
        400 when the request is wrong, 413 when it is for more than ``most`` files.
    """
    if params.ids is not None:
        if params.model_fields_set & (set(Filters.model_fields) | {"table"}):
            raise wrong([Detail("value", "ids and filters exclude each other", "ids")])
        if not params.ids:
            raise wrong([Detail("value", "the list is empty", "ids")])
        found = _named(params.ids, snapshot, site) if len(params.ids) <= most else params.ids
    else:
        found = _selected(params, snapshot, most, seconds)
    if len(found) > most:
        text = f"a package has at most {most} files; ask for fewer, in several packages"
        raise Problem(413, text, kind="too-large")
    return found


def _selected(params: PackageParams, snapshot: Snapshot, most: int, seconds: float) -> list[str]:
    table = public_table(snapshot.schemas, params.table)
    if "dp_id" not in table.by_name:
        raise wrong([Detail("value", f"{table.name} has no column dp_id, which names files", "table")])
    query = build.select(table, names=["dp_id"], where=condition(table, params), top=most + 1)
    rows = snapshot.run(query, timeout=seconds).table()
    return [name for name in dict.fromkeys(rows.column(0).to_pylist()) if name is not None]


def _named(ids: Sequence[str], snapshot: Snapshot, site: Site) -> list[str]:
    foreign = [item for item in ids if item.lower().startswith("ivo:")]
    rows = rows_with(snapshot, OBSCORE, ("dp_id", "obs_publisher_did"), "obs_publisher_did", foreign)
    by_did = {row["obs_publisher_did"]: row["dp_id"] for row in rows}
    own = f"ivo://{site.authority}/ID?".lower()
    found = []
    for item in ids:
        plain = unquote(item) if item.lower().startswith("ivo:") else item
        plain = plain[len(own) :] if plain.lower().startswith(own) else plain
        found.append(by_did.get(item, plain))
    return list(dict.fromkeys(found))


def choose(
    ids: Sequence[str], snapshot: Snapshot, site: Site, policy: AccessPolicy, files_root: Path
) -> Chosen:
    """Look up files, and leave out those whose bytes nobody, or not everybody, may have."""
    files, observations = _known(ids, snapshot)
    members: dict[str, HeldFile] = {}
    left_out: list[LeftOut] = []
    for dp_id in ids:
        # A row of a part of a file is named after the file.
        held = files.get(dp_id) or files.get(dp_id.partition("#")[0])
        reason = (
            _absent(dp_id, observations.get(dp_id), site)
            if held is None
            else _refused(held, policy, files_root)
        )
        if reason is not None:
            left_out.append(reason)
        elif held is not None:
            members[held.dp_id] = held
    names = member_names((held.dp_id, held.file_name) for held in members.values())
    rows = [observations[dp_id] for dp_id in ids if dp_id in observations]
    return Chosen(
        tuple(_member(members[dp_id], name) for dp_id, name in names.items()),
        tuple(left_out),
        _values(rows, "proposal_id"),
        _values(rows, "bib_reference"),
    )


def _known(ids: Sequence[str], snapshot: Snapshot) -> tuple[dict[str, HeldFile], dict[str, dict[str, Any]]]:
    sane = [item for item in ids if item.isprintable()]
    rows = rows_with(snapshot, OBSCORE, _OBSERVATION, "dp_id", sane)
    return held_files(snapshot, sane), {row["dp_id"]: row for row in rows}


def held_files(snapshot: Snapshot, ids: Sequence[str]) -> dict[str, HeldFile]:
    """Return the records of files by identifier, withdrawn ones too."""
    both = [*ids, *(item.partition("#")[0] for item in ids)]
    return {row["dp_id"]: HeldFile(**row) for row in rows_with(snapshot, FILES, _FILE, "dp_id", both)}


def _member(held: HeldFile, name: str) -> Member:
    return Member(name, held.dp_id, held.size, held.mtime, held.checksum, held.content_type)


def _absent(dp_id: str, row: dict[str, Any] | None, site: Site) -> LeftOut:
    if row is None:
        return LeftOut(dp_id, "unknown", "the archive has no such file")
    url = row["access_url"]
    if url is None or url.startswith(f"{site.public_url}/files/"):
        return LeftOut(dp_id, "no-bytes", "the archive has its row; where its bytes are, nobody said")
    return LeftOut(dp_id, "held-elsewhere", "the archive has its row, not its bytes", url)


def refused_now(held: HeldFile, policy: AccessPolicy) -> LeftOut | None:
    """Say why the record of a file keeps its bytes from being given; None when it does not."""
    if held.withdrawn is not None:
        return LeftOut(held.dp_id, "withdrawn", held.withdrawn)
    try:
        policy.require_bytes(held.dp_id, held.release_date, held.rights)
    except Problem as problem:
        return LeftOut(held.dp_id, problem.kind or "proprietary", problem.detail)
    return None


def _refused(held: HeldFile, policy: AccessPolicy, files_root: Path) -> LeftOut | None:
    reason = refused_now(held, policy)
    if reason is not None:
        return reason
    try:
        os.close(open_held(held, files_root))
    except Problem as problem:
        return LeftOut(held.dp_id, problem.kind or "unreadable", problem.detail)
    return None


def _values(rows: Sequence[dict[str, Any]], name: str) -> tuple[str, ...]:
    return tuple(sorted({row[name] for row in rows if row[name]}))
