"""Footprints from the celestial WCS of FITS headers, without a look at the pixels.

Image borders are followed until great-circle edges are true to 0.1 arcsec or a hundredth of a pixel,
whichever is larger. Whatever is not in the header is not made up: an image without celestial axes has
no footprint, one whose coordinates are absurd is refused by name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS

from sky.frames import FK4_WITHOUT_E_TERMS, to_icrs
from sky.headers import Cards, axis_length, build_wcs, coordinate_cards, quiet_wcs
from sky.healpix import cells
from sky.moc import from_ranges
from sky.regions import (
    Circle,
    Point,
    Polygon,
    Region,
    RegionError,
    Union,
    bounding_circle,
    normalise,
    reverse,
)
from sky.relations import contains_points
from sky.times import TimeError, parse_mjd
from sky.vectors import BoolArray, FloatArray, angles, dots, normals, positions, separation, unit_vectors

BORDER_TOLERANCE = float(np.radians(0.08 / 3600.0))
"""How far the border of an image may leave the polygon's edge [rad]."""

_MOST_SPLITS = 7
_SAMPLING_ORDER = 6
"""HEALPix order of the map made of an image whose border leaves the sky; a cell is 0.9 deg wide."""

ToSky: TypeAlias = Callable[[FloatArray, FloatArray], FloatArray]
"""From pixel coordinates, 0 at the first pixel's centre, to ICRS unit vectors; NaN off the sky."""


@dataclass(frozen=True, slots=True)
class ImageFootprint:
    """What the celestial WCS of a file says.

    Attributes
    ----------
    region : polygon, union of polygons, or MOC; None where no header has celestial axes.
    centre : middle of the image, or of the circle around several.
    fov : diameter of the circle around everything [deg].
    pixel_scale : size of a pixel [arcsec], the finest of all images.
    pixels : lengths of the longitude-like and latitude-like pixel axes of the first image.
    notes : what limits the answer, in words.
    """

    region: Region | None = None
    centre: Point | None = None
    fov: float | None = None
    pixel_scale: float | None = None
    pixels: tuple[int, int] | None = None
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class _Image:
    region: Region
    centre: Point
    pixel_scale: float
    pixels: tuple[int, int]
    note: str | None = None


def celestial_footprint(
    headers: Sequence[Cards], shapes: Sequence[tuple[int, ...] | None] | None = None
) -> ImageFootprint:
    """Find the sky that the images of one file cover.

    Parameters
    ----------
    headers
        One per HDU, or at least their coordinate cards.
    shapes
        The data's shapes in numpy order; None (for all or one) takes NAXISn, or ZNAXISn.

    Raises
    ------
    RegionError
        If no header gives a footprint and at least one has celestial axes that make no sense. Then
        ``code`` is "wcs" or says what is wrong with the polygon.
    """
    images: list[_Image] = []
    errors: list[RegionError] = []
    for header, shape in zip(headers, shapes or [None] * len(headers), strict=True):
        try:
            image = _image(header, shape)
        except RegionError as error:
            errors.append(error)
            continue
        if image is not None:
            images.append(image)
    if not images:
        if errors:
            raise errors[0]
        return ImageFootprint(notes=("no header has celestial axes and an image",))
    return _joined(images, errors)


def _joined(images: list[_Image], errors: list[RegionError]) -> ImageFootprint:
    # Error and quality planes repeat the outline of their image.
    regions = list(dict.fromkeys(image.region for image in images))
    region = regions[0] if len(regions) == 1 else Union(tuple(regions))
    circle = bounding_circle(region)
    notes = [image.note for image in images if image.note] + [str(error) for error in errors]
    return ImageFootprint(
        region,
        images[0].centre if len(regions) == 1 else Point(circle.ra, circle.dec),
        2.0 * circle.radius,
        float(np.degrees(min(image.pixel_scale for image in images)) * 3600.0),
        images[0].pixels,
        tuple(dict.fromkeys(notes)),
    )


def _image(header: Cards, shape: tuple[int, ...] | None) -> _Image | None:
    if not _claims_sky(header):
        return None
    if (len(shape) if shape is not None else header.get("ZNAXIS", header.get("NAXIS", 0))) == 0:
        return None
    cards = coordinate_cards(header)
    _only_sky(cards)
    wcs = build_wcs(cards)
    lon, lat = wcs.wcs.lng, wcs.wcs.lat
    if lon < 0 or lat < 0:
        return None
    size = (axis_length(header, lon + 1, shape), axis_length(header, lat + 1, shape))
    if min(size) < 1:
        return None
    with quiet_wcs("the celestial axes cannot be told from the others"):
        celestial = wcs.sub([lon + 1, lat + 1])
    scales = np.degrees(1.0) * np.abs(np.linalg.eigvals(np.radians(celestial.pixel_scale_matrix)))
    if not (scales.min() > 1e-12 and scales.max() < 60.0):
        raise RegionError("wcs", f"pixels of {scales.min():.3g} to {scales.max():.3g} degrees are absurd")
    to_sky = _to_sky(celestial, cards)
    return _outline(to_sky, size)


