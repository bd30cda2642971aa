"""Declarations for these tests: the archive's own, and a few tables with a column of every kind."""

import pytest

import schemas
from schemas import Column, Kind, Table

_THINGS = Table(
    schema_name="lab",
    local_name="things",
    key=("id",),
    position=("ra", "dec"),
    region="shape",
    columns=(
        Column(name="id", kind=Kind.LONG),
        Column(name="flag", kind=Kind.BOOLEAN),
        Column(name="few", kind=Kind.SHORT),
        Column(name="n", kind=Kind.INT),
        Column(name="x", kind=Kind.FLOAT),
        Column(name="y", kind=Kind.DOUBLE, unit="s", ucd="time.duration;obs", description="How long"),
        Column(name="name", kind=Kind.TEXT),
        Column(name="size", kind=Kind.INT),
        Column(name="Mixed", kind=Kind.TEXT),
        Column(name="taken", kind=Kind.TIMESTAMP),
        Column(name="shape", kind=Kind.REGION),
        Column(name="place", kind=Kind.POINT),
        Column(name="flux", kind=Kind.FLOAT, array="*"),
        Column(name="ra", kind=Kind.DOUBLE, unit="deg", ucd="pos.eq.ra;meta.main"),
        Column(name="dec", kind=Kind.DOUBLE, unit="deg", ucd="pos.eq.dec;meta.main"),
    ),
)

_NOTES = Table(
    schema_name="lab",
    local_name="notes",
    key=("id",),
    columns=(
        Column(name="id", kind=Kind.LONG),
        Column(name="n", kind=Kind.INT),
        Column(name="note", kind=Kind.TEXT),
    ),
)

_MARKS = Table(
    schema_name="lab",
    local_name="marks",
    key=("id",),
    columns=(Column(name="id", kind=Kind.LONG), Column(name="mark", kind=Kind.DOUBLE)),
)


@pytest.fixture(scope="session")
def declared() -> schemas.Schemas:
    return schemas.load_schemas().with_tables([_THINGS, _NOTES, _MARKS])
