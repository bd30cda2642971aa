"""A version is shown only when every shard shows it, whatever a cluster with missing nodes calls success."""

from __future__ import annotations

from typing import Any, cast

import pytest
from elasticsearch import Elasticsearch

from store.elastic import Cluster, EngineError
from store.elastic.indices import Indices

Shards = tuple[int, int, int]
"""Copies that there should be, that were refreshed, and that failed."""


class Stand:
    """As much of a client as refreshing needs."""

    def __init__(self, refreshes: list[Shards], status: str = "yellow", active: int = 2) -> None:
        self.refreshes = refreshes
        self.health_told = {"status": status, "active_shards": active}
        self.indices = self.cluster = self

    def options(self, **_: Any) -> Stand:
        return self

    def refresh(self, **_: Any) -> dict[str, Any]:
        total, successful, failed = self.refreshes.pop(0)
        return {"_shards": {"total": total, "successful": successful, "failed": failed}}

    def health(self, **_: Any) -> dict[str, Any]:
        return self.health_told


def refresh(stand: Stand) -> None:
    Indices(cast(Elasticsearch, stand), Cluster(("http://nowhere:9200",))).refresh(["a", "a"])


def test_one_request_does_when_all_copies_are_there() -> None:
    stand = Stand([(4, 4, 0)])
    refresh(stand)
    assert stand.refreshes == []


def test_copies_that_are_away_are_no_matter_while_each_shard_has_one() -> None:
    stand = Stand([(4, 2, 0), (4, 2, 0)])
    refresh(stand)
    assert stand.refreshes == []


@pytest.mark.parametrize(
    "stand",
    [
        Stand([(4, 2, 0)], status="red"),
        Stand([(4, 2, 0), (4, 1, 0)]),
        Stand([(4, 3, 1), (4, 3, 1)]),
        Stand([(2, 0, 0), (2, 0, 0)]),
    ],
    ids=["no copy of a shard", "one went meanwhile", "one failed", "none at all"],
)
def test_a_shard_that_did_not_hear_of_it_is_a_failure(stand: Stand) -> None:
    with pytest.raises(EngineError, match="not every shard of a was refreshed"):
        refresh(stand)


def test_nothing_is_asked_about_nothing() -> None:
    Indices(cast(Elasticsearch, Stand([])), Cluster(("http://nowhere:9200",))).refresh([])
