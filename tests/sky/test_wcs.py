"""Footprints of FITS images: the polygon's edges follow the image's border."""

import math
import warnings
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import FK4, FK5, SkyCoord
from astropy.io.fits import Header
from astropy.time import Time
from astropy.utils.data import get_pkg_data_contents
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from sky.regions import Circle, MocRegion, Point, Polygon, RegionError, Union, area, bounding_circle
from sky.relations import contains_points, cover
from sky.shapes import signed_distance
from sky.vectors import separation, unit_vectors
from sky.wcs import celestial_footprint

ZENITHAL = ["TAN", "SIN", "STG", "ARC", "ZEA", "AIR", "ZPN", "AZP", "SZP"]
OTHERS = ["CAR", "CEA", "MER", "SFL", "PAR", "MOL", "AIT", "HPX", "CYP", "TSC", "QSC", "CSC", "XPH"]
CONIC = ["COP", "COE", "COD", "COO", "BON", "PCO"]
EXTRA: dict[str, dict[str, float]] = {
    "ZPN": {"PV2_1": 1.0},
    "CYP": {"PV2_1": 1.0, "PV2_2": 1.0},
    "COP": {"PV2_1": 45.0},
    "COE": {"PV2_1": 45.0},
    "COD": {"PV2_1": 45.0},
    "COO": {"PV2_1": 45.0},
    "BON": {"PV2_1": 45.0},
    "AIR": {"PV2_1": 45.0},
}


def image(code: str = "TAN", ra: float = 150.0, dec: float = -30.0, **more: Any) -> dict[str, Any]:
    cards: dict[str, Any] = {
        "NAXIS": 2, "NAXIS1": 200, "NAXIS2": 100,
        "CTYPE1": f"RA---{code}", "CTYPE2": f"DEC--{code}", "CRVAL1": ra, "CRVAL2": dec,
        "CRPIX1": 90.0, "CRPIX2": 60.0, "CDELT1": -0.01, "CDELT2": 0.01,
    }  # fmt: skip
    return cards | EXTRA.get(code, {}) | more


