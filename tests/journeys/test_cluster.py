"""Three nodes of Elasticsearch, two servers with a follower each: any of them may go, no answer is wrong."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas import load_schemas
from store.lake import Lake
from tests.support.elasticsearch.cluster import Node, cluster, wait_green
from tests.support.processes import Archive, Server, kill_group, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PART = 400
"""Rows of each load."""

TABLE = "ivoa.ObsCore"
CONE = (120.0, -30.0, 40.0)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with cluster(tmp_path_factory.mktemp("nodes"), 3) as running:
        yield running


@pytest.fixture(scope="module")
def archive(nodes: list[Node], tmp_path_factory: pytest.TempPathFactory) -> Archive:
    urls = ",".join(node.url for node in nodes)
    return Archive(tmp_path_factory.mktemp("large") / "data", {"ONEDFS_ELASTICSEARCH_URL": urls})


@pytest.fixture(scope="module")
def load(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Load another part of the rows; returns what the command said besides its result."""
    folder, draw, parts = tmp_path_factory.mktemp("rows"), random.Random(11), iter(range(1000))

    def part(*options: object) -> str:
        number = next(parts)
        path = folder / f"{number}.parquet"
        rows = [_row(number * PART + one, draw) for one in range(PART)]
        pq.write_table(pa.Table.from_pylist(rows), path)
        done = archive.call("load", path, "--table", TABLE, *options, seconds=240)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].startswith(f"accepted {PART},")
        return done.stderr

    return part


def _row(number: int, draw: random.Random) -> dict[str, object]:
    ra, dec = draw.uniform(0, 360), np.degrees(np.arcsin(draw.uniform(-1, 1)))
    return {
        "dp_id": f"ROW.{number}",
        "obs_publisher_did": f"ivo://other.example/?ROW.{number}",
        "obs_collection": "other",
        "obs_id": f"run {number // 3}",
        "calib_level": 2,
        "dataproduct_type": "image",
        "instrument_name": draw.choice(["MUSE", "ISAAC", None]),
        "s_ra": ra,
        "s_dec": float(dec),
        "s_region": f"CIRCLE ICRS {ra} {dec} 0.05",
        "t_min": 50000.0 + number,
    }


@pytest.fixture(scope="module")
def servers(archive: Archive, load: Callable[..., str]) -> Iterator[list[Server]]:
    """Two servers on one lake and one cluster, each with a follower, from before the first row."""
    running: list[Server] = []
    try:
        running += [archive.start_server() for _ in range(2)]
        for server in running:
            server.wait_ready()
        load()
        yield running
    finally:
        for server in running:
            with suppress(Exception):
                server.stop()
            kill_group(server.process)
    archive.wait_quiet()


Rows = list[tuple[str, ...]]

_CIRCLE = f"CIRCLE({CONE[0]}, {CONE[1]}, {CONE[2]})"
QUESTIONS = {
    "count": f"SELECT COUNT(*) AS n FROM {TABLE}",
    "cone": f"SELECT dp_id FROM {TABLE} WHERE 1 = CONTAINS(POINT(s_ra, s_dec), {_CIRCLE})",
    "footprints": f"SELECT dp_id FROM {TABLE} WHERE 1 = INTERSECTS(s_region, {_CIRCLE})",
    "groups": f"SELECT instrument_name, COUNT(*) AS n FROM {TABLE} GROUP BY instrument_name",
    "first": f"SELECT TOP 5 dp_id FROM {TABLE} WHERE instrument_name = 'MUSE' ORDER BY t_min DESC",
}


