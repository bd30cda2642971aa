"""Rows on their way into an archive whose server runs."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.archive import Archive
from bench.client import TABLE, Client
from bench.report import Report

SMALL_ROWS = 50
"""Rows of a small file."""


def load(archive: Archive, client: Client, path: Path, report: Report) -> None:
    """Load all rows while the server runs, until a cone search shows the last one."""
    began = time.perf_counter()
    told = archive.run("load", str(path), "--table", TABLE, "--no-wait").strip().splitlines()[-1]
    committed = time.perf_counter() - began
    wait_for_last(archive, client, path)
    visible = time.perf_counter() - began
    report.note(
        f"load {archive.engine}",
        {"committed_seconds": round(committed, 1), "visible_seconds": round(visible, 1)},
        f"load {archive.engine}: {told}; committed after {committed:.1f} s, visible after {visible:.1f} s",
    )


def wait_for_last(archive: Archive, client: Client, path: Path) -> None:
    """Wait until a cone search shows the last row of a file."""
    file = pq.ParquetFile(path)
    wanted = ["s_ra", "s_dec", "obs_publisher_did"]
    last = file.read_row_group(file.num_row_groups - 1, columns=wanted).to_pylist()[-1]
    end = time.monotonic() + 7200
    while last["obs_publisher_did"].encode() not in client.scs((last["s_ra"], last["s_dec"]), 0.001):
        if time.monotonic() > end:
            raise TimeoutError(f"the {archive.engine} server does not show the last row")
        time.sleep(0.2)


def small_files(table: pa.Table, folder: Path) -> Iterator[Path]:
    """Write small files in an order that is not that of their rows."""
    order = list(range(table.num_rows // SMALL_ROWS))
    random.Random(1).shuffle(order)
    for number in order:
        path = folder / f"small-{number}.parquet"
        pq.write_table(table.slice(number * SMALL_ROWS, SMALL_ROWS), path)
        yield path
