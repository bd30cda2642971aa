"""What the ledger names survives a loss of power, and what it does not name is taken back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from schemas import Schemas, Table
from store.lake import Lake, compact
from store.lake import durable as module
from store.lake.ledger import FOLDER, Ledger
from store.lake.upkeep import clean_logs

Rows = Callable[..., pa.Table]


class Disk:
    """What has been flushed, and what is new since it was last looked at."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.flushed: set[Path] = set()
        self.before: set[Path] = set()
        self.missing: list[set[Path]] = []
        flush, enter = module._flush, Ledger._write

        def noted(path: Path) -> None:
            flush(path)
            self.flushed.add(path)

        def entered(*arguments: object) -> None:
            self.missing.append({path for path in self.unflushed() if FOLDER not in path.parts})
            enter(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(module, "_flush", noted)
        monkeypatch.setattr(Ledger, "_write", entered)

    def unflushed(self) -> set[Path]:
        """Return what is new and not on disk, and folders whose new names are not."""
        new = self._present() - self.before
        return (new | {path.parent for path in new if path.parent != self.root.parent}) - self.flushed

    def look(self) -> None:
        """Take all there is for old."""
        self.before, self.missing = self._present(), []
        self.flushed.clear()

    def _present(self) -> set[Path]:
        ours = {"_lease", "_loading"}
        return {path for path in self.root.rglob("*") if path.name not in ours and path.suffix != ".crc"}


@pytest.fixture
def disk(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Disk:
    lake.root.mkdir()
    return Disk(lake.root, monkeypatch)


def appended(lake: Lake, files: Rows, *names: str) -> None:
    with lake.writer("test") as writer:
        writer.append("archive.files", files(names))
        writer.append("phase3v2.provenance", pa.table({"product": names, "source": range(len(names))}))
        writer.commit()


def replaced(lake: Lake, files: Rows) -> None:
    with lake.writer("test") as writer:
        writer.replace("archive.files", files(["a"], size=9))
        writer.commit()


def published(lake: Lake, catalogue: Table) -> None:
    with lake.writer("test") as writer:
        writer.declare(catalogue)
        writer.append(catalogue.name, pa.table({"id": [1], "mag": [1.0]}))
        writer.commit()


def taken_back(lake: Lake, files: Rows) -> None:
    with lake.writer("test") as writer:
        writer.append("archive.files", files(["lost"]))


def test_what_a_batch_wrote_is_on_disk_before_the_ledger_names_it(
    lake: Lake, disk: Disk, files: Rows, catalogue: Table
) -> None:
    works: tuple[Callable[[], object], ...] = (
        lambda: appended(lake, files, "a", "b"),
        lambda: appended(lake, files, "c", "d"),
        lambda: replaced(lake, files),
        lambda: published(lake, catalogue),
        lambda: taken_back(lake, files),
        lambda: compact(lake),
    )
    for work in works:
        disk.look()
        work()
        assert disk.missing == [set()]
        assert disk.unflushed() == set()


def test_checkpoints_are_on_disk_before_what_they_replace_is_deleted(
    lake: Lake, disk: Disk, files: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        appended(lake, files, name)
    disk.look()
    unlink = Path.unlink

    def checked(path: Path, **named: bool) -> None:
        assert not {new for new in disk.unflushed() if "_delta_log" in new.parts and new.is_file()}
        unlink(path, **named)

    monkeypatch.setattr(Path, "unlink", checked)
    assert clean_logs(lake, 3) > 0
    assert list(lake.root.rglob("*.checkpoint.parquet"))


class PowerLoss(BaseException):
    """No clean-up of ours runs after it."""


def losing_power(monkeypatch: pytest.MonkeyPatch, at: str, work: Callable[[], None]) -> None:
    """Lose power before anything is flushed, before the ledger's row is written, or right after."""
    with monkeypatch.context() as patch:
        enter = Ledger._write

        def dying(*arguments: object, **_: object) -> None:
            if at == "after the row":
                enter(*arguments)  # type: ignore[arg-type]
            raise PowerLoss

        patch.setattr(*((module, "flush") if at == "before all" else (Ledger, "_write")), dying)
        # Nobody is left to take the batch back.
        patch.setattr("store.lake.lake.repair", lambda _: None)
        with pytest.raises(PowerLoss):
            work()


def tear(paths: set[Path], left: float) -> bool:
    """Leave a part of each file; return whether there was any."""
    files = [path for path in paths if path.is_file()]
    for path in files:
        os.truncate(path, int(path.stat().st_size * left))
    return bool(files)


@pytest.fixture
def reopened(lake: Lake, declared: Schemas) -> Callable[[], Lake]:
    return lambda: Lake(lake.root, declared)


@pytest.mark.parametrize("left", [0.0, 0.5])
@pytest.mark.parametrize("at", ["before all", "before the row", "after the row"])
@pytest.mark.parametrize("rows_before", [0, 2])
def test_a_batch_that_lost_power_never_was(
    *,
    lake: Lake,
    disk: Disk,
    files: Rows,
    reopened: Callable[[], Lake],
    monkeypatch: pytest.MonkeyPatch,
    at: str,
    left: float,
    rows_before: int,
) -> None:
    for number in range(rows_before):
        appended(lake, files, f"old {number}")
    disk.look()
    losing_power(monkeypatch, at, lambda: appended(lake, files, "lost"))
    assert tear(disk.unflushed(), left) == (at != "before the row")
    again = reopened()
    assert again.version() == rows_before
    assert again.read("archive.files").num_rows == rows_before
    assert len(list(again.ledger.history())) == rows_before
    appended(again, files, "new")
    found = reopened().read("archive.files")["dp_id"].to_pylist()
    assert sorted(found) == ["new", *(f"old {number}" for number in range(rows_before))]
    assert reopened().read("phase3v2.provenance").num_rows == rows_before + 1
