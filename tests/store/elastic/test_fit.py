"""Whether an index can hold a table as it is declared now."""

from __future__ import annotations

from typing import Any, cast

from elasticsearch import Elasticsearch

import schemas
from schemas import Column, Kind
from schemas.elastic import mapping
from schemas.names import NAME_UCD
from store.elastic import Cluster, Names
from store.elastic.indices import Fit, Indices

CLUSTER = Cluster(("http://nowhere:9200",))
KEY = Column(name="id", kind=Kind.TEXT)
PLAIN, NAMED = (Column(name="object", kind=Kind.TEXT, ucd=ucd) for ucd in (None, NAME_UCD))


def table(*columns: Column) -> schemas.Table:
    return schemas.Table(schema_name="s", local_name="t", key=("id",), columns=(KEY, *columns))


def fit(held: schemas.Table, wanted: schemas.Table) -> Fit:
    """Ask of an index with the mapping of one declaration whether it holds another."""
    body = mapping(held) | {"_meta": Names.of(CLUSTER).meta(held)}

    class Stand:
        @property
        def indices(self) -> Stand:
            return self

        def get_mapping(self, index: str) -> dict[str, Any]:
            return {index: {"mappings": body}}

    return Indices(cast(Elasticsearch, Stand()), CLUSTER).fit("an index", wanted)


def test_an_index_holds_its_own_table_and_one_with_more_columns() -> None:
    assert fit(table(PLAIN), table(PLAIN)) is Fit.SAME
    assert fit(table(), table(PLAIN)) is Fit.WIDENED
    assert fit(table(), table(NAMED)) is Fit.WIDENED


def test_rows_that_are_there_lack_the_keys_of_a_column_that_is_of_names_now() -> None:
    assert fit(table(PLAIN), table(NAMED)) is Fit.OTHER


def test_a_column_of_another_kind_is_another_table() -> None:
    assert fit(table(PLAIN), table(Column(name="object", kind=Kind.INT))) is Fit.OTHER