def _claims_sky(header: Cards) -> bool:
    kinds = [str(header.get(f"CTYPE{axis}", "")).upper() for axis in range(1, 8)]
    longitude = [kind for kind in kinds if kind.startswith("RA") or kind[1:4] == "LON" or kind[2:4] == "LN"]
    latitude = [kind for kind in kinds if kind.startswith("DEC") or kind[1:4] == "LAT" or kind[2:4] == "LT"]
    return bool(longitude and latitude)


def _only_sky(cards: Header) -> None:
    """Make the other axes plain ones, so that trouble there does not harm the celestial ones.

    A row of zeros in the matrix would silently become one pixel per degree, and is refused.
    """
    for axis in range(1, 8):
        kind = str(cards.get(f"CTYPE{axis}", "")).upper()
        celestial = kind.startswith(("RA", "DEC")) or kind[1:4] in {"LON", "LAT"} or kind[2:4] in {"LN", "LT"}
        if not celestial:
            if kind:
                cards[f"CTYPE{axis}"] = "LINEAR"
            cards.remove(f"CUNIT{axis}", ignore_missing=True)
            continue
        if kind.endswith("-TAB"):
            raise RegionError("wcs", f"the celestial axis {kind} needs a table of coordinates")
        row = [cards[keyword] for keyword in cards if keyword.startswith(f"CD{axis}_")]
        if (row and not any(row)) or cards.get(f"CDELT{axis}", 1.0 if row else None) == 0.0:
            raise RegionError("wcs", f"the scale of the celestial axis {axis} is zero")


def _to_sky(wcs: WCS, cards: Header) -> ToSky:
    frame, equinox, epoch = _frame(wcs, cards)
    # The inverse of the COBE sphere cube is true to some tens of arcsec only.
    sloppy = 0.1 / np.abs(wcs.pixel_scale_matrix).max() if wcs.wcs.ctype[0].endswith("-CSC") else 0.0

    def to_sky(x: FloatArray, y: FloatArray) -> FloatArray:
        with quiet_wcs("pixels have no place on the sky"):
            lon, lat = wcs.all_pix2world(x, y, 0)
            back_x, back_y = wcs.wcs_world2pix(lon, lat, 0)
            flat_x, flat_y = wcs.pix2foc(x, y, 0) if wcs.has_distortion else (x, y)
        # Beyond the edge of a projection the inverse does not lead back.
        stray = ~(np.hypot(back_x - flat_x, back_y - flat_y) < max(0.5, sloppy))
        ra, dec = to_icrs(np.where(stray, np.nan, lon), lat, frame, equinox, epoch)
        return unit_vectors(ra, dec)

    return to_sky


def _frame(wcs: WCS, cards: Header) -> tuple[str, float | None, float | None]:
    """Name the frame of the celestial axes (WCS paper II, section 3.1), with equinox and epoch."""
    kind = wcs.wcs.lngtyp.strip().upper()
    equinox = float(wcs.wcs.equinox) if np.isfinite(wcs.wcs.equinox) else None
    if kind == "GLON":
        return "GALACTIC", None, None
    if kind == "ELON":
        return "ECLIPTIC", equinox, None
    if kind != "RA":
        raise RegionError(
            "wcs", f"the coordinates {kind} and {wcs.wcs.lattyp.strip()} are not of the celestial sphere"
        )
    system = (wcs.wcs.radesys or cards.get("RADECSYS", "")).strip().upper()
    if not system:
        system = "ICRS" if equinox is None else "FK4" if equinox < 1984.0 else "FK5"
    if system == "FK4-NO-E":
        system = FK4_WITHOUT_E_TERMS
    if system not in {"ICRS", "FK5", "FK4", FK4_WITHOUT_E_TERMS}:
        raise RegionError("wcs", f"the celestial frame {system} is not supported")
    return system, None if system == "ICRS" else equinox, _epoch(cards) if system.startswith("FK4") else None


def _epoch(cards: Header) -> float | None:
    value = cards.get("MJD-OBS", cards.get("DATE-OBS"))
    try:
        return None if value in {None, ""} else 1900.0 + (parse_mjd(value) - 15019.81352) / 365.242198781
    except TimeError:
        return None


