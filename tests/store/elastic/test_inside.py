"""Rows that are certain to stand in a relation to a region do, and where cells can tell, there are some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import healpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from schemas.elastic import CELL, CORNER, COVER_CELLS, INNER_CELLS
from sky.regions import Circle, Union
from store.elastic.inside import MOST_PARTS, certain_filter
from store.planner import Relation
from tests.support.lake_rows import as_lake
from tests.support.tables import SHAPED

TABLE = next(iter(schemas.parse_schema(f"schema: s\ntables:\n  - name: a\n{SHAPED}").tables))

Document = Mapping[str, Any]


def document(ra: float, dec: float, radius: float) -> Document:
    """What Elasticsearch has of a row whose footprint is a circle around its position."""
    row = {"id": "x", "ra": ra, "dec": dec, "footprint": f"CIRCLE ICRS {ra!r} {dec!r} {radius!r}"}
    (made,) = as_lake(TABLE, [row]).to_pylist()
    inner, border = (
        list(zip(made[name][::2], made[name][1::2], strict=True)) for name in ("_inner", "_border")
    )
    found = {INNER_CELLS: inner, COVER_CELLS: inner + border}
    return {CELL: made["_healpix"], CORNER: (ra, dec)} | {
        name: ranges for name, ranges in found.items() if ranges
    }


def lets_through(body: Any, row: Document) -> bool:
    """Do what Elasticsearch does with a filter."""
    ((kind, words),) = body.items()
    if kind == "bool":
        wanted = all(lets_through(each, row) for each in words.get("filter", ()))
        one = any(lets_through(each, row) for each in words["should"]) if "should" in words else True
        return wanted and one and not any(lets_through(each, row) for each in words.get("must_not", ()))
    if kind == "exists":
        return words["field"] in row
    if kind == "geo_distance":
        metres = float(words["distance"].removesuffix("m"))
        centre = Circle(words[CORNER][0] % 360, words[CORNER][1], metres / 6_371_008.7714 * 180 / np.pi)
        return CORNER in row and apart(*row[CORNER], centre) <= centre.radius
    assert kind == "range"
    ((name, bounds),) = words.items()
    lo, hi = bounds["gte"], bounds["lt"]
    if name == CELL:
        return bool(lo <= row[CELL] < hi)
    meets: dict[str, Callable[[int, int], bool]] = {
        "intersects": lambda first, end: first < hi and end > lo,
        "contains": lambda first, end: first <= lo and end >= hi,
    }
    return any(meets[bounds["relation"]](first, end) for first, end in row.get(name, ()))


def apart(ra: float, dec: float, other: Circle) -> float:
    one, two = (np.radians([lon, lat]) for lon, lat in ((ra, dec), (other.ra, other.dec)))
    chord = np.sin((two[1] - one[1]) / 2) ** 2 + np.cos(one[1]) * np.cos(two[1]) * (
        np.sin((two[0] - one[0]) / 2) ** 2
    )
    return float(np.degrees(2 * np.arcsin(np.sqrt(min(1.0, chord)))))


TRUE: Mapping[Relation, Callable[[float, float, float], bool]] = {
    Relation.POSITION: lambda far, _, asked: far <= asked,
    Relation.INTERSECTS: lambda far, own, asked: far <= own + asked,
    Relation.WITHIN: lambda far, own, asked: far + own <= asked,
    Relation.CONTAINS: lambda far, own, asked: far + asked <= own,
}


@pytest.mark.parametrize("relation", Relation)
@given(
    st.tuples(st.floats(0, 359.9), st.floats(-89, 89)),
    st.floats(1e-3, 80),
    st.floats(1e-3, 80),
    st.floats(0, 3),
)
def test_what_is_certain_is_true(
    relation: Relation, place: tuple[float, float], own: float, asked: float, shift: float
) -> None:
    ra, dec = place
    region = Circle(ra, dec, asked)
    lat = dec - shift * asked if dec > 0 else dec + shift * asked
    lat = max(-89.9, min(lat, 89.9))
    body = certain_filter(relation, region)
    if body is not None and lets_through(body, document(ra, lat, own)):
        assert TRUE[relation](apart(ra, lat, region), own, asked)


@pytest.mark.parametrize(
    ("relation", "own", "asked"),
    [(Relation.POSITION, 1.0, 5.0), (Relation.INTERSECTS, 0.01, 5.0), (Relation.WITHIN, 0.01, 5.0)],
)
@pytest.mark.parametrize("place", [(10.3, 20.1), (0.0, 0.0), (200.0, 89.0), (77.0, -41.8)])
def test_small_rows_in_the_middle_of_a_region_are_certain(
    relation: Relation, own: float, asked: float, place: tuple[float, float]
) -> None:
    body = certain_filter(relation, Circle(*place, asked))
    assert body is not None
    assert lets_through(body, document(*place, own))


@pytest.mark.parametrize(("relation", "asked"), [(Relation.CONTAINS, 0.01), (Relation.INTERSECTS, 5.0)])
@pytest.mark.parametrize("cell", [0, 77, 191])
def test_regions_in_the_middle_of_a_cell_of_a_row_are_certain(
    relation: Relation, asked: float, cell: int
) -> None:
    ra, dec = healpy.pix2ang(4, cell, nest=True, lonlat=True)
    own = [(cell << 54, (cell + 1) << 54)]
    row = {INNER_CELLS: own, COVER_CELLS: own, CORNER: (float(ra), float(dec))}
    body = certain_filter(relation, Circle(float(ra), float(dec), asked))
    assert body is not None
    assert lets_through(body, row)
    other = certain_filter(relation, Circle(float(ra + 180) % 360, -float(dec), asked))
    assert other is not None
    assert not lets_through(other, row)


def test_nothing_is_certain_of_a_region_without_a_cell_inside_or_of_very_many_parts() -> None:
    assert certain_filter(Relation.POSITION, Circle(1.0, 2.0, 0.0)) is None
    many = [Circle(float(i % 360), 0.0, 1.0) for i in range(MOST_PARTS + 1)]
    assert certain_filter(Relation.WITHIN, Union(tuple(many))) is None
    assert certain_filter(Relation.WITHIN, Union(tuple(many[1:]))) is not None
