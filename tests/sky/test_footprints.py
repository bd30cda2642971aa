"""Footprints in bulk are what they are one by one."""

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sky.footprints import Footprints
from sky.regions import Point, Polygon, Region, RegionError, normalise_delivered
from sky.text import parse_region

numbers = st.one_of(
    st.floats(-100.0, 400.0).map(repr),
    st.integers(-90, 360).map(str),
    st.sampled_from(["nan", "1e3", ".5", "5.", "+7", "1e-7", "-0", "90", "-90", "x", "1.2.3"]),
)
squares = st.builds(
    lambda ra, dec, size, turn, close: " ".join(
        f"{x!r} {y!r}"
        for x, y in [(ra, dec), (ra, dec + size), (ra + size, dec + size), (ra + size, dec)][
            :: 1 if turn else -1
        ]
        + ([(ra if turn else ra + size, dec)] if close else [])
    ),
    st.floats(0.0, 359.0),
    st.floats(-85.0, 80.0),
    st.sampled_from([1e-8, 0.01, 4.0]),
    st.booleans(),
    st.booleans(),
)
texts = st.one_of(
    st.none(),
    st.builds(
        lambda shape, frame, values: f"{shape} {frame}{' '.join(values)}",
        st.sampled_from(["POLYGON", "polygon", "CIRCLE", "POSITION", "BOX", "UNION"]),
        st.sampled_from(["", "ICRS ", "J2000 ", "icrs  ", "GALACTIC ", "FK5 TOPOCENTER "]),
        st.lists(numbers, max_size=11),
    ),
    st.builds(lambda frame, corners: f"POLYGON {frame}{corners}", st.sampled_from(["", "ICRS "]), squares),
    st.sampled_from(["UNION ICRS (CIRCLE 1 2 3 POSITION 4 5)", "3/7", "RANGE 1 2 3 4", "", "  "]),
)


def one_by_one(text: str | None) -> tuple[Region | None, bool, str | None]:
    if text is None or not text.strip():
        return None, False, None
    try:
        region, mis_wound = normalise_delivered(parse_region(text))
    except RegionError as error:
        return None, False, error.code
    return region, mis_wound, None


@settings(max_examples=200)
@given(st.lists(texts, max_size=8))
@example(["CIRCLE 1 2 -3", "CIRCLE 1 2 180", "CIRCLE 1 2 181", "CIRCLE 1 2 0", "CIRCLE 1 2 3"])
@example(["CIRCLE 1 91 3", "CIRCLE 721 0 3", "CIRCLE -361 0 3", "CIRCLE 720 -90 3", "CIRCLE -360 90 3"])
@example(["POSITION 1 91", "POSITION 721 0", "POSITION -361 0", "POSITION 720 -90", "POSITION -360 90"])
def test_bulk_equals_one_by_one(column: list[str | None]) -> None:
    footprints = Footprints.from_text(column)
    assert len(footprints) == len(column)
    for row, text in enumerate(column):
        region, mis_wound, code = one_by_one(text)
        assert footprints.region(row) == region
        assert (row in footprints.mis_wound) == mis_wound
        assert (footprints.errors[row].code if row in footprints.errors else None) == code


@given(st.lists(texts, min_size=1, max_size=8), st.data())
def test_take_selects_rows(column: list[str | None], data: st.DataObject) -> None:
    footprints = Footprints.from_text(column)
    rows = data.draw(st.lists(st.integers(0, len(column) - 1), max_size=10))
    chosen = footprints.take(rows)
    assert [chosen.region(place) for place in range(len(rows))] == [footprints.region(row) for row in rows]
    assert [place in chosen.errors for place in range(len(rows))] == [
        row in footprints.errors for row in rows
    ]
    assert np.array_equal(
        np.isin(np.arange(len(rows)), chosen.mis_wound), np.isin(rows, footprints.mis_wound)
    )


@given(st.lists(texts, max_size=6))
def test_text_and_regions_lead_back(column: list[str | None]) -> None:
    footprints = Footprints.from_text(column)
    again = Footprints.from_text(footprints.to_text())
    regions = [footprints.region(row) for row in range(len(column))]
    assert [again.region(row) for row in range(len(column))] == regions
    assert not len(again.mis_wound)
    built = Footprints.from_regions(regions)
    assert [built.region(row) for row in range(len(column))] == regions


def test_arrow_and_numpy_columns_are_read_alike() -> None:
    column = ["POSITION 1 2", None, "bad"]
    chunked = pa.chunked_array([pa.array(column[:1]), pa.array([], pa.string()), pa.array(column[1:])])
    for source in (column, np.array(column, dtype=object), pa.array(column), chunked):
        footprints = Footprints.from_text(source)
        assert [footprints.region(row) for row in range(3)] == [Point(1.0, 2.0), None, None]
        assert list(footprints.errors) == [2]


def test_a_mis_wound_polygon_gives_the_smaller_side() -> None:
    good, bad = "POLYGON 10 10 10 11 11 11 11 10", "POLYGON 10 10 11 10 11 11 10 11"
    footprints = Footprints.from_text([bad, good])
    expected = [(10.0, 10.0), (10.0, 11.0), (11.0, 11.0), (11.0, 10.0)]
    assert {footprints.region(0), footprints.region(1)} == {Polygon(tuple(expected))}
    assert footprints.mis_wound.tolist() == [0]


def test_plain_shapes_are_read_in_bulk_also_when_they_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """The complete reader is a hundred times slower; it is for the rest."""
    square, reflex, triangle = "10 10 10 11 11 11 11 10", "20 10 20 11 20.2 10.2 21 10", "1 1 1 2 2 1"
    column = [
        f"POLYGON ICRS {square}",
        f"POLYGON {square} 10 10",
        f"polygon J2000 {square} 370 10",
        f"POLYGON {reflex}",
        f"POLYGON {reflex} 20 10",
        f"POLYGON {triangle} 1 1",
        "CIRCLE 1 2 3",
        "POSITION ICRS 1 2",
    ]
    expected = [normalise_delivered(parse_region(text))[0] for text in column]

    def refuse(text: str) -> Region:
        raise AssertionError(text)

    monkeypatch.setattr("sky.footprints.parse_region", refuse)
    footprints = Footprints.from_text(column)
    assert [footprints.region(row) for row in range(len(column))] == expected


def test_rows_keep_their_place_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    column = [
        "POLYGON 10 10 11 10 11 11 10 11",
        "bad",
        "CIRCLE 1 2 3",
        None,
        "3/7",
        "POSITION 1 2",
        "CIRCLE 4 5 6",
    ]
    whole = Footprints.from_text(column)
    monkeypatch.setattr("sky.footprints._CHUNK", 2)
    parts = Footprints.from_text(column)
    assert parts.to_text() == whole.to_text()
    assert parts.errors.keys() == whole.errors.keys()
    assert parts.mis_wound.tolist() == whole.mis_wound.tolist()


@pytest.mark.slow
def test_a_hundred_thousand_polygons_take_about_half_a_second() -> None:
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0.0, 359.0, 100_000), rng.uniform(-80.0, 79.0, 100_000)
    shape = "POLYGON ICRS {0:.6f} {1:.6f} {0:.6f} {2:.6f} {3:.6f} {1:.6f} {4:.6f} {5:.6f}"
    corners = zip(ra, dec, dec + 0.1, ra + 0.1, ra + 0.09, dec - 0.1, strict=True)
    column = pa.array([shape.format(*corner) for corner in corners])
    start = time.process_time()
    footprints = Footprints.from_text(column)
    assert time.process_time() - start < 4.0
    assert not footprints.errors
