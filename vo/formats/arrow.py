"""Parquet with VOTable metadata (IVOA Note VOParquet 1.0), and Arrow's own stream."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import Buffer, override

from schemas.arrow import arrow_schema
from vo.dali.rows import Rows
from vo.formats.ending import check_ending
from vo.votable.document import Head, Info, metadata_document

_ROW_GROUP = 100_000
"""Rows of a Parquet row group."""


class _Sink(io.RawIOBase):
    """A file that hands over what was written since the last time."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Buffer) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._length += len(part)
        return len(part)

    @override
    def tell(self) -> int:
        return self._length

    def take(self) -> bytes:
        """Return what is new."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found


def _infos(rows: Rows, head: Head) -> tuple[Info, ...]:
    ending = rows.ending
    status = (
        Info("QUERY_STATUS", "OK") if ending is None else Info("QUERY_STATUS", ending.status, ending.text)
    )
    return (status, *head.infos, *(Info("WARNING", "", note) for note in rows.notes))


def _groups(rows: Rows) -> Iterator[pa.Table]:
    """Yield the rows in pieces that are worth a row group."""
    kept: list[pa.RecordBatch] = []
    for batch in rows:
        kept.append(batch)
        if sum(part.num_rows for part in kept) >= _ROW_GROUP:
            yield pa.Table.from_batches(kept)
            kept = []
    if kept:
        yield pa.Table.from_batches(kept)


def write_parquet(rows: Rows, head: Head) -> Iterator[bytes]:
    """Yield a Parquet file whose footer holds the columns' description as a VOTable."""
    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), arrow_schema(rows.columns)) as writer:
        for table in _groups(rows):
            writer.write_table(table)
            yield sink.take()
        check_ending(rows)
        document = metadata_document(rows.columns, Head(_infos(rows, head), head.table_name))
        writer.add_key_value_metadata(
            {
                "IVOA.VOTable-Parquet.version": "1.0",
                "IVOA.VOTable-Parquet.content": document.decode(),
            }
        )
    yield sink.take()


def write_arrow(rows: Rows, head: Head) -> Iterator[bytes]:
    """Yield an Arrow IPC stream; its last batch is empty, and its metadata say how the rows ended."""
    sink = _Sink()
    schema = arrow_schema(rows.columns)
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
        for batch in rows:
            writer.write_batch(batch)
            yield sink.take()
        check_ending(rows)
        last = {info.name: info.text or info.value for info in _infos(rows, head)[1:]}
        status = "OK" if rows.ending is None else rows.ending.status
        empty = pa.RecordBatch.from_pylist([], schema=schema)
        writer.write_batch(empty, custom_metadata={"QUERY_STATUS": status, **last})
    yield sink.take()
