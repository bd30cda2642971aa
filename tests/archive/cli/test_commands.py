"""The command line, run in this process: last lines, exit codes, one-line errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from astropy.io import fits
from typer.main import get_command

from archive.cli import app, main
from archive.settings import load_settings
from archive.stores import open_lake

if TYPE_CHECKING:
    from collections.abc import Callable


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run ``onedfs`` on an empty data folder."""
    monkeypatch.setenv("ONEDFS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("ONEDFS_AUTHORITY", raising=False)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["onedfs", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two images and something that is none."""
    folder = tmp_path / "night"
    folder.mkdir()
    for number in range(2):
        image = fits.PrimaryHDU(np.full((4, 4), number, np.int16))
        image.header["OBJECT"] = f"NGC {number}"
        image.writeto(folder / f"image-{number}.fits")
    (folder / "broken.fits").write_bytes(b"SIMPLE  = no")
    return folder


def test_a_run_ends_with_its_counts(run: Callable[..., Ended], files: Path) -> None:
    first = run("ingest", files, "--workers", 0)
    assert (first.code, first.last) == (0, "accepted 2, unchanged 0, replaced 0, quarantined 1")
    again = run("ingest", files, "--workers", 0)
    assert again.last.startswith("accepted 0, unchanged 2, replaced 0, ")


def test_strict_ends_with_3_when_something_was_quarantined(run: Callable[..., Ended], files: Path) -> None:
    assert run("ingest", files, "--strict", "--workers", 0).code == 3
    (files / "broken.fits").unlink()
    assert run("ingest", files, "--strict", "--workers", 0).code == 0


def test_json_is_all_that_is_printed(run: Callable[..., Ended], files: Path) -> None:
    document = json.loads(run("ingest", files, "--json", "--workers", 0).out)
    assert (document["accepted"], document["quarantined"], document["visible"]) == (2, 1, None)
    assert json.loads(run("status", "--json").out)["tables"]["ivoa.ObsCore"] == 2
    assert json.loads(run("index", "status", "--json").out)["lake_version"] == document["version"]
    assert [item["path"] for item in json.loads(run("quarantine", "list", "--json").out)] == ["broken.fits"]


def test_mended_files_leave_the_quarantine(run: Callable[..., Ended], files: Path) -> None:
    run("ingest", files, "--workers", 0)
    assert run("quarantine", "retry").last == "accepted 0, unchanged 0, replaced 0, quarantined 1"
    (files / "broken.fits").write_bytes((files / "image-0.fits").read_bytes().replace(b"NGC 0", b"NGC 9"))
    assert run("quarantine", "retry").last == "accepted 1, unchanged 0, replaced 0, quarantined 0"
    assert run("quarantine", "list").last == "0 quarantined"


def test_files_are_withheld_where_a_release_date_is_required(
    run: Callable[..., Ended], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rights() -> list[str | None]:
        rows = open_lake(load_settings()).read("archive.files", columns=["rights"])
        found: list[str | None] = rows["rights"].to_pylist()
        return found

    monkeypatch.setenv("ONEDFS_RELEASE_REQUIRED", "dawn, night")
    run("ingest", files, "--workers", 0)
    (files / "broken.fits").write_bytes((files / "image-0.fits").read_bytes().replace(b"NGC 0", b"NGC 9"))
    run("quarantine", "retry")
    assert rights() == ["proprietary"] * 3
    held = open_lake(load_settings()).read("archive.files", columns=["dp_id"])["dp_id"].to_pylist()
    assert run("set-release", *held, "public").last == "changed 3, unchanged 0, unknown 0"
    assert rights() == [None] * 3


def test_unknown_ids_are_told(run: Callable[..., Ended], files: Path) -> None:
    run("ingest", files, "--workers", 0)
    ended = run("withdraw", "no-such-id", "--reason", "x")
    assert (ended.code, ended.last) == (1, "withdrawn 0, unchanged 0, unknown 1")
    assert ended.err == "onedfs: there is no file no-such-id\n"
    assert run("set-release", "no-such-id", "2030-01-01").code == 1
    assert run("set-release", "no-such-id", "soon").code == 2


def test_the_quarantine_says_why(run: Callable[..., Ended], files: Path) -> None:
    run("ingest", files, "--workers", 0)
    listed = run("quarantine", "list")
    assert listed.last == "1 quarantined"
    assert "broken.fits" in listed.out
    number = re.findall(r"^(\d+) ", listed.out, re.MULTILINE)[0]
    shown = run("quarantine", "show", number)
    assert re.search(r"^reason +\S+", shown.out, re.MULTILINE)
    assert run("quarantine", "show", 999).err == (
        "onedfs: there is no quarantined file 999; see: onedfs quarantine list\n"
    )


def test_copied_files_are_checked_by_their_bytes(
    run: Callable[..., Ended], files: Path, tmp_path: Path
) -> None:
    run("ingest", files, "--copy", "--workers", 0)
    run("index", "rebuild")
    assert run("check").last == "checked 2 files, 0 problems"
    held = next(path for path in (tmp_path / "data/files").rglob("*") if path.is_file())
    held.chmod(0o644)
    held.write_bytes(held.read_bytes()[:-1] + b"x")
    found = run("check")
    assert (found.code, found.last) == (1, "checked 2 files, 1 problem")
    assert run("check", "--quick").code == 0
    held.unlink()
    assert "is missing" in run("check").out
    held.with_name("stray").touch()
    assert "belongs to no row" in run("check").out


def test_referenced_files_are_checked_by_size_and_time(run: Callable[..., Ended], files: Path) -> None:
    run("ingest", files, "--workers", 0)
    run("index", "rebuild")
    assert run("check", "--quick").code == 0
    (files / "image-0.fits").touch()
    document = json.loads(run("check", "--json").out)
    assert [problem["code"] for problem in document["problems"]] == ["changed"]


def test_a_table_is_loaded_and_a_catalogue_published(run: Callable[..., Ended], tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "dp_id,obs_collection,obs_id,calib_level,s_ra,s_dec\nA,x,1,2,10,20\nB,x,2,2,11,21\nC,x,3,2,12,210\n"
    )
    loaded = run("load", rows, "--table", "ivoa.obscore", "--workers", 0)
    assert loaded.last == "accepted 2, unchanged 0, replaced 0, quarantined 1"
    stars = tmp_path / "stars.csv"
    stars.write_text("name,ra,dec\nSirius,101.287,-16.716\nVega,279.234,38.784\n")
    published = run("publish", stars, "--table", "catalogues.stars", "--title", "Bright stars")
    assert published.last.startswith("accepted 2,")
    assert json.loads(run("status", "--json").out)["tables"]["catalogues.stars"] == 2
    assert run("unpublish", "catalogues.stars").code == 0
    assert "catalogues.stars" not in run("status").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["ingest"],
        ["no-such-command"],
        ["ingest", ".", "--copy", "--move"],
        ["load", "x.csv"],
        ["serve", "--port", "99999"],
        ["serve", "--workers", "0"],
        ["lake", "vacuum", "--keep-hours", "-1"],
        ["quarantine", "show", "abc"],
    ],
)
def test_wrong_usage_ends_with_2(run: Callable[..., Ended], arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ingest", "/no/such/folder"], "/no/such/folder"),
        (["load", "/no/such.csv", "--table", "ivoa.obscore"], "no/such.csv"),
        (["load", "{here}", "--table", "no.such"], "no.such"),
        (["publish", "/no/such.csv", "--table", "catalogues.x"], "no/such.csv"),
        (["unpublish", "catalogues.none"], "catalogues.none"),
    ],
)
def test_a_failure_is_one_line_and_ends_with_1(
    run: Callable[..., Ended], tmp_path: Path, arguments: list[str], message: str
) -> None:
    here = tmp_path / "rows.csv"
    here.write_text("a\n1\n")
    ended = run(*(argument.format(here=here) for argument in arguments))
    assert ended.code == 1
    assert ended.err.startswith("onedfs: ")
    assert ended.err.count("\n") == 1
    assert message in ended.err


