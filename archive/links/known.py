"""What the index knows of many data products at once: a few queries for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archive.files.catalogue import FILES, OBSCORE
from query import build, tree
from schemas import Kind
from store.port import Snapshot

PROVENANCE = "phase3v2.provenance"

_OBSERVATION = (
    "dp_id",
    "obs_publisher_did",
    "access_url",
    "access_format",
    "access_estsize",
    "dataproduct_type",
    "bib_reference",
)
_FILE = ("dp_id", "content_type", "size", "file_name", "release_date", "rights", "withdrawn")
_SOURCE = ("dp_id", "source", "source_dp_id", "category", "role")

_AT_ONCE = 1_000
"""Values of a condition at most."""

Row = dict[str, Any]


def rows_with(
    snapshot: Snapshot, table: str, names: Sequence[str], column: str, values: Iterable[str]
) -> list[Row]:
    """Return the rows of a table in which a column has one of the values."""
    declared = snapshot.schemas.table(table)
    wanted = list(dict.fromkeys(values))
    found: list[Row] = []
    for start in range(0, len(wanted), _AT_ONCE):
        items = tuple(tree.Literal(value, Kind.TEXT) for value in wanted[start : start + _AT_ONCE])
        where = tree.InList(build.column(declared, column), items)
        found += snapshot.run(build.select(declared, names=names, where=where)).table().to_pylist()
    return found


def observations(snapshot: Snapshot, column: str, values: Iterable[str]) -> dict[str, Row]:
    """Return rows of ObsCore by the value of a column that identifies them."""
    return {row[column]: row for row in rows_with(snapshot, OBSCORE, _OBSERVATION, column, values)}


def files(snapshot: Snapshot, dp_ids: Iterable[str]) -> dict[str, Row]:
    """Return rows of the files by their identifiers, withdrawn ones too."""
    return {row["dp_id"]: row for row in rows_with(snapshot, FILES, _FILE, "dp_id", dp_ids)}


@dataclass(frozen=True, slots=True)
class Descent:
    """What was made from what: for each of some files its sources and its products, by identifier."""

    sources: Mapping[str, Sequence[Row]]
    products: Mapping[str, Sequence[str]]
    files: Mapping[str, Row]
    """Rows of all files that are named."""


def descent(snapshot: Snapshot, held: Mapping[str, Row]) -> Descent:
    """Find the sources and the products of files that this archive has.

    Headers name sources by archive names, or by the names that their files had.
    """
    made_from = rows_with(snapshot, PROVENANCE, _SOURCE, "dp_id", held)
    by_name = {row["file_name"]: dp_id for dp_id, row in held.items()}
    used = rows_with(snapshot, PROVENANCE, _SOURCE, "source_dp_id", held)
    used += rows_with(snapshot, PROVENANCE, _SOURCE, "source", by_name)
    named = _by_file_name(snapshot, {row["source"] for row in made_from})
    known = files(
        snapshot,
        {row["source_dp_id"] for row in made_from if row["source_dp_id"]} | {row["dp_id"] for row in used},
    )
    known |= {row["dp_id"]: row for row in named.values()} | dict(held)
    sources: dict[str, dict[str, Row]] = {}
    for row in made_from:
        at = row["source_dp_id"] if row["source_dp_id"] in known else None
        if at is None and row["source"] in named:
            at = named[row["source"]]["dp_id"]
        if at is not None and at != row["dp_id"]:
            sources.setdefault(row["dp_id"], {})[at] = row | {"source_dp_id": at}
    products: dict[str, dict[str, None]] = {}
    for row in used:
        at = row["source_dp_id"] if row["source_dp_id"] in held else by_name[row["source"]]
        if at != row["dp_id"] and row["dp_id"] in known:
            products.setdefault(at, {})[row["dp_id"]] = None
    return Descent(
        {dp_id: list(found.values()) for dp_id, found in sources.items()},
        {dp_id: list(found) for dp_id, found in products.items()},
        known,
    )


def _by_file_name(snapshot: Snapshot, names: Collection[str]) -> dict[str, Row]:
    """Return the files of these names, of names that one file alone has."""
    found: dict[str, Row] = {}
    shared = set()
    for row in rows_with(snapshot, FILES, _FILE, "file_name", names):
        if row["file_name"] in found:
            shared.add(row["file_name"])
        found[row["file_name"]] = row
    return {name: row for name, row in found.items() if name not in shared}