def border(
    cards: dict[str, Any] | Header, count: int = 50
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Places along the outer edge of the border pixels, by astropy alone."""
    width, height = cards["NAXIS1"], cards["NAXIS2"]
    x, y = np.linspace(-0.5, width - 0.5, count), np.linspace(-0.5, height - 0.5, count)
    around_x = np.concatenate((x, np.full(count, width - 0.5), x, np.full(count, -0.5)))
    around_y = np.concatenate((np.full(count, -0.5), y, np.full(count, height - 0.5), y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WCS(Header(cards)).celestial.all_pix2world(around_x, around_y, 0)


@pytest.mark.parametrize("code", ZENITHAL + OTHERS + CONIC)
@pytest.mark.parametrize(("ra", "dec", "scale"), [(150.0, 40.0, 0.001), (0.0, 20.0, 0.02), (0.0, 89.5, 0.01)])
def test_edges_stay_on_the_border_in_every_projection(code: str, ra: float, dec: float, scale: float) -> None:
    if dec > 80.0 and code not in ZENITHAL:
        pytest.skip("cylindrical and conic images of a pole are maps, not fields")
    reference = {"CRVAL2": 45.0} if code in CONIC else {}
    if code in OTHERS:
        reference = {"CRVAL2": 0.0, "CRPIX2": 60.0 - dec / scale} if code != "XPH" else {}
    cards = image(code, ra, dec, CDELT1=-scale, CDELT2=scale, **reference)
    if code == "XPH":
        pytest.skip("XPH images show the pole's butterfly")
    found = celestial_footprint([cards])
    assert isinstance(found.region, Polygon)
    lon, lat = border(cards)
    gap = np.abs(signed_distance(found.region, unit_vectors(lon, lat)))
    assert np.degrees(gap.max()) * 3600.0 <= max(0.1, 0.01 * scale * 3600.0)
    assert found.centre is not None
    assert contains_points(found.region, found.centre.ra, found.centre.dec)
    assert found.notes == ()


@pytest.mark.parametrize("code", ["TAN", "STG", "MER"])
def test_the_centre_of_one_image_is_its_middle_pixel(code: str) -> None:
    """Not the middle of the circle around it, which one of several images has."""
    cards = image(code, 150.0, 0.0, CRPIX1=90.0, CRPIX2=-4000.0)
    found = celestial_footprint([cards, cards])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lon, lat = WCS(Header(cards)).all_pix2world(99.5, 49.5, 0)
    circle = bounding_circle(found.region) if found.region else None
    assert found.centre is not None
    assert circle is not None
    assert separation(found.centre.ra, found.centre.dec, lon, lat) < 1e-10
    assert separation(circle.ra, circle.dec, lon, lat) > 1e-6


@settings(max_examples=40)
@given(
    st.floats(0.0, 360.0),
    st.sampled_from([-90.0, -89.9, -40.0, 0.0, 41.8, 89.99, 90.0]),
    st.sampled_from([1e-6, 1e-4, 0.01, 0.1]),
    st.floats(0.0, 6.28),
    st.booleans(),
)
def test_tangent_images_have_true_corners_anywhere(
    ra: float,
    dec: float,
    scale: float,
    turn: float,
    flip: bool,  # noqa: FBT001
) -> None:
    sign = 1.0 if flip else -1.0
    cards = image(
        ra=ra, dec=dec,
        CD1_1=sign * scale * math.cos(turn), CD1_2=-scale * math.sin(turn),
        CD2_1=sign * scale * math.sin(turn), CD2_2=scale * math.cos(turn),
    )  # fmt: skip
    del cards["CDELT1"], cards["CDELT2"]
    found = celestial_footprint([cards])
    assert isinstance(found.region, Polygon)
    assert len(found.region.vertices) == 4
    assert found.pixel_scale == pytest.approx(scale * 3600.0, rel=0.02)
    assert found.pixels == (200, 100)
    assert area(found.region) == pytest.approx(200 * 100 * scale**2, rel=0.1)
    assert found.fov is not None
    assert math.hypot(200, 100) * scale * 0.9 < found.fov < math.hypot(200, 100) * scale * 1.1
    corners = border(cards, 2)
    gap = np.abs(signed_distance(found.region, unit_vectors(*corners)))
    assert np.degrees(gap.max()) * 3600.0 < 1e-4


def test_a_distorted_image_follows_its_distortion() -> None:
    sip = {
        "CTYPE1": "RA---TAN-SIP",
        "CTYPE2": "DEC--TAN-SIP",
        "A_ORDER": 2,
        "B_ORDER": 2,
        "A_0_2": 2e-3,
        "B_2_0": 1e-3,
    }
    cards = image(**sip)
    found = celestial_footprint([cards])
    assert isinstance(found.region, Polygon)
    assert len(found.region.vertices) > 4
    gap = np.abs(signed_distance(found.region, unit_vectors(*border(cards))))
    assert np.degrees(gap.max()) * 3600.0 <= 0.36


def test_a_real_tpv_image_follows_its_distortion() -> None:
    text = get_pkg_data_contents("data/tpvonly.hdr", package="astropy.wcs.tests", encoding="binary")
    decoded = text.decode("latin1")
    cards = Header.fromstring(decoded, sep="\n" if "\n" in decoded else "")
    cards.update({"NAXIS": 2, "NAXIS1": 2000, "NAXIS2": 3000})
    found = celestial_footprint([cards])
    assert isinstance(found.region, Polygon)
    assert len(found.region.vertices) > 4
    gap = np.abs(signed_distance(found.region, unit_vectors(*border(cards))))
    assert np.degrees(gap.max()) * 3600.0 <= 0.1


@pytest.mark.parametrize(
    ("more", "frame"),
    [
        ({"RADESYS": "FK4", "EQUINOX": 1950.0}, "fk4"),
        ({"EQUINOX": 1950.0}, "fk4"),
        ({"EPOCH": 1950.0}, "fk4"),
        ({"RADESYS": "FK4", "MJD-OBS": 44239.0}, FK4(obstime=Time(44239.0, format="mjd"))),
        ({"RADESYS": "FK4", "DATE-OBS": "1980-01-01"}, FK4(obstime=Time(44239.0, format="mjd"))),
        ({"RADECSYS": "FK5", "EQUINOX": 1975.0}, FK5(equinox="J1975")),
        ({"RADESYS": "ICRS"}, "icrs"),
        ({}, "icrs"),
        ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "galactic"),
        ({"CTYPE1": "ELON-TAN", "CTYPE2": "ELAT-TAN"}, "barycentricmeanecliptic"),
    ],
)
def test_frames_become_icrs(more: dict[str, Any], frame: Any) -> None:
    found = celestial_footprint([image(**more, CRPIX1=100.5, CRPIX2=50.5)])
    expected = SkyCoord(150.0 * u.deg, -30.0 * u.deg, frame=frame).icrs
    assert found.centre is not None
    gap = separation(found.centre.ra, found.centre.dec, expected.ra.deg, expected.dec.deg)
    assert gap * 3600.0 < 1e-3


def test_cubes_use_their_celestial_axes() -> None:
    flat = celestial_footprint([image()])
    cube = image(NAXIS=4, NAXIS3=50, NAXIS4=1, CTYPE3="FREQ", CRVAL3=1e11, CDELT3=1e6, CUNIT3="odd",
                 CTYPE4="STOKES", CRVAL4=1.0, CDELT4=1.0, CRPIX4=1.0)  # fmt: skip
    assert celestial_footprint([cube]).region == flat.region
    assert celestial_footprint([cube], [(1, 50, 100, 200)]).region == flat.region
    table = image(
        NAXIS=3, NAXIS3=5, CTYPE3="WAVE-TAB", CUNIT3="m", CRVAL3=1.0, PS3_0="LOOKUP", PS3_1="WAVELENGTH"
    )
    assert celestial_footprint([table]).region == flat.region


def test_swapped_axes_are_understood() -> None:
    cards = image(CTYPE1="DEC--TAN", CTYPE2="RA---TAN", CRVAL1=-30.0, CRVAL2=150.0)
    found = celestial_footprint([cards])
    assert found.pixels == (100, 200)
    assert isinstance(found.region, Polygon)
    assert contains_points(found.region, 150.0, -30.0)


def test_several_images_are_a_union_and_repeated_ones_count_once() -> None:
    one, two = image(ra=150.0), image(ra=153.0)
    found = celestial_footprint([{"NAXIS": 0}, one, one, two])
    assert isinstance(found.region, Union)
    assert len(found.region.parts) == 2
    assert found.centre is not None
    assert found.fov is not None
    assert cover(Circle(found.centre.ra, found.centre.dec, found.fov / 2.0 * 1.0001), found.region)
    assert isinstance(celestial_footprint([one, one]).region, Polygon)
    mixed = celestial_footprint([one, image(CRVAL1=float("nan"))])
    assert isinstance(mixed.region, Polygon)
    assert "CRVAL1" in mixed.notes[0]


def test_compressed_images_tell_their_size_in_z_cards() -> None:
    cards = image(NAXIS1=8, NAXIS2=100, ZNAXIS=2, ZNAXIS1=200, ZNAXIS2=100)
    assert celestial_footprint([cards]).region == celestial_footprint([image()]).region


def test_the_whole_sky_is_the_whole_sky() -> None:
    cards = image("CAR", 0.0, 0.0, NAXIS1=360, NAXIS2=180, CDELT1=-1.0, CDELT2=1.0, CRPIX1=180.5, CRPIX2=90.5)
    found = celestial_footprint([cards])
    assert found.region is not None
    assert found.region == Circle(0.0, 0.0, 180.0)
    assert found.fov == pytest.approx(360.0)


@pytest.mark.parametrize("code", ["AIT", "MOL", "SFL", "HPX"])
def test_maps_whose_corners_leave_the_sky_are_sampled(code: str) -> None:
    cards = image(code, 0.0, 0.0, NAXIS1=360, NAXIS2=180, CDELT1=-1.0, CDELT2=1.0, CRPIX1=180.5, CRPIX2=90.5)
    found = celestial_footprint([cards])
    assert isinstance(found.region, MocRegion | Circle)
    assert area(found.region) > 0.95 * 41252.0
    assert "map of cells" in found.notes[0]


def _places(cards: dict[str, Any], count: int = 120) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Positions of a grid of pixels, by astropy alone, where they are on the sky."""
    x, y = np.meshgrid(
        np.linspace(-0.5, cards["NAXIS1"] - 0.5, count), np.linspace(-0.5, cards["NAXIS2"] - 0.5, count)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lon, lat = WCS(Header(cards)).all_pix2world(x.ravel(), y.ravel(), 0)
    shown = np.isfinite(lon)
    return lon[shown], lat[shown]


@pytest.mark.parametrize("code", [*ZENITHAL, *OTHERS, *CONIC])
def test_a_map_holds_every_pixel_on_the_sky(code: str) -> None:
    """All-sky images, also those of cubes and of discs with a limb: the footprint is a superset."""
    dec = 45.0 if code in {"COP", "COE", "COD", "COO"} else 0.0
    cards = image(code, 180.0, dec, NAXIS1=180, NAXIS2=90, CDELT1=-2.0, CDELT2=2.0, CRPIX1=90.5, CRPIX2=45.5)
    found = celestial_footprint([cards])
    assert found.region is not None
    lon, lat = _places(cards)
    assert contains_points(found.region, lon, lat).all()
    assert celestial_footprint([cards]) == found


@pytest.mark.parametrize(("south", "rows"), [(-10.5, 20), (70.5, 19)])
def test_rings_around_the_sky_are_mapped(south: float, rows: int) -> None:
    cards = image("CAR", 0.0, 0.0, NAXIS1=360, NAXIS2=rows, CDELT1=-1.0, CDELT2=1.0, CRPIX1=180.5,
                  CRPIX2=-south)  # fmt: skip
    found = celestial_footprint([cards])
    assert isinstance(found.region, MocRegion)
    assert contains_points(found.region, *_places(cards)).all()
    assert not contains_points(found.region, 10.0, -60.0)
    ring = 360.0 * np.degrees(np.sin(np.radians(south + rows + 0.5)) - np.sin(np.radians(south + 0.5)))
    assert ring <= area(found.region) < 1.3 * ring


@pytest.mark.parametrize("middle", [0.0, 300.0])
def test_a_map_whose_middle_is_off_the_sky_has_the_middle_of_what_it_shows(middle: float) -> None:
    cards = image("SFL", 30.0, 0.0, NAXIS1=360, NAXIS2=180, CDELT1=-1.0, CDELT2=1.0,
                  CRPIX1=180.5 + middle, CRPIX2=90.5)  # fmt: skip
    found = celestial_footprint([cards])
    assert found.region is not None
    assert found.centre is not None
    circle = bounding_circle(found.region)
    spot = (circle.ra, circle.dec) if middle else (30.0, 0.0)
    assert separation(found.centre.ra, found.centre.dec, *spot) < 1e-9


def test_an_image_of_more_than_half_the_sky_is_not_turned_inside_out() -> None:
    cards = image("ZEA", 0.0, 90.0, NAXIS1=162, NAXIS2=162, CDELT1=-1.0, CDELT2=1.0, CRPIX1=81.5, CRPIX2=81.5)
    found = celestial_footprint([cards])
    assert isinstance(found.region, MocRegion)
    assert contains_points(found.region, *_places(cards)).all()
    assert found.centre is not None
    assert found.centre.dec == pytest.approx(90.0, abs=1e-6)


def test_an_image_at_the_rim_of_the_sky_shows_its_part() -> None:
    cards = image("SFL", 10.0, 0.0, CRPIX2=60.0 - 90.0 / 0.01)
    found = celestial_footprint([cards])
    assert isinstance(found.region, MocRegion)
    assert contains_points(found.region, *_places(cards)).all()
    assert area(found.region) < 2.0


def test_polynomials_need_no_inverse() -> None:
    """Strong TPV terms, and a radial one, are followed forward."""
    cards = image("TPV", PV1_0=0.0, PV1_1=1.01, PV1_2=0.002, PV1_4=0.01, PV1_7=0.03,
                  PV2_0=0.001, PV2_1=0.99, PV2_5=0.02, PV2_7=-0.03, CD1_1=-0.01, CD2_2=0.01)  # fmt: skip
    del cards["CDELT1"], cards["CDELT2"]
    found = celestial_footprint([cards])
    assert isinstance(found.region, Polygon)
    assert area(found.region) == pytest.approx(2.0, rel=0.1)
    gap = np.abs(signed_distance(found.region, unit_vectors(*border(cards))))
    assert np.degrees(gap.max()) * 3600.0 <= 0.36
    radial = celestial_footprint([cards | {"PV1_3": 0.01, "PV1_11": 0.1}])
    assert isinstance(radial.region, Polygon)
    scaled = {key: value for key, value in cards.items() if not key.startswith("CD")}
    again = celestial_footprint([scaled | {"CDELT1": -0.01, "CDELT2": 0.01, "PC1_1": 1.0}])
    assert again == found


def test_the_central_meridian_of_a_polyconic_image_is_on_the_sky() -> None:
    found = celestial_footprint([image("PCO", CRPIX1=100.5)])
    assert isinstance(found.region, Polygon)


@pytest.mark.parametrize("more", [{"CPDIS1": "LOOKUP"}, {"D2IMDIS2": "LOOKUP"}])
def test_a_distortion_left_out_is_named(more: dict[str, Any]) -> None:
    found = celestial_footprint([image(**more)])
    assert found.region == celestial_footprint([image()]).region
    assert "distortion" in found.notes[0]
    assert next(iter(more))[:-1] in found.notes[0]


def test_nothing_is_printed_about_a_header(capfd: pytest.CaptureFixture[str]) -> None:
    celestial_footprint([image(A_ORDER=2, B_ORDER=2, A_0_2=2e-3, B_2_0=1e-3)])
    assert capfd.readouterr() == ("", "")


def test_an_equinox_of_0_is_none() -> None:
    assert celestial_footprint([image(EQUINOX=0.0)]) == celestial_footprint([image()])


def test_axis_types_may_be_in_lower_case() -> None:
    lower = image(CTYPE1="ra---tan", CTYPE2="dec--tan")
    assert celestial_footprint([lower]) == celestial_footprint([image()])


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"CRVAL1": float("nan")}, "CRVAL1"),
        ({"CRPIX2": float("inf")}, "CRPIX2"),
        ({"CRVAL2": "north"}, "CRVAL2"),
        ({"CRVAL2": 100.0}, "cannot be read"),
        ({"CDELT1": 0.0}, "zero"),
        ({"CD1_1": 0.0, "CD1_2": 0.0, "CD2_2": 1e-5}, "zero"),
        ({"CD1_1": 1e-5, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": 1e-5}, "."),
        ({"CTYPE1": "RA---XYZ", "CTYPE2": "DEC--XYZ"}, "cannot be read"),
        ({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--SIN"}, "cannot be read"),
        ({"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN"}, "celestial sphere"),
        ({"RADESYS": "GAPPT"}, "GAPPT"),
        ({"CTYPE1": "RA---TAB", "CTYPE2": "DEC--TAB"}, "table"),
        ({"CDELT1": 100.0, "CDELT2": 100.0}, "absurd"),
        ({"CDELT1": 1e-30, "CDELT2": 1e-30}, "absurd"),
        ({"CDELT1": 1e-12, "CDELT2": 1e-12}, "pixels of 1e-12 to 1e-12 degrees"),
        ({"CDELT1": 60.0, "CDELT2": 60.0}, "pixels of 60 to 60 degrees"),
        ({"CUNIT1": "furlong"}, "cannot be read"),
        ({"CRVAL1": 725.0}, "no place"),
        ({"CRVAL1": 1e30}, "no place"),
        ({"EQUINOX": 3.5e5}, "no year"),
        ({"CDELT1": 1e300, "CDELT2": 1e300, "PC1_2": 1e200, "PC2_1": 1e308}, "not finite"),
        ({"WCSAXES": 31413}, "WCSAXES"),
    ],
)
def test_absurd_coordinates_are_refused_by_name(more: dict[str, Any], word: str) -> None:
    with pytest.raises(RegionError, match=word) as caught:
        celestial_footprint([image(**more)])
    assert caught.value.code


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"NAXIS": 0},
        {"NAXIS": 2, "NAXIS1": 10, "NAXIS2": 10},
        {"NAXIS": 2, "NAXIS1": 10, "NAXIS2": 10, "CTYPE1": "LINEAR", "CTYPE2": "PIXEL", "CRVAL1": 3.0},
        {"NAXIS": 1, "NAXIS1": 10, "CTYPE1": "WAVE", "RA": 10.0, "DEC": 20.0},
        image(NAXIS=0),
        image(NAXIS1=0),
    ],
)
def test_what_the_header_does_not_say_is_not_made_up(cards: dict[str, Any]) -> None:
    found = celestial_footprint([cards])
    assert (found.region, found.centre, found.fov, found.pixel_scale, found.pixels) == (None,) * 5
    assert found.notes