def _outline(to_sky: ToSky, size: tuple[int, int]) -> _Image:
    middle = ((size[0] - 1) / 2.0, (size[1] - 1) / 2.0)
    scale = _pixel_scale(to_sky, middle)
    border = _border(to_sky, size, max(BORDER_TOLERANCE, 0.008 * scale))
    centre = to_sky(np.array([middle[0]]), np.array([middle[1]]))
    if border is None or np.isnan(centre).any():
        return _sampled(to_sky, size, scale)
    ra, dec = positions(border)
    centre_ra, centre_dec = positions(centre)
    spot = Point(float(centre_ra[0]), float(centre_dec[0]))
    try:
        polygon = normalise(Polygon(tuple(zip(ra.tolist(), dec.tolist(), strict=True))))
    except RegionError:
        if separation(ra, dec, *_antipode(spot)).min() > 90.0:
            raise
        return _sampled(to_sky, size, scale)
    assert isinstance(polygon, Polygon)  # noqa: S101 - normalise keeps the type
    if not contains_points(polygon, spot.ra, spot.dec):
        polygon = reverse(polygon)
    return _Image(polygon, spot, scale, size)


def _antipode(spot: Point) -> tuple[float, float]:
    return spot.ra + 180.0, -spot.dec


def _pixel_scale(to_sky: ToSky, middle: tuple[float, float]) -> float:
    """Measure the side of a square as large as the middle pixel [rad]."""
    x = middle[0] + np.array([-0.5, 0.5, 0.0, 0.0])
    y = middle[1] + np.array([0.0, 0.0, -0.5, 0.5])
    sky = to_sky(x, y)
    if np.isnan(sky).any():
        return float("nan")
    step_x, step_y = sky[1] - sky[0], sky[3] - sky[2]
    scale = float(np.sqrt(np.linalg.norm(np.cross(step_x, step_y))))
    longest = max(float(np.linalg.norm(step_x)), float(np.linalg.norm(step_y)))
    if not (scale > 1e-12 and longest < 1.0):
        raise RegionError("wcs", f"a pixel of {np.degrees(scale) * 3600.0:.3g} arcsec is absurd")
    return scale


def _border(to_sky: ToSky, size: tuple[int, int], tolerance: float) -> FloatArray | None:
    """Follow the outer edge of the border pixels; None if it leaves the sky."""

    def on_border(place: FloatArray) -> FloatArray:
        side, along = np.divmod(place % 4.0, 1.0)
        low_x, high_x, low_y, high_y = -0.5, size[0] - 0.5, -0.5, size[1] - 0.5
        width, height = size[0] * along, size[1] * along
        x = np.choose(side.astype(np.int64), [low_x + width, high_x, high_x - width, low_x])
        y = np.choose(side.astype(np.int64), [low_y, low_y + height, high_y, high_y - height])
        return to_sky(x, y)

    places = np.arange(4.0)
    sky = on_border(places)
    for _ in range(_MOST_SPLITS):
        if np.isnan(sky).any():
            return None
        after, step = np.roll(sky, -1, axis=0), np.diff(np.append(places, 4.0))
        probes = on_border((places[:, None] + step[:, None] * np.array([0.25, 0.5, 0.75])).ravel())
        probes = probes.reshape(-1, 3, 3)
        if np.isnan(probes).any():
            return None
        off = np.abs(np.arcsin(np.clip(dots(probes, normals(sky, after)[:, None]), -1.0, 1.0))).max(axis=1)
        bent = (off > tolerance) | (angles(sky, after) > 1.0)
        if not bent.any():
            break
        places = np.sort(np.concatenate((places, places[bent] + step[bent] / 2.0)))
        sky = on_border(places)
    return None if np.isnan(sky).any() else sky


def _sampled(to_sky: ToSky, size: tuple[int, int], scale: float) -> _Image:
    """Map an image whose border leaves the sky by the cells whose centres it shows."""
    shown = _shown(to_sky, size)
    if shown.sum() < 20:
        raise RegionError("wcs", "the image's border leaves the sky, and too little of it shows any")
    shift = 2 * (29 - _SAMPLING_ORDER)
    numbers = np.flatnonzero(shown)
    region: Region = from_ranges(np.stack((numbers << shift, (numbers + 1) << shift), axis=1))
    if shown.all():
        region = Circle(0.0, 0.0, 180.0)
    circle = bounding_circle(region)
    if not np.isfinite(scale):
        scale = float(np.sqrt(4.0 * np.pi * shown.mean() / (size[0] * size[1])))
    note = "the image's border leaves the sky; its footprint is a map of cells of 0.9 degrees"
    return _Image(region, Point(circle.ra, circle.dec), scale, size, note)


def _shown(to_sky: ToSky, size: tuple[int, int]) -> BoolArray:
    """Tell which cells of the sampling order hold a place that a grid of pixels shows."""
    grid_x, grid_y = (np.linspace(-0.5, length - 0.5, 800) for length in size)
    x, y = (axis.ravel() for axis in np.meshgrid(grid_x, grid_y))
    seen = to_sky(x, y)
    seen = seen[~np.isnan(seen).any(axis=1)]
    found = np.zeros(12 << (2 * _SAMPLING_ORDER), np.bool_)
    found[np.unique(cells(*positions(seen), order=_SAMPLING_ORDER))] = True
    return found
