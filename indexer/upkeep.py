"""Changes to what is held: withdrawals and release dates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from indexer.errors import IngestError, in_words
from indexer.settle import FILES, RELEASES
from schemas import Table
from schemas.arrow import BATCH
from store.lake import Lake, LakeError, Writer

_SEARCHED: Final = ("ivoa.ObsCore", "dbo.raw", "phase3v2.provenance", "phase3v2.files")
"""Tables that a withdrawn file has no rows in."""

_CHANGED: Final = "last_mod_date"


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of some ids: those changed, those that were so already, those that nobody knows."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    unknown: tuple[str, ...]
    version: int


def withdraw(ids: Iterable[str], reason: str, *, lake: Lake) -> Changed:
    """Take files out of the searches; their bytes are kept but not served, and their ids stay theirs.

    Raises
    ------
    IngestError
        When no reason is given, or the lake cannot be written.
    """
    if not reason.strip():
        raise IngestError("reason", "A withdrawal needs a reason.")
    wanted = tuple(dict.fromkeys(ids))
    try:
        with lake.writer("withdraw") as writer:
            rows = _rows(lake, writer, FILES, wanted)
            states: dict[str, str | None] = dict(
                zip(rows["dp_id"].to_pylist(), rows["withdrawn"].to_pylist(), strict=True)
            )
            chosen = [dp_id for dp_id in wanted if dp_id in states and states[dp_id] is None]
            for name in _SEARCHED:
                writer.delete(name, writer.lookup(name, "dp_id", chosen))
            _set(writer, FILES, _only(rows, chosen), "withdrawn", reason.strip())
            version = writer.commit({"withdrawn": len(chosen)})
    except LakeError as error:
        raise IngestError("lake", in_words(error)) from error
    return _told(wanted, chosen, states, version)


def set_release(ids: Iterable[str], when: datetime | None, *, lake: Lake) -> Changed:
    """Change when files become public; None makes them public at once.

    Parameters
    ----------
    when : with a time zone, or UTC without one.

    Raises
    ------
    IngestError
        When the lake cannot be written.
    """
    moment = when if when is None or when.tzinfo is None else when.astimezone(UTC).replace(tzinfo=None)
    wanted = tuple(dict.fromkeys(ids))
    try:
        with lake.writer("set-release") as writer:
            found = {name: _rows(lake, writer, name, wanted) for name in RELEASES}
            states: dict[str, Any] = {}
            for name, rows in found.items():
                dates = rows[RELEASES[name]].to_pylist()
                states |= dict(zip(rows["dp_id"].to_pylist(), dates, strict=True))
            chosen = [dp_id for dp_id in wanted if dp_id in states and states[dp_id] != moment]
            for name, rows in found.items():
                _set(writer, name, _only(rows, chosen), RELEASES[name], moment)
            version = writer.commit({"changed": len(chosen)})
    except LakeError as error:
        raise IngestError("lake", in_words(error)) from error
    return _told(wanted, chosen, states, version)


def _rows(lake: Lake, writer: Writer, name: str, ids: Sequence[str]) -> pa.Table:
    return lake.read(name, writer.version, filter=pc.field("dp_id").isin(list(ids)))


def _only(rows: pa.Table, ids: Sequence[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows["dp_id"], value_set=pa.array(ids, pa.string())))


def _set(writer: Writer, name: str, rows: pa.Table, column: str, value: object) -> None:
    if not rows.num_rows:
        return
    table: Table = writer.schemas.table(name)
    values = {column: value}
    if _CHANGED in table.by_name:
        values[_CHANGED] = datetime.now(UTC).replace(tzinfo=None)
    for key, said in values.items():
        place = rows.column_names.index(key)
        kind = rows.schema.field(key).type
        rows = rows.set_column(place, key, pa.repeat(pa.scalar(said, kind), rows.num_rows))
    writer.replace(name, rows.drop_columns([BATCH]))


def _told(wanted: Sequence[str], chosen: Sequence[str], states: dict[str, Any], version: int) -> Changed:
    return Changed(
        changed=tuple(chosen),
        unchanged=tuple(dp_id for dp_id in wanted if dp_id in states and dp_id not in chosen),
        unknown=tuple(dp_id for dp_id in wanted if dp_id not in states),
        version=version,
    )