values = st.one_of(st.floats(), st.integers(-(10**6), 10**6), st.text(max_size=8), st.none(), st.booleans())
keywords = st.sampled_from(
    ["CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CD1_1", "CD1_2", "CDELT1", "CDELT2", "CUNIT1",
     "PV2_1", "NAXIS", "LONPOLE", "LATPOLE", "EQUINOX", "RADESYS", "NAXIS1", "WCSAXES", "A_ORDER", "A_2_0",
     "MJD-OBS", "CROTA2", "PC1_2"]
)  # fmt: skip


@given(st.dictionaries(keywords, values, max_size=3))
def test_no_header_leads_to_anything_but_an_answer_or_a_refusal(odd: dict[str, Any]) -> None:
    refused: list[str] = []
    try:
        found = celestial_footprint([image() | odd])
    except RegionError as error:
        refused.append(error.code)
    if refused:
        assert refused[0]
        return
    assert (found.region is None) == (found.fov is None)
    assert found.centre is None or isinstance(found.centre, Point)


def test_a_broken_card_harms_only_what_needs_it() -> None:
    good = Header(image())
    text = good.tostring(sep="\n", endcard=False, padding=False)
    broken = Header.fromstring(text + "\nOBSERVER= 'no end to this".ljust(80), sep="\n")
    assert celestial_footprint([broken]).region == celestial_footprint([good]).region
    needed = Header.fromstring(text.replace("CRVAL1  =", "CRVAL1  = '"), sep="\n")
    with pytest.raises(RegionError, match="CRVAL1"):
        celestial_footprint([needed])
