"""Declared tables as Elasticsearch sees them."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Column, Kind, Table, load_schemas
from schemas.elastic import (
    CELL,
    COVER_CELLS,
    INNER_CELLS,
    KEY,
    OWN_FIELDS,
    PLACE,
    SINCE,
    TILE,
    UNTIL,
    field_name,
    is_indexed,
    key_field,
    mapping,
)
from schemas.names import holds_names

DECLARED = load_schemas()


def table(*columns: Column, **more: object) -> Table:
    key = (columns[0].name,)
    return Table(schema_name="s", local_name="t", key=key, columns=columns, **more)


@pytest.mark.parametrize("declared", tuple(DECLARED), ids=lambda declared: declared.name)
def test_every_column_has_a_field_of_its_own(declared: Table) -> None:
    fields = mapping(declared)["properties"]
    names = [field_name(column.name) for column in declared.columns]
    names += [key_field(column.name) for column in declared.columns if holds_names(column)]
    assert len(set(names)) == len(names)
    assert fields.keys() - OWN_FIELDS == set(names)


@pytest.mark.parametrize("declared", tuple(DECLARED), ids=lambda declared: declared.name)
def test_the_sphere_is_indexed_where_there_is_one(declared: Table) -> None:
    fields = mapping(declared)["properties"]
    assert {KEY, SINCE, UNTIL} <= fields.keys()
    assert (CELL in fields) == (TILE in fields) == (PLACE in fields) == (declared.position is not None)
    assert (INNER_CELLS in fields) == (COVER_CELLS in fields) == (declared.region is not None)


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        (Kind.BOOLEAN, "boolean"),
        (Kind.SHORT, "long"),
        (Kind.INT, "long"),
        (Kind.LONG, "long"),
        (Kind.FLOAT, "double"),
        (Kind.DOUBLE, "double"),
        (Kind.TEXT, "keyword"),
        (Kind.TIMESTAMP, "long"),
    ],
)
def test_single_values_can_be_searched(kind: Kind, type_: str) -> None:
    column = Column(name="c", kind=kind)
    assert is_indexed(column)
    assert mapping(table(column))["properties"]["c"]["type"] == type_


@pytest.mark.parametrize(
    "column",
    [
        *(Column(name="c", kind=kind) for kind in (Kind.POINT, Kind.CIRCLE, Kind.POLYGON, Kind.REGION)),
        Column(name="c", kind=Kind.INT, array="*"),
        Column(name="c", kind=Kind.DOUBLE, array="3"),
    ],
    ids=lambda column: f"{column.kind}{column.array or ''}",
)
def test_regions_and_arrays_are_only_kept(column: Column) -> None:
    assert not is_indexed(column)
    assert mapping(table(column))["properties"]["c"] == {"type": "object", "enabled": False}


def test_no_text_is_too_long_for_its_index() -> None:
    field = mapping(table(Column(name="c", kind=Kind.TEXT)))["properties"]["c"]
    assert len("\U0001f52d".encode()) * field["ignore_above"] <= 32_766


def test_what_is_not_declared_is_refused() -> None:
    assert mapping(table(Column(name="c", kind=Kind.TEXT)))["dynamic"] == "strict"


def test_the_mapping_is_nobody_else_s() -> None:
    column = Column(name="c", kind=Kind.TEXT)
    mapping(table(column))["properties"]["c"]["type"] = "text"
    assert mapping(table(column))["properties"]["c"]["type"] == "keyword"


@given(st.text(min_size=1))
def test_any_name_makes_a_field_that_elasticsearch_takes(name: str) -> None:
    field = field_name(name)
    assert set(field) <= set(string.ascii_lowercase + string.digits + "_@=")
    assert field[0] != "_"
    assert field not in OWN_FIELDS


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_columns_never_share_a_field(one: str, other: str) -> None:
    assert (field_name(one) == field_name(other)) == (one.lower() == other.lower())
