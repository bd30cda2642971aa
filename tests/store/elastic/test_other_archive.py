"""Two archives that are given one prefix by mistake: the second is refused, the first notices nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

import schemas
from store.elastic import ElasticFollower, ElasticIndex, Policy
from store.elastic.state import OtherArchive
from store.lake import Lake
from store.port import EngineAway, IndexNotReady, Site
from tests.support.lake_rows import as_lake

SITE = Site("onedfs.example", "http://127.0.0.1:8000")


@pytest.fixture
def stranger(world: Any, obs: Any, declared: schemas.Schemas, tmp_path: Path) -> Lake:
    """Another archive of the same version, where an index is already."""
    world.write("append", "sky.obs", obs(10))
    world.follower().step()
    lake = Lake(tmp_path / "stranger", declared)
    with lake.writer("append") as writer:
        writer.append("sky.obs", as_lake(declared.table("sky.obs"), obs(3, 100)))
        writer.commit()
    assert lake.version() == world.lake.version()
    return lake


def test_it_never_leads_nor_has_anything_built(world: Any, stranger: Lake, client: Elasticsearch) -> None:
    world.close()
    follower = ElasticFollower(stranger, world.cluster, client=client, policy=Policy(term=4.0))
    with pytest.raises(OtherArchive, match="ONEDFS_ELASTICSEARCH_PREFIX"):
        follower.step()
    assert not follower.leads
    with pytest.raises(EngineAway, match="of another archive"):
        follower.rebuild()
    follower.close()
    world.agrees()


def test_it_shows_no_rows_of_the_other(world: Any, stranger: Lake) -> None:
    index = ElasticIndex(stranger, world.cluster, SITE, poll=None)
    assert "of another archive" in (index.status().reason or "")
    with pytest.raises(IndexNotReady, match="of another archive"), index.snapshot():
        pass
    index.close()


def test_a_copy_of_a_lake_is_the_same_archive(world: Any, stranger: Lake) -> None:
    copy = world.lake.root.with_name("copy")
    world.lake.root.rename(copy)
    moved = Lake(copy, world.lake.schemas())
    assert moved.identity() == world.lake.identity() != stranger.identity()
    index = ElasticIndex(moved, world.cluster, SITE, poll=None)
    assert index.status().version == 1
    index.close()
