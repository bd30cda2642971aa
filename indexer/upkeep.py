"""Changes to what is held: withdrawals and release dates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from indexer.errors import IngestError, in_words
from indexer.releases import DATES, released, with_release
from indexer.settle import FILES
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
            _put_back(writer, FILES, _filled(_only(rows, chosen), "withdrawn", reason.strip()))
            version = writer.commit({"withdrawn": len(chosen)})
    except LakeError as error:
        raise IngestError("lake", in_words(error)) from error
    return _told(wanted, chosen, states, version)


def set_release(ids: Iterable[str], when: datetime | None, *, lake: Lake) -> Changed:
    """Change when files become public; None makes them public at once, also where a date is required.

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
            found = {name: _rows(lake, writer, name, wanted) for name in DATES}
            states: dict[str, bool] = {}
            for name, rows in found.items():
                for dp_id, done in released(name, rows, moment):
                    states[dp_id] = states.get(dp_id, True) and done
            chosen = [dp_id for dp_id in wanted if not states.get(dp_id, True)]
            for name, rows in found.items():
                _put_back(writer, name, with_release(name, _only(rows, chosen), moment))
            version = writer.commit({"changed": len(chosen)})
    except LakeError as error:
        raise IngestError("lake", in_words(error)) from error
    return _told(wanted, chosen, states, version)


def _rows(lake: Lake, writer: Writer, name: str, ids: Sequence[str]) -> pa.Table:
    return lake.read(name, writer.version, filter=pc.field("dp_id").isin(list(ids)))


def _only(rows: pa.Table, ids: Sequence[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows["dp_id"], value_set=pa.array(ids, pa.string())))


def _filled(rows: pa.Table, column: str, value: object) -> pa.Table:
    said = pa.scalar(value, rows.schema.field(column).type)
    return rows.set_column(rows.column_names.index(column), column, pa.repeat(said, rows.num_rows))


def _put_back(writer: Writer, name: str, rows: pa.Table) -> None:
    if not rows.num_rows:
        return
    if _CHANGED in writer.schemas.table(name).by_name:
        rows = _filled(rows, _CHANGED, datetime.now(UTC).replace(tzinfo=None))
    writer.replace(name, rows.drop_columns([BATCH]))


def _told(wanted: Sequence[str], chosen: Sequence[str], states: Mapping[str, Any], version: int) -> Changed:
    return Changed(
        changed=tuple(chosen),
        unchanged=tuple(dp_id for dp_id in wanted if dp_id in states and dp_id not in chosen),
        unknown=tuple(dp_id for dp_id in wanted if dp_id not in states),
        version=version,
    )