def test_a_wrong_setting_is_one_line(run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDFS_PUBLIC_URL", "nowhere")
    ended = run("status")
    assert (ended.code, ended.err) == (
        1,
        "onedfs: ONEDFS_PUBLIC_URL: expected http(s)://host[:port][/path]\n",
    )


def test_settings_show_their_source_and_unknown_ones(
    run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {row["name"]: row for row in json.loads(run("settings", "--json").out)}
    assert rows["ONEDFS_DATA"]["source"] == "environment"
    assert rows["ONEDFS_QUERY_SECONDS"]["source"] == "default"
    monkeypatch.setenv("ONEDFS_QUERY_SECOND", "5")
    ended = run("settings")
    assert ended.code == 1
    assert ended.err == "onedfs: there is no setting ONEDFS_QUERY_SECOND; is it ONEDFS_QUERY_SECONDS?\n"


def test_the_authority_changes_only_on_request(
    run: Callable[..., Ended], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ingest", files, "--workers", 0)
    monkeypatch.setenv("ONEDFS_AUTHORITY", "new.example")
    refused = run("ingest", files, "--workers", 0)
    assert refused.code == 1
    assert "onedfs migrate --authority new.example" in refused.err
    assert run("migrate", "--authority", "not one <").code == 2
    assert run("migrate", "--authority", "new.example").code == 0
    assert run("ingest", files, "--workers", 0).code == 0


def test_the_lake_is_kept_small(run: Callable[..., Ended], files: Path) -> None:
    for name in ("one", "two", "three"):
        run("ingest", files, "--collection", name, "--workers", 0)
    assert run("lake", "compact").code == 0
    removed = run("lake", "vacuum", "--keep-hours", 0)
    assert removed.code == 0
    assert int(re.findall(r"removed (\d+) file", removed.out)[0]) > 0
    assert run("index", "rebuild").code == 0
    assert run("check").code == 0


def test_names_of_files_do_not_reach_the_terminal_as_they_are(run: Callable[..., Ended], files: Path) -> None:
    (files / "broken.fits").rename(files / "bro\x1b[31m\nken.fits")
    run("ingest", files, "--workers", 0)
    listed = run("quarantine", "list").out
    assert r"bro\x1b[31m\nken.fits" in listed
    assert "\x1b" not in listed + run("quarantine", "show", 1).out
    assert "\x1b" not in run("withdraw", "no\x1b[31m", "--reason", "x").err


def test_every_command_and_option_has_help() -> None:
    def missing(command: object, path: str) -> list[str]:
        found = [] if getattr(command, "help", None) else [path]
        for name, inner in getattr(command, "commands", {}).items():
            found += missing(inner, f"{path} {name}")
        for option in getattr(command, "params", []):
            if not getattr(option, "help", None):
                found.append(f"{path} {option.name}")
        return found

    assert missing(get_command(app), "onedfs") == []


def test_bytes_of_replaced_revisions_stay_until_vacuum(
    run: Callable[..., Ended], files: Path, tmp_path: Path
) -> None:
    run("ingest", files, "--copy", "--workers", 0)
    changed = files / "image-0.fits"
    changed.write_bytes(changed.read_bytes().replace(b"NGC 0", b"NGC 7"))
    assert "replaced 1" in run("ingest", files, "--copy", "--workers", 0).last
    run("index", "rebuild")
    checked = run("check")
    assert (checked.code, checked.last) == (0, "checked 2 files, 0 problems")
    assert checked.err == "1 file of replaced revisions; onedfs lake vacuum removes them\n"
    run("lake", "vacuum")
    assert json.loads(run("check", "--json").out)["unused"] == 1
    run("lake", "vacuum", "--keep-hours", 0)
    assert json.loads(run("check", "--json").out)["unused"] == 0
    (tmp_path / "data/files/notes.txt").write_text("mine")
    assert run("check").code == 1


def test_a_data_folder_that_cannot_be_written_is_read(
    run: Callable[..., Ended], files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ingest", files, "--workers", 0)
    run("index", "rebuild")
    monkeypatch.setattr("os.access", lambda *_: False)
    for reading in ("status", "check", "settings", "index status", "quarantine list", "quarantine show 1"):
        assert run(*reading.split(), "--json").code == 0, reading
    assert "broken.fits" in run("quarantine", "list").out
    for changing in (f"ingest {files}", "unpublish a.b", "withdraw x --reason y", "lake compact", "migrate"):
        ended = run(*changing.split())
        assert ended.code == 1
        (line,) = ended.err.splitlines()
        assert line.startswith(f"onedfs: the data folder {tmp_path / 'data'} cannot be written; ")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["ingest", ""], 2),
        (["ingest", ".", "--collection", " "], 2),
        (["ingest", ".", "--copy", "--move"], 2),
        (["ingest", "no/such"], 1),
        (["load", "no.csv", "--table", "ivoa.obscore"], 1),
        (["load", ".", "--table", "ivoa.obscore"], 1),
        (["publish", ".", "--table", "my.cat"], 1),
        (["publish", "x", "--table", "my.select"], 1),
        (["unpublish", "my.none"], 1),
        (["withdraw", "x", "--reason", ""], 1),
        (["set-release", "x", "1e400"], 2),
        (["quarantine", "show", "9" * 30], 2),
        (["quarantine", "retry", "5"], 1),
        (["lake", "vacuum", "--keep-hours", "inf"], 2),
        (["lake", "vacuum", "--keep-hours", "nan"], 2),
        (["serve", "--workers", "0"], 2),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_few_words(
    run: Callable[..., Ended], words: list[str], code: int
) -> None:
    ended = run(*words)
    assert ended.code == code, ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert "http" not in ended.err
    assert len(ended.err.splitlines()) == (1 if code == 1 else 4)


@pytest.mark.parametrize(("name", "value"), [("DATA", __file__), ("SITE", "/no/such"), ("MOST_ROWS", "many")])
def test_a_setting_that_cannot_be_is_named(
    run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ONEDFS_{name}", value)
    ended = run("status")
    assert ended.code == 1
    assert ended.err.startswith(f"onedfs: ONEDFS_{name}: ")
