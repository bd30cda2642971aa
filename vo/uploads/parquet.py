"""Parquet files; run as a program it reads one from its input and writes it as an Arrow stream."""

from __future__ import annotations

import json
import resource
import sys

import pyarrow as pa
import pyarrow.parquet as pq

from vo.uploads.apart import SAYS
from vo.uploads.arrow import found_in
from vo.uploads.limits import Unreadable, UploadLimits
from vo.uploads.metadata import described_in

_FREE = 160 * 2**20
"""Bytes that reading may take whatever a file says."""

_PER_BYTE = 4
"""Bytes that reading may take for each byte that a file says it holds."""

_MOST_FOOTER = 16 * 2**20


def read_parquet(path_or_file: object, limits: UploadLimits) -> pa.Table:
    """Return a Parquet file as an Arrow table whose metadata describe its columns."""
    try:
        with pq.ParquetFile(
            path_or_file,
            thrift_string_size_limit=_MOST_FOOTER,
            thrift_container_size_limit=2**20,
            pre_buffer=False,
        ) as file:
            said = file.metadata
            limits.check_columns(said.num_columns)
            limits.check_rows(said.num_rows)
            size = sum(said.row_group(at).total_byte_size for at in range(said.num_row_groups))
            if size > 2 * limits.bytes:
                raise Unreadable(f"it holds {size} bytes, more than {2 * limits.bytes}")
            _restrict(_FREE + _PER_BYTE * max(size, 0))
            content = (said.metadata or {}).get(b"IVOA.VOTable-Parquet.content")
            table = file.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise Unreadable(
            f"it is no Parquet file that can be read: {str(error).splitlines()[0][:200]}"
        ) from None
    except MemoryError:
        raise Unreadable("reading it needs more memory than its size grants") from None
    described = described_in(content, limits) if content else {}
    columns, arrays = found_in(table, limits, described)
    texts = json.dumps([column.model_dump(mode="json") for column in columns])
    schema = pa.schema(
        [(f"c{at}", array.type) for at, array in enumerate(arrays)], metadata={"columns": texts}
    )
    return pa.Table.from_arrays([array.combine_chunks() for array in arrays], schema=schema)


def _restrict(more: int) -> None:
    """Let this process take some more bytes than it has."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        now = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
    resource.setrlimit(resource.RLIMIT_DATA, (now + more, now + more))


def main() -> None:
    """Read what limits in the argument allow."""
    limits = UploadLimits(**json.loads(sys.argv[1]))
    try:
        table = read_parquet(sys.stdin.buffer.raw if hasattr(sys.stdin.buffer, "raw") else 0, limits)
    except Unreadable as error:
        sys.exit(f"{SAYS}{error}")
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as writer:
        writer.write_table(table)


if __name__ == "__main__":
    main()
