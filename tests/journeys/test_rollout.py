"""On Elasticsearch: a changed declaration rolls out while searches run; refused rows stop nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.digests import tap
from tests.support.engines import elastic_settings, elasticsearch
from tests.support.processes import Archive, Server, wait_until
from tests.support.tables import SURVEY

pytestmark = pytest.mark.slow

SITE = SURVEY + "      - {name: star, kind: text, principal: true, description: Name of the star UCD}\n"
BEFORE = SITE.replace(" UCD}", "}")
AFTER = (
    SITE.replace("description: Name of the star UCD}", "ucd: meta.id;src, description: Name of the star}")
    + "      - {name: mag, kind: double, principal: true, description: Magnitude}\n"
)
"""A column more, and one of which the index keeps more than it did."""

QUERY = "SELECT id FROM survey.stars WHERE id >= 40"


def site(folder: Path, text: str) -> str:
    (folder / "schemas").mkdir(parents=True)
    (folder / "schemas" / "survey.yaml").write_text(text)
    return str(folder)


def stars(path: Path, numbers: range, **more: object) -> Path:
    lines = [",".join(["id", "star", *more])]
    lines += [",".join([str(n), f"NGC {n}", *map(str, more.values())]) for n in numbers]
    path.write_text("\n".join(lines) + "\n")
    return path


def found(server: Server) -> set[int]:
    return {int(row["id"]) for row in tap(server.url, QUERY)}


@contextmanager
def asked_all_the_time(server: Server, least: set[int]) -> Iterator[None]:
    """Ask while the context lasts and until two more answers; all must have these rows at least."""
    stop, answers, failures = threading.Event(), list[set[int]](), list[str]()

    def ask() -> None:
        while not stop.wait(0.02):
            try:
                answers.append(found(server))
            except (httpx.HTTPError, AssertionError) as error:
                failures.append(repr(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
        # The first answer to come may be to a question that was asked before.
        enough = len(answers) + 2
        wait_until(lambda: len(answers) >= enough or failures, "it was asked to the end", 60)
    finally:
        stop.set()
        thread.join(60)
    assert failures == []
    assert all(answer >= least for answer in answers)


def index_of(archive: Archive, table: str) -> str:
    """The index behind a table's alias."""
    alias = f"{archive.settings['ONEDFS_ELASTICSEARCH_PREFIX']}-{table.replace('.', '-')}"
    [name] = httpx.get(f"{elasticsearch().url}/_alias/{alias}").json()
    return str(name)


def test_a_changed_declaration_rolls_out_without_downtime(tmp_path: Path) -> None:
    settings = elastic_settings()
    old = Archive(tmp_path / "data", {**settings, "ONEDFS_SITE": site(tmp_path / "old", BEFORE)})
    new = Archive(tmp_path / "data", {**settings, "ONEDFS_SITE": site(tmp_path / "new", AFTER)})
    with old.server() as first:
        old.run("load", stars(tmp_path / "a.csv", range(50)), "--table", "survey.stars")
        before = index_of(old, "survey.stars")
        with new.server() as second, asked_all_the_time(second, set(range(40, 50))):
            with asked_all_the_time(first, set(range(40, 50))):
                new.run("load", stars(tmp_path / "b.csv", range(50, 60), mag=7.5), "--table", "survey.stars")
            assert first.stop() == 0
            wait_until(lambda: index_of(new, "survey.stars") != before, "it is written anew", 90)
            assert json.loads(new.run("check", "--json"))["problems"] == []
            assert found(second) == set(range(40, 60))
            faint = tap(second.url, "SELECT id FROM survey.stars WHERE mag > 7")
            assert {int(row["id"]) for row in faint} == set(range(50, 60))
    new.wait_quiet()


def test_refused_rows_are_in_quarantine_and_answered_from_the_lake(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "data", {**elastic_settings(), "ONEDFS_SITE": site(tmp_path / "s", BEFORE)})
    with archive.server() as server:
        archive.run("load", stars(tmp_path / "a.csv", range(45)), "--table", "survey.stars")
        refuse = f"{elasticsearch().url}/{index_of(archive, 'survey.stars')}/_settings"
        httpx.put(refuse, json={"index.default_pipeline": "nobody-has-it"}).raise_for_status()
        archive.run("load", stars(tmp_path / "b.csv", range(45, 48)), "--table", "survey.stars")
        httpx.put(refuse, json={"index.default_pipeline": None}).raise_for_status()
        archive.run("load", stars(tmp_path / "c.csv", range(48, 50)), "--table", "survey.stars")
        assert found(server) == set(range(40, 50))
        entries = json.loads(archive.run("quarantine", "list", "--json"))
        assert {(e["collection"], e["path"], e["tries"]) for e in entries} == {
            ("survey.stars", str(number), 1) for number in range(45, 48)
        }
        assert all("nobody-has-it" in entry["reason"] for entry in entries)
        assert json.loads(archive.run("check", "--json"))["problems"] == []
        archive.run("index", "rebuild")
        assert json.loads(archive.run("quarantine", "list", "--json")) == []
        assert found(server) == set(range(40, 50))
    archive.wait_quiet()


def test_an_index_that_outgrew_its_shards_is_told_and_divided_anew(tmp_path: Path) -> None:
    more = {"ONEDFS_ELASTICSEARCH_ROWS_PER_SHARD": "1000", "ONEDFS_SITE": site(tmp_path / "s", BEFORE)}
    archive = Archive(tmp_path / "data", {**elastic_settings(), **more})
    archive.run("load", stars(tmp_path / "a.csv", range(900)), "--table", "survey.stars")
    archive.run("index", "rebuild")
    archive.run("load", stars(tmp_path / "b.csv", range(900, 2100)), "--table", "survey.stars")
    with archive.server() as server:
        wait_until(lambda: len(found(server)) == 2060, "it is served", 60)
        (advice,) = json.loads(archive.run("index", "status", "--json"))["advice"]
        assert advice == (
            "survey.stars has 2,100 rows in 1 shard, meant for 1,000 each: onedfs index rebuild gives it 3"
        )
        assert advice in archive.run("index", "status").splitlines()
        archive.run("index", "rebuild")
        assert json.loads(archive.run("index", "status", "--json"))["advice"] == []
        assert len(found(server)) == 2060
    archive.wait_quiet()
    wrong = Archive(tmp_path / "data", {**archive.settings, "ONEDFS_ELASTICSEARCH_URL": server.url})
    for command in (["check", "--quick"], ["index", "rebuild"]):
        done = wrong.call(*command)
        assert done.returncode == 1
        assert done.stderr == "onedfs: Elasticsearch does not answer: Connection refused\n"
