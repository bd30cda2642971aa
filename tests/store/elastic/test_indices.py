"""A version is shown only when every shard shows it, whatever a cluster with missing nodes calls success."""

from __future__ import annotations

from typing import Any, cast

import pytest
from elasticsearch import Elasticsearch

from schemas import Column, Kind, Table
from schemas.elastic import mapping
from schemas.names import NAME_UCD
from store.elastic import Cluster, EngineError, Names, State, TableIndex
from store.elastic.indices import Fit, Indices

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


class Held:
    """An index with the mapping of a table."""

    def __init__(self, table: Table) -> None:
        self.indices = self
        self._mapping = mapping(table) | {"_meta": Names("x").meta(table)}

    def get_mapping(self, *, index: str) -> dict[str, Any]:
        return {index: {"mappings": self._mapping}}


def declared(*columns: Column, position: tuple[str, str] | None = None) -> Table:
    places = (Column(name="ra", kind=Kind.DOUBLE), Column(name="dec", kind=Kind.DOUBLE))
    number = Column(name="id", kind=Kind.LONG)
    return Table(
        schema_name="a", local_name="b", key=("id",), columns=(number, *places, *columns), position=position
    )


NAME = Column(name="name", kind=Kind.TEXT)
OBJECT = Column(name="name", kind=Kind.TEXT, ucd=NAME_UCD)


@pytest.mark.parametrize(
    ("was", "now", "fit"),
    [
        (declared(NAME), declared(NAME), Fit.SAME),
        (declared(), declared(NAME), Fit.WIDENED),
        (declared(), declared(OBJECT), Fit.WIDENED),
        (declared(NAME), declared(), Fit.SAME),
        (declared(NAME), declared(OBJECT), Fit.OTHER),
        (declared(), declared(position=("ra", "dec")), Fit.OTHER),
        (declared(NAME), declared(Column(name="name", kind=Kind.LONG)), Fit.OTHER),
    ],
    ids=["same", "column", "column of names", "fewer", "keys of names", "cells", "another type"],
)
def test_an_index_is_widened_only_by_what_its_rows_do_not_have(was: Table, now: Table, fit: Fit) -> None:
    indices = Indices(cast(Elasticsearch, Held(was)), Cluster(("http://nowhere:9200",)))
    assert indices.fit("a-1", now) is fit


def test_nothing_is_asked_about_nothing() -> None:
    Indices(cast(Elasticsearch, Stand([])), Cluster(("http://nowhere:9200",))).refresh([])


class Settled:
    """As much of a client as telling the shards of indices needs."""

    def __init__(self, shards: int) -> None:
        self.indices = self
        self.shards = shards

    def get_settings(self, index: str, **_: Any) -> dict[str, Any]:
        return {index: {"settings": {"index.number_of_shards": str(self.shards)}}}


@pytest.mark.parametrize(
    ("rows", "shards", "found"),
    [
        (200, 1, {}),
        (201, 1, {"sky.obs": (1, 3)}),
        (600, 3, {}),
        (601, 3, {"sky.obs": (3, 7)}),
    ],
)
def test_an_index_has_outgrown_its_shards_when_they_hold_twice_what_they_are_meant_for(
    rows: int, shards: int, found: dict[str, tuple[int, int]]
) -> None:
    indices = Indices(
        cast(Elasticsearch, Settled(shards)), Cluster(("http://nowhere:9200",), rows_per_shard=100)
    )
    state = State(1, {"sky.obs": TableIndex("a", rows), "sky.plain": TableIndex("b", 5)})
    assert indices.outgrown(state) == found
