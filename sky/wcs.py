"""Footprints from the celestial WCS of FITS headers, without a look at the pixels.

Image borders are followed until great-circle edges are true to 0.1 arcsec or a hundredth of a pixel,
whichever is larger. Whatever is not in the header is not made up: an image without celestial axes has
no footprint, one whose coordinates are absurd is refused by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS

from sky.frames import FK4_WITHOUT_E_TERMS, to_icrs
from sky.headers import Cards, axis_length, build_wcs, coordinate_cards, quiet_wcs
from sky.maps import ToSky, sky_map
from sky.regions import (
    Point,
    Polygon,
    Region,
    RegionError,
    Union,
    area,
    bounding_circle,
    normalise,
    reverse,
)
from sky.relations import contains_points
from sky.times import TimeError, parse_mjd
from sky.vectors import FloatArray, angles, dots, normals, positions, unit_vectors

BORDER_TOLERANCE = float(np.radians(0.08 / 3600.0))
"""How far the border of an image may leave the polygon's edge [rad]."""

_MOST_SPLITS = 7

_LARGEST_POLYGON = 20_000.0
"""Square degrees above which an image is a map: a polygon of half the sky may be taken inside out."""

_CELL_WIDTH = 58.6
"""Width of a HEALPix base cell [deg]."""

_DISTORTION_CARDS = ("CPDIS", "CQDIS", "D2IMDIS")
"""Distortions that stand in tables or in cards of their own, by the beginnings of their keywords."""


_NOT_UNDERSTOOD = ("-TNX", "-ZPX")
"""Projections of IRAF whose distortion stands in WATi_nnn cards; wcslib would leave it out."""


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
    _scale_before_polynomials(cards)
    wcs = build_wcs(cards)
    lon, lat = wcs.wcs.lng, wcs.wcs.lat
    if lon < 0 or lat < 0:
        return None
    size = (axis_length(header, lon + 1, shape), axis_length(header, lat + 1, shape))
    if min(size) < 1:
        return None
    with quiet_wcs("the celestial axes cannot be told from the others"):
        celestial = wcs.sub([lon + 1, lat + 1])
    image = _outline(_to_sky(celestial, cards), size, _nominal_scale(celestial))
    left_out = [start for start in _DISTORTION_CARDS if f"{start}1" in header or f"{start}2" in header]
    if left_out:
        note = f"the distortion of the detector ({', '.join(left_out)}) is left out of the footprint"
        return replace(image, note=f"{image.note}; {note}" if image.note else note)
    return image


def _nominal_scale(wcs: WCS) -> float:
    """Return the side of a square as large as a pixel at the reference point [rad]."""
    with quiet_wcs("the scale cannot be read"):
        matrix = np.asarray(wcs.pixel_scale_matrix)
        if not np.isfinite(matrix).all():
            raise RegionError("wcs", "the scale of the celestial axes is not finite")
        sizes = np.linalg.svd(matrix, compute_uv=False)
    if not (sizes.min() > 1e-12 and sizes.max() < 60.0):
        raise RegionError("wcs", f"pixels of {sizes.min():.3g} to {sizes.max():.3g} degrees are absurd")
    return float(np.radians(np.sqrt(sizes[0] * sizes[1])))


def _claims_sky(header: Cards) -> bool:
    kinds = [str(header.get(f"CTYPE{axis}", "")).upper() for axis in range(1, 8)]
    longitude = [kind for kind in kinds if kind.startswith("RA") or kind[1:4] == "LON" or kind[2:4] == "LN"]
    latitude = [kind for kind in kinds if kind.startswith("DEC") or kind[1:4] == "LAT" or kind[2:4] == "LT"]
    return bool(longitude and latitude)


def _only_sky(cards: Header) -> None:
    """Make the other axes plain ones, so that trouble there does not harm the celestial ones.

    A row of zeros in the matrix would silently become one pixel per degree, and is refused.
    """
    for keyword in ("EQUINOX", "EPOCH"):
        # Software that knows no equinox writes 0.
        if cards.get(keyword) == 0.0:
            cards.remove(keyword)
    for axis in range(1, 8):
        kind = str(cards.get(f"CTYPE{axis}", "")).upper()
        celestial = kind.startswith(("RA", "DEC")) or kind[1:4] in {"LON", "LAT"} or kind[2:4] in {"LN", "LT"}
        if not celestial:
            if kind:
                cards[f"CTYPE{axis}"] = "LINEAR"
            cards.remove(f"CUNIT{axis}", ignore_missing=True)
            continue
        cards[f"CTYPE{axis}"] = kind
        if kind.endswith("-TAB"):
            raise RegionError("wcs", f"the celestial axis {kind} needs a table of coordinates")
        if kind.endswith(_NOT_UNDERSTOOD):
            raise RegionError("wcs", f"the distortion of the celestial axis {kind} is not understood")
        row = [cards[keyword] for keyword in cards if keyword.startswith(f"CD{axis}_")]
        if (row and not any(row)) or cards.get(f"CDELT{axis}", 1.0 if row else None) == 0.0:
            raise RegionError("wcs", f"the scale of the celestial axis {axis} is zero")
        if not -360.0 <= cards.get(f"CRVAL{axis}", 0.0) * _degrees(cards, axis) <= 720.0:
            raise RegionError("wcs", f"CRVAL{axis} = {cards[f'CRVAL{axis}']:g} is no place on the sky")


