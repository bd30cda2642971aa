"""Runs that end before their end: a full disk, Ctrl-C, SIGTERM. The last line says what is committed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer import Summary
from schemas import load_schemas
from store.lake import Lake
from tests.support.holdings import sky_header, write_image
from tests.support.processes import ONEDFS, Archive, wait_until

pytestmark = pytest.mark.slow

COUNTS = re.compile(r"accepted (\d+), unchanged (\d+), replaced (\d+), quarantined (\d+)\Z")


def counts(out: str) -> tuple[int, ...]:
    """Return the numbers of the last line, which must be that of the counts."""
    found = COUNTS.match(out.splitlines()[-1])
    assert found, out
    return tuple(map(int, found.groups()))


def files_held(archive: Archive) -> int:
    return Lake(archive.data / "lake", load_schemas()).row_count("archive.files")


def rows_held(archive: Archive, table: str) -> int:
    return Lake(archive.data / "lake", load_schemas()).row_count(table)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 1100 files, which take a few batches."""
    folder = tmp_path_factory.mktemp("many") / "night"
    folder.mkdir()
    for number in range(1100):
        write_image(
            folder / f"{number:04}.fits",
            sky_header(number / 5, 40.0, 0.1),
            {"OBJECT": f"{number}"},
            seed=number,
        )
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 400,000 rows."""
    count = 400_000
    numbers = np.arange(count)
    ids = pa.array([f"ivo://other.example/?L{number}" for number in numbers])
    table = pa.table(
        {
            "obs_publisher_did": ids,
            "obs_collection": pa.repeat("loaded", count),
            "obs_id": ids,
            "calib_level": pa.repeat(2, count),
            "s_ra": numbers % 36000 / 100,
            "s_dec": numbers % 17000 / 100 - 85,
        }
    )
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(table, path)
    return path


def limited(archive: Archive, size: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command that can write no file larger than ``size`` bytes, as on a disk that is full."""
    return subprocess.run(
        ["prlimit", f"--fsize={size}", str(ONEDFS), *map(str, arguments)],
        env=archive.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("holding", ["--copy", "--move"])
def test_a_file_store_that_takes_no_more_ends_the_run_in_one_line(
    archive: Archive, tmp_path: Path, holding: str
) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    write_image(folder / "a.fits", sky_header(1.0, 40.0, 0.1), {"OBJECT": "a"}, seed=1)
    archive.run("ingest", folder, holding)
    for number in range(10):
        name = f"b{number}"
        write_image(folder / f"{name}.fits", sky_header(2.0, 40.0, 0.1), {"OBJECT": name}, seed=number)
    (folder / "large.fits").write_bytes((folder / "b0.fits").read_bytes() + bytes(2880 * 300))
    ended = limited(archive, 400_000, "ingest", folder, holding)
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr == "onedfs: The archive's file store cannot be written: File too large.\n"
    accepted = counts(ended.stdout)[0]
    assert accepted == files_held(archive) - 1
    again = archive.run("ingest", folder, holding)
    assert files_held(archive) == 12
    assert sum(counts(again)) == (11 - accepted if holding == "--move" else 12)
    assert not (holding == "--move" and list(folder.iterdir()))
    archive.run("index", "rebuild")
    archive.run("check")


def test_a_lake_that_takes_no_more_ends_the_load(archive: Archive, rows: Path) -> None:
    ended = limited(archive, 1_000_000, "load", rows, "--table", "ivoa.obscore")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "onedfs: The lake cannot be written: File too large."
    assert "Traceback" not in ended.stderr
    assert counts(ended.stdout)[0] == rows_held(archive, "ivoa.ObsCore") == 0
    assert counts(archive.run("load", rows, "--table", "ivoa.obscore"))[0] == 400_000


def tmpfs(folder: Path) -> list[str]:
    """Return the command that runs another one with a small file system of its own; empty if not allowed."""
    for words in (["unshare", "-m"], ["unshare", "-rm"]):
        told = [*words, "sh", "-c", f'mount -t tmpfs -o size=1500k tmpfs {folder} && exec "$@"', "sh"]
        if (
            shutil.which("unshare")
            and subprocess.run([*told, "true"], capture_output=True, check=False).returncode == 0
        ):
            return told
    return []


def test_a_disk_that_fills_ends_the_run_and_more_space_completes_it(tmp_path: Path, many: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    start = tmpfs(disk)
    if not start:
        pytest.skip("this user may not mount a small disk; the limits of files are tested instead")
    script = (
        'for i in 1 2; do "$0" ingest "$1" --copy; echo "exit $?"; done;'
        ' mount -o remount,size=60m "$2" && "$0" ingest "$1" --copy; echo "exit $?"; "$0" status --json'
    )
    some = tmp_path / "some"
    some.mkdir()
    for path in sorted(many.iterdir())[:300]:
        shutil.copy(path, some)
    done = subprocess.run(
        [*start, "sh", "-c", script, str(ONEDFS), str(some), str(disk)],
        env=Archive(disk / "data").environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    out = re.split(r"exit (\d)\n", done.stdout)
    assert out[1::2] == ["1", "1", "0"], done.stdout + done.stderr
    first, second, third = (counts(text.strip()) for text in out[0:5:2])
    assert done.stderr.count("No space left on device") == len(done.stderr.splitlines()) == 2
    assert second[1] == first[0]
    assert third[0] + third[1] == 300
    assert json.loads(out[6])["tables"]["archive.files"] == 300


def interrupted(
    archive: Archive, number: signal.Signals, *arguments: object, begun: Path
) -> tuple[str, str, float]:
    """Run a command, send it a signal once a path exists, and return what it said and how long it took."""
    process = archive.start(*arguments)
    wait_until(lambda: begun.exists() or process.poll() is not None, f"{begun} is there", 60)
    process.send_signal(number)
    sent = time.monotonic()
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert "Traceback" not in errors
    return out, errors, time.monotonic() - sent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ingest_commits_what_was_read_and_ends(archive: Archive, many: Path, number: signal.Signals) -> None:
    out, errors, seconds = interrupted(
        archive, number, "ingest", many, "--workers", 2, begun=archive.data / "lake/archive/files"
    )
    assert "stopping" in errors
    accepted = counts(out)[0]
    assert 0 < accepted == files_held(archive) <= 1100
    assert seconds < 30
    again = counts(archive.run("ingest", many))
    assert again == (1100 - accepted, accepted, 0, 0)
    assert archive.run("quarantine", "list").splitlines()[-1] == "0 quarantined"


def test_a_signal_to_the_whole_group_spoils_no_file(archive: Archive, many: Path) -> None:
    process = archive.start("ingest", many, "--workers", 2)
    wait_until((archive.data / "lake/archive/files").exists, "a batch is begun", 60)

    os.killpg(process.pid, signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert counts(out)[3] == 0
    assert counts(out)[0] == files_held(archive)


def test_load_ends_between_batches(archive: Archive, rows: Path) -> None:
    out, _, seconds = interrupted(
        archive, signal.SIGTERM, "load", rows, "--table", "ivoa.obscore", begun=archive.data / "lake/ivoa"
    )
    accepted = counts(out)[0]
    assert accepted == rows_held(archive, "ivoa.ObsCore") < 400_000
    assert seconds < 30
    assert counts(archive.run("load", rows, "--table", "ivoa.obscore")) == (
        400_000 - accepted,
        accepted,
        0,
        0,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_publish_is_all_or_nothing(archive: Archive, rows: Path, number: signal.Signals) -> None:
    out, _, _ = interrupted(
        archive, number, "publish", rows, "--table", "mine.objects", begun=archive.data / "lake/mine"
    )
    assert counts(out) == (0, 0, 0, 0)
    assert "mine.objects" not in Lake(archive.data / "lake", load_schemas()).published()
    assert counts(archive.run("publish", rows, "--table", "mine.objects"))[0] == 400_000


def test_a_summary_and_the_last_line_are_in_the_same_words() -> None:
    assert COUNTS.match(Summary().line())