@dataclass
class Asker:
    """Asks servers again and again while a test does what it does, and remembers what they said."""

    servers: list[Server]
    said: list[tuple[str, int, Rows]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    longest: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, server: Server, name: str) -> None:
        began = time.monotonic()
        form = {"LANG": "ADQL", "QUERY": QUESTIONS[name], "RESPONSEFORMAT": "votable/td", "MAXREC": "100000"}
        try:
            answer = httpx.post(f"{server.url}/tap/sync", data=form, timeout=90)
        except httpx.TransportError as error:
            self.refused.append(f"{name}: {error!r}")
            return
        self.longest = max(self.longest, time.monotonic() - began)
        if answer.status_code != 200:
            self.refused.append(f"{name}: {answer.status_code} {answer.text[:500]}")
            return
        version = re.search(r'name="lake_version"[^>]* value="(\d+)"', answer.text)
        assert version, answer.text[:2000]
        rows = re.findall(r"<TR>(.*?)</TR>", answer.text, re.DOTALL)
        self.said.append(
            (name, int(version[1]), sorted(tuple(re.findall(r"<TD>(.*?)</TD>|<TD/>", r)) for r in rows))
        )

    def _forever(self, first: int) -> None:
        names, number = list(QUESTIONS), first
        while not self.stop.is_set():
            self.ask(self.servers[number % len(self.servers)], names[number // 2 % len(names)])
            number += 1
            self.stop.wait(0.1)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask from two threads for as long as the context lasts, and until every question was asked twice."""
        threads = [threading.Thread(target=self._forever, args=(first,)) for first in (0, 5)]
        for thread in threads:
            thread.start()
        try:
            yield
            self.until(lambda: len(self.said) >= 2 * len(QUESTIONS), "there are answers to all questions")
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(100)

    def until(self, met: Callable[[], bool], what: str) -> None:
        """Go on until something is met, or a question was refused, which is told at the end."""
        wait_until(lambda: met() or self.refused, what, 120)

    def versions(self) -> set[int]:
        """Return the versions that answers named."""
        return {version for _, version, _ in list(self.said)}

    def was_answered_rightly(self, archive: Archive) -> None:
        """Every question got its answer, and each answer is that of the version it names."""
        assert self.refused == []
        lake = Lake(archive.data / "lake", load_schemas())
        known: dict[tuple[str, int], Rows] = {}
        for name, version, rows in self.said:
            if (name, version) not in known:
                known[name, version] = computed(lake.read(TABLE, version), name)
            assert rows == known[name, version], f"{name} at version {version}"


def computed(held: pa.Table, name: str) -> Rows:
    """What a question should be answered by, from all rows."""
    rows = held.to_pylist()
    if name == "count":
        return [(str(len(rows)),)]
    if name == "groups":
        instruments = [row["instrument_name"] or "" for row in rows]
        return sorted((one, str(instruments.count(one))) for one in set(instruments))
    if name == "first":
        muse = sorted(
            (row for row in rows if row["instrument_name"] == "MUSE"), key=lambda row: -row["t_min"]
        )
        return sorted((row["dp_id"],) for row in muse[:5])
    reach = CONE[2] + (0.05 if name == "footprints" else 0.0)
    return sorted((row["dp_id"],) for row in rows if _distance(row["s_ra"], row["s_dec"]) <= reach)


def _distance(ra: float, dec: float) -> float:
    a, b, c, d = np.radians([ra, dec, CONE[0], CONE[1]])
    return float(np.degrees(np.arccos(np.sin(b) * np.sin(d) + np.cos(b) * np.cos(d) * np.cos(a - c))))


def version_of(server: Server) -> int:
    answer = httpx.post(
        f"{server.url}/tap/sync",
        data={"LANG": "ADQL", "QUERY": QUESTIONS["count"], "RESPONSEFORMAT": "votable/td"},
        timeout=90,
    )
    found = re.search(r'name="lake_version"[^>]* value="(\d+)"', answer.text)
    return int(found[1]) if found else -1


def newest(archive: Archive) -> int:
    return Lake(archive.data / "lake", load_schemas()).version()


def leader(archive: Archive) -> int | None:
    """The process id of the follower that leads."""
    told = json.loads(archive.run("index", "status", "--json"))["follower"]
    return None if told is None else int(told.rpartition(":")[2])


def holding(nodes: list[Node]) -> tuple[Node, Node]:
    """The nodes that hold the rows: the one that is written to, and the one with the copy."""
    found = httpx.get(f"{nodes[0].url}/_cat/shards/onedfs-ivoa-obscore?format=json&h=prirep,node").json()
    by_kind = {shard["prirep"]: shard["node"] for shard in found}
    by_name = {node.name: node for node in nodes}
    return by_name[by_kind["p"]], by_name[by_kind["r"]]


def is_clean(archive: Archive, nodes: list[Node]) -> None:
    for node in nodes:
        node.wait()
    wait_green(nodes[0], nodes=3)
    checked = archive.call("check", "--json", seconds=240)
    assert json.loads(checked.stdout)["problems"] == [], checked.stdout + checked.stderr


def test_a_node_is_killed_and_another_one_sleeps_while_rows_come_and_searches_run(
    archive: Archive, servers: list[Server], load: Callable[..., str], nodes: list[Node]
) -> None:
    killed, sleeping = holding(nodes)
    sleeper = sleeping.process
    assert sleeper is not None
    asker = Asker(servers)
    with asker.asking():
        load()
        killed.kill()
        load()
        killed.start()
        killed.wait()
        wait_green(killed, nodes=3)
        sleeper.send_signal(signal.SIGSTOP)
        try:
            load("--no-wait")
            time.sleep(12)
        finally:
            sleeper.send_signal(signal.SIGCONT)
        wait_until(lambda: version_of(servers[0]) == newest(archive), "all is shown", 120)
    asker.was_answered_rightly(archive)
    assert asker.longest < 60
    is_clean(archive, nodes)
    told = httpx.post(f"{servers[0].url}/api/v1/adql/check", json={"query": QUESTIONS["cone"]}, timeout=30)
    assert "not from elasticsearch" not in told.text, "it is asked again"


def test_the_index_is_rebuilt_while_searches_run(
    archive: Archive, servers: list[Server], load: Callable[..., str]
) -> None:
    asker = Asker(servers)
    with asker.asking():
        assert "rebuilt" in archive.run("index", "rebuild", seconds=240)
        load()
        asker.until(lambda: newest(archive) in asker.versions(), "an answer has the new rows")
    asker.was_answered_rightly(archive)


def test_when_elasticsearch_is_away_the_lake_takes_rows_and_answers(
    archive: Archive, servers: list[Server], load: Callable[..., str], nodes: list[Node]
) -> None:
    before = newest(archive)
    for node in nodes:
        node.kill()
    asker = Asker(servers)
    with asker.asking():
        load("--no-wait")
        answer = wait_until(lambda: _not_ready(servers[0]), "the server says that it is not ready", 60)
        assert answer is not None
        assert "Elasticsearch does not answer" in answer.json()["detail"]
        assert int(answer.headers["Retry-After"]) >= 1
        wait_until(lambda: _waits_for(archive), "the follower says why it waits", 60)
    asker.was_answered_rightly(archive)
    assert asker.versions() == {before}
    assert asker.longest < 60
    failed = archive.call("check", "--quick")
    assert failed.returncode == 1
    assert "Elasticsearch does not answer" in failed.stderr
    for node in nodes:
        node.start()
    is_clean(archive, nodes)
    for server in servers:
        wait_until(lambda: version_of(server) == newest(archive), "it caught up", 120)  # noqa: B023
        wait_until(server.ready, "it is ready", 60)


def _not_ready(server: Server) -> httpx.Response | None:
    answer = httpx.get(f"{server.url}/readyz", timeout=30)
    return answer if answer.status_code == 503 else None


def _waits_for(archive: Archive) -> Any:
    return json.loads(archive.run("index", "status", "--json"))["waits_for"]


TAKEOVER = 30.0
"""Seconds within which another follower goes on. A lease ends after 10; the rest is for a busy machine."""


def followed(server: Server, archive: Archive) -> None:
    """Wait until a server shows all there is, no longer than a takeover takes."""
    wait_until(lambda: version_of(server) == newest(archive), "the news are shown", TAKEOVER)


def led(archive: Archive, servers: list[Server]) -> tuple[int, Server, Server]:
    """The process id of the follower that leads, its server and the other one."""
    process = wait_until(lambda: leader(archive), "one leads", 60)
    assert process is not None
    [its] = [server for server in servers if _parent(process) == server.process.pid]
    [other] = [server for server in servers if server is not its]
    return process, its, other


def test_when_the_leading_follower_sleeps_the_other_one_takes_over_and_its_waking_harms_nothing(
    archive: Archive, servers: list[Server], load: Callable[..., str], nodes: list[Node]
) -> None:
    asleep, its, other = led(archive, servers)
    asker = Asker(servers)
    with asker.asking():
        # It falls asleep in the middle of its work.
        loading = threading.Thread(target=load, args=("--no-wait",))
        loading.start()
        wait_until(lambda: newest(archive) > version_of(other), "there is something to do", 60)
        os.kill(asleep, signal.SIGSTOP)
        try:
            loading.join()
            followed(other, archive)
            load("--no-wait")
            followed(its, archive)
        finally:
            os.kill(asleep, signal.SIGCONT)
        load()
        assert leader(archive) != asleep
    asker.was_answered_rightly(archive)
    is_clean(archive, nodes)


def test_when_the_leading_follower_is_killed_with_its_server_the_other_one_takes_over(
    archive: Archive, servers: list[Server], load: Callable[..., str], nodes: list[Node]
) -> None:
    killed, leading, other = led(archive, servers)
    load()
    kill_group(leading.process)
    began = time.monotonic()
    load("--no-wait")
    followed(other, archive)
    assert time.monotonic() - began < TAKEOVER
    wait_until(lambda: leader(archive) not in (None, killed), "the other one leads", 30)
    is_clean(archive, nodes)


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
