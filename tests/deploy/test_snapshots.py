"""Snapshots are taken while rows come and restored as the pages say; without one the lake makes the index."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

import httpx
import pytest

from schemas import load_schemas
from store.elastic import Cluster, version_in
from store.lake import Lake
from store.port import EngineAway
from tests.support.compose import ROOT
from tests.support.engines import elastic_settings, elasticsearch
from tests.support.processes import Archive, kill_group, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DEPLOY = ROOT / "deploy/elasticsearch"
PART = 300


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("snapshots") / "data", elastic_settings())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The node, with the repository that the deployment declares."""
    node = elasticsearch()
    body = json.loads((DEPLOY / "snapshots.json").read_text())
    body["settings"]["location"] = str(node.folder / "repo")
    httpx.put(f"{node.url}/_snapshot/onedfs", json=body, timeout=60).raise_for_status()
    yield node.url
    httpx.delete(f"{node.url}/_snapshot/onedfs", timeout=60)


@pytest.fixture(scope="module")
def load(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], None]:
    folder = tmp_path_factory.mktemp("rows")

    def part(number: int) -> None:
        lines = ["dp_id,obs_collection,obs_id,calib_level,s_ra,s_dec"]
        lines += [f"R{number}.{n},night,O{n},2,{n},{number}" for n in range(PART)]
        path = folder / f"{number}.csv"
        path.write_text("\n".join(lines) + "\n")
        archive.run("load", path, "--table", "ivoa.ObsCore", "--workers", 0, "--no-wait")

    return part


@contextmanager
def following(archive: Archive) -> Iterator[None]:
    """Keep a follower running for as long as the context lasts."""
    process = archive.start("index", "follow", log=archive.data.with_name("follower.log"))
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except TimeoutExpired:
            kill_group(process)


def shows_all(archive: Archive) -> bool:
    cluster = Cluster((archive.settings["ONEDFS_ELASTICSEARCH_URL"],), prefix=prefix(archive))
    # A shard that has just been made or restored does not answer yet.
    with suppress(EngineAway):
        return version_in(cluster) == Lake(archive.data / "lake", load_schemas()).version()
    return False


def problems(archive: Archive) -> list[object]:
    found: list[object] = json.loads(archive.call("check", "--json").stdout)["problems"]
    return found


def take(archive: Archive, url: str, name: str) -> None:
    """Take a snapshot as the nightly policy does."""
    config = json.loads((DEPLOY / "nightly.json").read_text())["config"]
    config["indices"] = [f"{prefix(archive)}-*"]
    asked = f"{url}/_snapshot/onedfs/{name}?wait_for_completion=true"
    taken = httpx.put(asked, json=config, timeout=60).raise_for_status().json()["snapshot"]
    assert (taken["state"], taken["shards"]["failed"]) == ("SUCCESS", 0)


def restore(archive: Archive, url: str, tmp_path: Path, *words: str) -> CompletedProcess[str]:
    certificates = tmp_path / "made/certificates"
    certificates.mkdir(parents=True, exist_ok=True)
    (certificates / "elastic_password").write_text("not asked for here")
    places = {"MADE": str(tmp_path / "made"), "ELASTICSEARCH": url, "PREFIX": prefix(archive)}
    return subprocess.run(
        ["bash", DEPLOY / "restore.sh", *words],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=False,
    )


def prefix(archive: Archive) -> str:
    return archive.settings["ONEDFS_ELASTICSEARCH_PREFIX"]


def indices(archive: Archive, url: str) -> list[str]:
    return httpx.get(f"{url}/_cat/indices/{prefix(archive)}-*?h=index", timeout=60).text.split()


def test_what_is_lost_is_restored_and_followed_on(
    archive: Archive, url: str, load: Callable[[int], None], tmp_path: Path
) -> None:
    with following(archive):
        load(0)
        wait_until(lambda: shows_all(archive), "the first rows are shown", 60)
        take(archive, url, "quiet")
        coming = threading.Thread(target=load, args=(1,))
        coming.start()
        wait_until(lambda: not shows_all(archive) or not coming.is_alive(), "more rows come", 60)
        take(archive, url, "busy")
        coming.join()
        wait_until(lambda: shows_all(archive), "all rows are shown", 60)
    for index in indices(archive, url):
        httpx.delete(f"{url}/{index}", timeout=60).raise_for_status()

    refused = restore(archive, url, tmp_path, "never-taken")
    assert (refused.returncode, refused.stderr) == (1, "no complete snapshot is named never-taken\n")
    done = restore(archive, url, tmp_path, "quiet")
    assert (done.returncode, done.stdout) == (0, "restored quiet\n"), done.stderr
    assert not shows_all(archive)
    before = set(indices(archive, url))
    with following(archive):
        wait_until(lambda: shows_all(archive), "the follower goes on", 60)
    assert before <= set(indices(archive, url))
    assert problems(archive) == []

    # The last snapshot may hold a part of a version: the check finds it, and a rebuild ends it.
    done = restore(archive, url, tmp_path)
    assert (done.returncode, done.stdout) == (0, "restored busy\n"), done.stderr
    with following(archive):
        wait_until(lambda: shows_all(archive), "the follower goes on", 60)
        if problems(archive):
            archive.run("index", "rebuild")
            assert problems(archive) == []


def test_without_a_snapshot_the_lake_makes_the_index(
    archive: Archive, url: str, load: Callable[[int], None]
) -> None:
    load(0)
    for index in indices(archive, url):
        httpx.delete(f"{url}/{index}", timeout=60).raise_for_status()
    with following(archive):
        wait_until(lambda: shows_all(archive), "the index is there again", 60)
    assert problems(archive) == []
