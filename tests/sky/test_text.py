"""Region texts as archives and clients write them."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sky.regions import Circle, MocRegion, Point, Polygon, Range, Region, RegionError, Union, normalise
from sky.text import parse_dali, parse_region, to_dali, to_stcs

SQUARE = Polygon(((10.0, 10.0), (10.0, 11.0), (11.0, 11.0), (11.0, 10.0)))

ras, decs = st.floats(0.0, 360.0, exclude_max=True), st.floats(-90.0, 90.0)
points = st.builds(Point, ras, decs)
circles = st.builds(Circle, ras, decs, st.floats(0.0, 180.0))
triangles = st.builds(
    lambda ra, dec, size: Polygon(((ra, dec), (ra, dec + size), (ra + size, dec))),
    st.floats(0.0, 350.0),
    st.floats(-80.0, 70.0),
    st.floats(1e-6, 9.0),
)
ranges = st.builds(
    lambda west, east, dec: Range(west, east, dec[0], dec[1]),
    st.one_of(ras, st.just(-math.inf)),
    st.one_of(ras, st.just(math.inf)),
    st.tuples(st.floats(-90.0, 0.0), st.one_of(st.floats(0.0, 90.0), st.just(math.inf))),
)
mocs = st.lists(st.tuples(st.integers(0, (12 << 58) - 9), st.integers(1, 8)), min_size=1, max_size=5).map(
    lambda pairs: MocRegion(tuple((low, low + size) for low, size in pairs))
)
shapes = st.one_of(points, circles, triangles, ranges, mocs)
simple_shapes = st.one_of(points, circles, triangles)
regions = st.one_of(
    shapes, st.lists(simple_shapes, min_size=2, max_size=4).map(lambda parts: Union(tuple(parts)))
).map(normalise)


@given(regions)
def test_stcs_reads_back_the_same(region: Region) -> None:
    assert parse_region(to_stcs(region)) == region


@given(st.one_of(points.filter(lambda _: True), circles, triangles, ranges, mocs).map(normalise))
def test_dali_reads_back_the_same(region: Region) -> None:
    assert parse_region(to_dali(region)) == region
    keyword, _, rest = to_dali(region).partition(" ")
    assert parse_dali(keyword.lower(), rest) == region
    assert parse_dali("shape", to_dali(region)) == region


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("POSITION J2000 266.414807 -29.00877", Point(266.414807, -29.00877)),
        ("POLYGON J2000 10 10 10 11 11 11 11 10", SQUARE),
        ("POLYGON ICRS 10 10 10 11 11 11 11 10 10 10", SQUARE),
        ("polygon icrs geocenter spherical2 10 10 10 11 11 11 11 10", SQUARE),
        ("Polygon '' 10 10 10 11 11 11 11 10", SQUARE),
        ("Polygon 370 10 10 11 11 11 11 10", SQUARE),
        ("  CIRCLE\tFK5 TOPOCENTER 1 2 0.5 ", Circle(1.0, 2.0, 0.5)),
        ("Circle UNKNOWNFRAME 1,2,0.5", Circle(1.0, 2.0, 0.5)),
        ("CIRCLE ICRS 60 120 30 unit arcmin", Circle(1.0, 2.0, 0.5)),
        ("CIRCLE fillfactor 0.5 ICRS 1 2 0.5 Error 0.1", Circle(1.0, 2.0, 0.5)),
        ("UNION ICRS (CIRCLE 1 2 0.5 CIRCLE 5 6 1)", Union((Circle(1.0, 2.0, 0.5), Circle(5.0, 6.0, 1.0)))),
        (
            "UNION (CIRCLE 1 2 0.5 Error 0.1 CIRCLE 5 6 1)",
            Union((Circle(1.0, 2.0, 0.5), Circle(5.0, 6.0, 1.0))),
        ),
        ("UNION (CIRCLE ICRS 1 2 0.5 UNION (POSITION 5 6))", Union((Circle(1.0, 2.0, 0.5), Point(5.0, 6.0)))),
        ("UNION ICRS ( CIRCLE 1 2 0.5 )", Circle(1.0, 2.0, 0.5)),
        ("RANGE 350 10 -Inf 5", Range(350.0, 10.0, -math.inf, 5.0)),
        ("PositionInterval ICRS 350 -5 10 5", Range(350.0, 10.0, -5.0, 5.0)),
        ("1 0/", None),
        ("MOC 0/1 1/", MocRegion(((1 << 58, 2 << 58),))),
        ("0/1,3", MocRegion(((1 << 58, 2 << 58), (3 << 58, 4 << 58)))),
        ("29/5-7 9", MocRegion(((5, 8), (9, 10)))),
    ],
)
def test_reads_what_archives_write(text: str, region: Region | None) -> None:
    if region is None:
        with pytest.raises(RegionError):
            parse_region(text)
    else:
        assert parse_region(text) == region


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("", "syntax", "ends"),
        ("CIRCLE", "syntax", "3 numbers"),
        ("CIRCLE 1 2", "syntax", "3 numbers, not 2"),
        ("CIRCLE 1 2 3 4", "syntax", "not 4"),
        ("CIRCLE 1 2 3 CIRCLE", "syntax", "CIRCLE"),
        ("CIRCLE 1 2 200", "out-of-range", "200"),
        ("CIRCLE 1 2 -1", "out-of-range", "radius"),
        ("CIRCLE 1 95 1", "out-of-range", "95"),
        ("CIRCLE 1000 5 1", "out-of-range", "1000"),
        ("CIRCLE nan 5 1", "not-finite", "finite"),
        ("CIRCLE 1 5 inf", "not-finite", "radius"),
        ("CIRCLE FOO 1 2 3", "unsupported", "FOO"),
        ("CIRCLE ICRS 1 2 3 unit parsec", "unsupported", "unit"),
        ("POLYGON 1 2 3 4", "too-few-vertices", "2"),
        ("POLYGON 1 2 3 4 5", "syntax", "pairs"),
        ("POLYGON 0 0 2 2 2 0 0 2", "self-crossing", "cross"),
        ("POLYGON 0 0 180 0 90 50", "antipodal-edge", "opposite"),
        ("POLYGON 0 0 1 0 2 0", "degenerate", "nothing"),
        ("RANGE 1 2 5 3", "out-of-range", "south"),
        ("RANGE 1 nan 5 7", "not-finite", "not a number"),
        ("RANGE GALACTIC 1 2 3 4", "unsupported", "GALACTIC"),
        ("ELLIPSE ICRS 1 2 3 4 5", "unsupported", "ELLIPSE"),
        ("INTERSECTION (CIRCLE 1 2 3 CIRCLE 1 2 3)", "unsupported", "INTERSECTION"),
        ("NOT (CIRCLE 1 2 3)", "unsupported", "NOT"),
        ("BOX ICRS 1 2 3 4 30", "unsupported", "rotated"),
        ("UNION CIRCLE 1 2 3", "syntax", "parentheses"),
        ("UNION (CIRCLE 1 2 3", "syntax", "ends"),
        ("UNION ()", "empty", "no parts"),
        ("MOC 1/99", "out-of-range", "99"),
        ("MOC 31/1", "syntax", "order"),
        ("wibble", "syntax", "WIBBLE"),
        ("CIRCLE('ICRS', 1, 2, 3)", "syntax", "without parentheses here, as in 'CIRCLE ICRS 10 20 0.5'"),
        ("POLYGON(1, 2, 3, 4, 5, 6)", "syntax", "'POLYGON ICRS 10 20 11 20 11 21'"),
        ("POINT('', 1, 2)", "syntax", "'POINT ICRS 10 20'"),
        ("UNION (CIRCLE 1 2 3 BOX(1, 2, 3, 4))", "syntax", "'BOX ICRS 10 20 2 1'"),
        ("REGION('CIRCLE ICRS 1 2 3')", "syntax", "give the text in it alone"),
    ],
)
def test_refuses_with_a_code_and_a_sentence(text: str, code: str, word: str) -> None:
    with pytest.raises(RegionError, match=word) as caught:
        parse_region(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "shape", ["CIRCLE", "POLYGON", "BOX", "RANGE", "POSITION", "POINT", "POSITIONINTERVAL"]
)
def test_the_form_that_is_wanted_can_be_read(shape: str) -> None:
    with pytest.raises(RegionError) as caught:
        parse_region(f"{shape}('ICRS', 1, 2)")
    form = str(caught.value).split("'")[1]
    assert form.startswith(shape)
    parse_region(form)


def test_other_frames_become_icrs() -> None:
    centre = parse_region("POSITION GALACTIC 0 0")
    assert isinstance(centre, Point)
    assert centre.ra == pytest.approx(266.40499, abs=1e-5)
    assert centre.dec == pytest.approx(-28.93617, abs=1e-5)
    fk4 = parse_region("CIRCLE FK4 0 0 1")
    assert isinstance(fk4, Circle)
    assert fk4.ra == pytest.approx(0.6406, abs=1e-3)
    assert fk4.radius == 1.0


@pytest.mark.parametrize("xtype", ["ellipse", "timestamp", ""])
def test_unknown_xtypes_are_refused(xtype: str) -> None:
    with pytest.raises(RegionError, match="not a DALI shape"):
        parse_dali(xtype, "1 2 3")


@given(st.text(max_size=40))
def test_any_text_is_a_region_or_a_region_error(text: str) -> None:
    with suppress(RegionError):
        assert parse_region(text) is not None
