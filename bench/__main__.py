"""Run the benchmark: ``python -m bench --rows N [--peer TAP-URL]``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench import rows
from bench.archive import Archive
from bench.client import BINARY2, COLUMNS, CONE, INTERSECTS, RADII, Client, Timing, measured
from bench.expected import BruteForce, digest
from bench.sample import Sample

SMALL_LOADS = 100
SMALL_ROWS = 50


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _line(name: str, found: Timing, beside: Timing | None = None) -> None:
    more = f"   no-op {found.p50 - beside.p50:+.2f} ms" if beside else ""
    _say(f"{name:44s} p50 {found.p50:9.2f} ms   p95 {found.p95:9.2f} ms{more}")


def _load(archive: Archive, client: Client, path: Path) -> None:
    """Load all rows while the server runs, until a cone search shows the last one."""
    last = pq.read_table(path, columns=["s_ra", "s_dec", "obs_publisher_did"]).to_pylist()[-1]
    began = time.perf_counter()
    report = archive.run("load", str(path), "--table", "ivoa.obscore", "--no-wait").strip().splitlines()[-1]
    committed = time.perf_counter() - began
    while last["obs_publisher_did"].encode() not in client.scs((last["s_ra"], last["s_dec"]), 0.001):
        time.sleep(0.2)
    visible = time.perf_counter() - began
    _say(f"load: {report}; committed after {committed:.1f} s, visible after {visible:.1f} s")


def _requests(client: Client, sample: Sample, count: int) -> None:
    """Time the lines that the promise is about, beside a request that takes no work."""
    places = sample.positions("scs_cone_0.1deg", count + 10)
    idle = measured(partial(client.nothing) for _ in places)
    cone = measured(partial(client.scs, place, 0.1) for place in places)
    number = measured(partial(client.adql, "SELECT COUNT(*) AS n FROM {table}") for _ in places)
    _line("no-op", idle)
    _line("SCS 0.1 deg", cone, idle)
    _line("TAP COUNT(*)", number, idle)


def _queries(client: Client, sample: Sample, count: int) -> None:
    for name, form in (("cone", CONE), ("intersects", INTERSECTS)):
        for radius in RADII:
            places = sample.positions(f"tap_{name}_{radius}deg", count + 10)
            texts = [
                f"SELECT {COLUMNS} FROM {{table}} WHERE {form.format(*place, radius)}" for place in places
            ]
            _line(
                f"TAP {name} {radius} deg",
                measured(partial(client.adql, text, "application/x-votable+xml", 10000) for text in texts),
            )
    texts = [
        f"SELECT {COLUMNS} FROM {{table}} WHERE obs_publisher_did='{did}'"
        for did in sample.identifiers("tap_by_did", count + 10)
    ]
    _line("TAP by obs_publisher_did", measured(partial(client.adql, text) for text in texts))
    grouped = "SELECT instrument_name, COUNT(*) AS n FROM {table} GROUP BY instrument_name"
    _line("TAP GROUP BY instrument_name", measured((partial(client.adql, grouped) for _ in range(30)), 3))
    dump = f"SELECT TOP 100000 {COLUMNS} FROM {{table}}"
    for name, form in (("BINARY2", BINARY2), ("CSV", "text/csv")):
        _line(
            f"TAP 100,000 rows as {name}", measured((partial(client.adql, dump, form) for _ in range(6)), 1)
        )


def _compare(client: Client, sample: Sample, everything: pa.Table) -> bool:
    truth, agree = BruteForce(everything), True
    found = client.digests(sample)
    for test, search in (("cone", truth.cone), ("intersects", truth.intersects)):
        for radius in RADII:
            name = f"{test}_{radius}deg"
            places = sample.positions(f"answers_{test}_{radius}", 20)
            expected = digest(search(place, radius) for place in places)
            same = found[name] == expected
            agree &= same
            verdict = "agree" if same else f"DIFFER: {expected}"
            _say(f"answers {name:16s} {found[name].rows:8d} rows   {verdict}")
    return agree


def _small_loads(archive: Archive, folder: Path, first: int) -> pa.Table:
    """Load many small files in random order; the rows that were added."""
    added = pa.concat_tables(rows.chunks(first + SMALL_LOADS * SMALL_ROWS)).slice(first)
    order = list(range(SMALL_LOADS))
    random.Random(1).shuffle(order)
    began = time.perf_counter()
    for number in order:
        path = folder / f"small-{number}.parquet"
        pq.write_table(added.slice(number * SMALL_ROWS, SMALL_ROWS), path)
        archive.run("load", str(path), "--table", "ivoa.obscore")
    _say(f"{SMALL_LOADS} loads of {SMALL_ROWS} rows, each until visible: {time.perf_counter() - began:.1f} s")
    return added


def main() -> int:
    """Run it; 1 when an answer differs."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--peer", help="TAP URL of another server with the same rows")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onedfs-bench-") as name:
        folder = Path(name)
        path, data = folder / "rows.parquet", folder / "data"
        data.mkdir()
        rows.write(path, words.rows)
        sample, everything = Sample(path), pq.read_table(path)
        archive = Archive(data)
        try:
            client = Client(archive.base)
            _load(archive, client, path)
            agree = _compare(client, sample, everything)
            _requests(client, sample, words.requests)
            _queries(client, sample, min(words.requests, 100))
            added = _small_loads(archive, folder, words.rows)
            _requests(client, sample, words.requests)
            agree &= _compare(client, sample, pa.concat_tables([everything, added]))
            if words.peer:
                _say(f"peer {words.peer}")
                _queries(Client(archive.base, tap=words.peer), sample, min(words.requests, 100))
        finally:
            archive.close()
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
