"""The engines under test: each is one entry here, and every test that asks an index runs on all of them."""

from __future__ import annotations

import atexit
import itertools
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

from store.duckdb import DuckIndex, Follower
from store.elastic import Cluster, ElasticFollower, ElasticIndex
from store.lake import Lake
from store.port import Index, Site
from tests.support.elasticsearch.cluster import Node, one_node

SITE = Site("onedfs.example", "http://127.0.0.1:8000")


class Engine(Protocol):
    """An engine over one lake, with what keeps it up to date under the test's control."""

    @property
    def index(self) -> Index:
        """The index; opened when it is first asked for."""
        ...

    def rebuild(self) -> int:
        """Build the index anew from a snapshot of the lake's newest version; return that version."""
        ...

    def refresh(self) -> None:
        """Apply what came into the lake since, and show it."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class DuckEngine:
    """Generations in a folder, and one index over them that looks for changes only when told to."""

    def __init__(self, lake: Lake, folder: Path, site: Site = SITE) -> None:
        self._lake = lake
        self._folder = folder
        self._site = site
        self._index: DuckIndex | None = None

    @property
    def index(self) -> DuckIndex:
        if self._index is None:
            self._index = DuckIndex(self._lake, self._folder, self._site, poll=None)
        return self._index

    def rebuild(self) -> int:
        follower = Follower(self._lake, self._folder)
        try:
            return follower.rebuild()
        finally:
            follower.close()

    def refresh(self) -> None:
        self.index.refresh()

    def close(self) -> None:
        if self._index is not None:
            self._index.close()


@cache
def elasticsearch() -> Node:
    """Return a node of this process, which ends with it."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="onedfs-es-", ignore_cleanup_errors=True))
    return stack.enter_context(one_node(Path(folder)))


_numbers = itertools.count()


class ElasticEngine:
    """Indices of their own on the node of this process, and one follower that steps only when told to."""

    def __init__(self, lake: Lake, folder: Path, site: Site = SITE) -> None:
        del folder
        # Tables of some hundred rows are to have several shards, as large ones do.
        cluster = Cluster(
            (elasticsearch().url,), prefix=f"test{next(_numbers)}", replicas=0, rows_per_shard=100
        )
        self._lake = lake
        self._site = site
        self._cluster = cluster
        self._follower = ElasticFollower(lake, cluster)
        self._index: ElasticIndex | None = None

    @property
    def index(self) -> ElasticIndex:
        if self._index is None:
            self._index = ElasticIndex(self._lake, self._cluster, self._site, poll=None)
        return self._index

    def rebuild(self) -> int:
        return self._follower.rebuild()

    def refresh(self) -> None:
        shown = -1
        # A step takes a bounded number of versions.
        while shown < self._lake.version():
            self._follower.step()
            self.index.refresh()
            before, shown = shown, self.index.status().version or 0
            assert shown > before, self.index.status()

    def close(self) -> None:
        self._follower.close()
        if self._index is not None:
            self._index.close()


def elastic_settings() -> Mapping[str, str]:
    """Return the settings of an archive with indices of its own on the node of this process."""
    return {
        "ONEDFS_ELASTICSEARCH_URL": elasticsearch().url,
        "ONEDFS_ELASTICSEARCH_PREFIX": f"test{next(_numbers)}",
    }


@dataclass(frozen=True)
class EngineUnderTest:
    """How tests open an engine over a lake, and the settings with which commands and servers use it.

    ``over`` takes the lake, a folder of the engine's own, and the site if it matters; ``settings`` are those
    of one more archive.
    """

    name: str
    over: Callable[..., Engine]
    settings: Callable[[], Mapping[str, str]] = dict


EMBEDDED = EngineUnderTest("duckdb", DuckEngine)
"""The engine that an archive has without any settings."""

ENGINES = (EMBEDDED, EngineUnderTest("elasticsearch", ElasticEngine, elastic_settings))
"""All engines."""

ENGINES_SLOWLY = tuple(
    pytest.param(engine, id=engine.name, marks=[] if engine is EMBEDDED else [pytest.mark.slow])
    for engine in ENGINES
)
"""All engines for tests that are quick on the embedded one; on one that has to be started they are slow."""