def _scale_before_polynomials(cards: Header) -> None:
    """Turn CDELT and PC into CD where polynomials (TPV) are of degrees; wcslib scales after them."""
    axes = [axis for axis in range(1, 8) if str(cards.get(f"CTYPE{axis}", "")).endswith("-TPV")]
    if not axes or any(keyword.startswith(("CD1_", "CD2_", "CROTA", "PC0")) for keyword in cards):
        return
    steps = [cards.get(f"CDELT{axis}", 1.0) for axis in axes]
    for axis, step in zip(axes, steps, strict=True):
        for other in axes:
            rotation = cards.get(f"PC{axis}_{other}", 1.0 if axis == other else 0.0)
            cards[f"CD{axis}_{other}"] = step * rotation
    for keyword in [key for key in cards if key.startswith(("CDELT", "PC"))]:
        cards.remove(keyword)


def _degrees(cards: Header, axis: int) -> float:
    """Return the degrees of an axis' unit; wcslib refuses what it does not know."""
    return {"ARCSEC": 1.0 / 3600.0, "ARCMIN": 1.0 / 60.0, "RAD": 57.29577951308232, "MAS": 1.0 / 3.6e6}.get(
        str(cards.get(f"CUNIT{axis}", "")).strip().upper(), 1.0
    )


def _to_sky(wcs: WCS, cards: Header) -> ToSky:
    frame, equinox, epoch = _frame(wcs, cards)
    # wcslib has no answer on the central meridian of polyconic projections.
    gap = 1e-6 if str(wcs.wcs.ctype[0]).endswith("-PCO") else 0.0

    def to_sky(x: FloatArray, y: FloatArray) -> FloatArray:
        # wcslib itself tells what lies beyond the edge of a projection. The way back is not asked for:
        # that of polynomials may not converge, and faces of cubes may be drawn twice.
        with quiet_wcs("pixels have no place on the sky"):
            lon, lat = wcs.all_pix2world(x, y, 0)
            if gap:
                lost = np.isnan(lon)
                lon[lost], lat[lost] = wcs.all_pix2world(x[lost] + gap, y[lost] + gap, 0)
            ra, dec = to_icrs(lon, lat, frame, equinox, epoch)
        return unit_vectors(ra, dec)

    return to_sky


def _frame(wcs: WCS, cards: Header) -> tuple[str, float | None, float | None]:
    """Name the frame of the celestial axes (WCS paper II, section 3.1), with equinox and epoch."""
    kind = wcs.wcs.lngtyp.strip().upper()
    equinox = _equinox(float(wcs.wcs.equinox))
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


def _equinox(year: float) -> float | None:
    if not np.isfinite(year):
        return None
    if not 1800.0 <= year <= 2200.0:
        raise RegionError("wcs", f"the equinox {year:g} is no year of an observation")
    return year


def _epoch(cards: Header) -> float | None:
    value = cards.get("MJD-OBS", cards.get("DATE-OBS"))
    try:
        return None if value in {None, ""} else 1900.0 + (parse_mjd(value) - 15019.81352) / 365.242198781
    except TimeError:
        return None


def _outline(to_sky: ToSky, size: tuple[int, int], nominal: float) -> _Image:
    middle = ((size[0] - 1) / 2.0, (size[1] - 1) / 2.0)
    scale = _pixel_scale(to_sky, middle, nominal)
    centre = to_sky(np.array([middle[0]]), np.array([middle[1]]))
    if np.isnan(centre).any():
        return _mapped(to_sky, size, scale, None)
    centre_ra, centre_dec = positions(centre)
    spot = Point(float(centre_ra[0]), float(centre_dec[0]))
    border = _border(to_sky, size, max(BORDER_TOLERANCE, 0.008 * scale))
    polygon = None if border is None else _polygon(border, spot)
    if polygon is None or area(polygon) > _LARGEST_POLYGON:
        return _mapped(to_sky, size, scale, spot)
    return _Image(polygon, spot, scale, size)


def _polygon(border: FloatArray, spot: Point) -> Polygon | None:
    """Make a polygon around a spot; None if the border touches or crosses itself, as around the sky."""
    ra, dec = positions(border)
    try:
        polygon = normalise(Polygon(tuple(zip(ra.tolist(), dec.tolist(), strict=True))))
    except RegionError:
        return None
    assert isinstance(polygon, Polygon)  # noqa: S101 - normalise keeps the type
    return polygon if contains_points(polygon, spot.ra, spot.dec) else reverse(polygon)


def _pixel_scale(to_sky: ToSky, middle: tuple[float, float], nominal: float) -> float:
    """Measure the side of a square as large as the middle pixel [rad]; ``nominal`` if it is off the sky."""
    x = middle[0] + np.array([-0.5, 0.5, 0.0, 0.0])
    y = middle[1] + np.array([0.0, 0.0, -0.5, 0.5])
    sky = to_sky(x, y)
    if np.isnan(sky).any():
        return nominal
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
        # An edge around the sky ends where it began.
        length = angles(sky, after)
        around = angles(sky, probes[:, 1]) > length + tolerance
        bent = (off > tolerance) | (length > 1.0) | around
        if not bent.any():
            break
        places = np.sort(np.concatenate((places, places[bent] + step[bent] / 2.0)))
        sky = on_border(places)
    return None if np.isnan(sky).any() else sky


def _mapped(to_sky: ToSky, size: tuple[int, int], scale: float, spot: Point | None) -> _Image:
    """Map an image whose border leaves the sky, or goes around most of it."""
    region, order = sky_map(to_sky, size)
    if spot is None:
        circle = bounding_circle(region)
        spot = Point(circle.ra, circle.dec)
    width = _CELL_WIDTH / 2.0**order
    note = (
        f"the image leaves the sky or goes around it; its footprint is a map of cells of {width:.2g} degrees"
    )
    return _Image(region, spot, scale, size, note)
