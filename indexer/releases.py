"""When files become public: what their records and rows say of it, and how that is changed.

A file with a release date is withheld until that date. One without is public, unless its record and its
observation store the word ``proprietary``: it is then withheld until it is given a date. The rule is that of
``store.served.is_held``. One that stores the word ``secure`` is never given to anonymous users.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from indexer.settle import FILES, OBSERVATIONS, Record
from store.served import PROPRIETARY, SECURE

DATES: Final = {OBSERVATIONS: "obs_release_date", "dbo.raw": "release_date", FILES: "release_date"}
"""The column of each table that says when a file becomes public."""

RIGHTS: Final = {OBSERVATIONS: "data_rights", FILES: "rights"}
"""The column of each table that says whether a file without such a date, or always, is withheld."""

ALL: Final = "*"
"""Stands for every collection among those that require a release date."""


def needs_date(collection: str, required: Collection[str]) -> bool:
    """Whether files of a collection are withheld until they have a release date."""
    return ALL in required or collection in required


def rights_of(
    date: datetime | None, observations: Iterable[Mapping[str, Any]], *, needs_date: bool
) -> str | None:
    """Return what withholds a file always, or for want of a date; None for one that has a date or needs none.

    ``observations`` are its rows as its Instrument Package made them.
    """
    said = {row.get(RIGHTS[OBSERVATIONS]) for row in observations}
    if SECURE in said:
        return SECURE
    return PROPRIETARY if date is None and (PROPRIETARY in said or needs_date) else None


def held_back(record: Record, old: Record | None) -> Record:
    """Return a record of ``archive.files`` that is released no earlier than what it replaces.

    One that was withheld for want of a date stays so until it has one, which the new content may bring.
    """
    if old is None:
        return record
    date, rights = DATES[FILES], RIGHTS[FILES]
    dates = [row[date] for row in (record, old) if row[date] is not None]
    waits = not dates and PROPRIETARY in (record[rights], old[rights])
    word = SECURE if record[rights] == SECURE else PROPRIETARY if waits else None
    return {**record, date: max(dates, default=None), rights: word}


def rows_held_back(
    name: str, rows: pa.Table, old: Mapping[str, Record], withheld: Collection[str]
) -> pa.Table:
    """Return rows of new content that say of its release what the record of its file says.

    Parameters
    ----------
    old : records that are replaced, by id.
    withheld : ids of files that are withheld for want of a date.
    """
    ids = rows["dp_id"]
    if name in DATES:
        dates = [old.get(dp_id, {}).get(DATES[FILES]) for dp_id in ids.to_pylist()]
        said = rows[DATES[name]]
        rows = _with(rows, DATES[name], pc.max_element_wise(said, pa.array(dates, said.type)))
    if name in RIGHTS:
        held = pc.is_in(ids, value_set=pa.array(sorted(withheld), pa.string()))
        rows = _with(rows, RIGHTS[name], pc.if_else(held, PROPRIETARY, rows[RIGHTS[name]]))
    return rows


def released(name: str, rows: pa.Table, moment: datetime | None) -> Iterator[tuple[str, bool]]:
    """Yield the ids of rows, and whether they say already that they become public at a moment."""
    words = rows[RIGHTS[name]].to_pylist() if name in RIGHTS else [None] * rows.num_rows
    dates = rows[DATES[name]].to_pylist()
    for dp_id, date, word in zip(rows["dp_id"].to_pylist(), dates, words, strict=True):
        yield dp_id, date == moment and word != PROPRIETARY


def with_release(name: str, rows: pa.Table, moment: datetime | None) -> pa.Table:
    """Return rows that become public at a moment; at once for None. Other words on rights stay."""
    date = pa.scalar(moment, rows.schema.field(DATES[name]).type)
    rows = _with(rows, DATES[name], pa.repeat(date, rows.num_rows))
    if name not in RIGHTS:
        return rows
    words = rows[RIGHTS[name]]
    kept = pc.if_else(pc.equal(words, PROPRIETARY), pa.scalar(None, words.type), words)
    return _with(rows, RIGHTS[name], kept)


def _with(rows: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.column_names.index(column), column, values)
