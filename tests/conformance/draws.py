"""Random positions and footprints, often special ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.conformance import sky_oracle

RAS = [0.0, 359.9999999999, 1e-10, 180.0, 90.0, 270.0, 359.5, 0.5, 120.25, 45.0]

DECS = [0.0, 90.0, -90.0, 89.9999999, -89.9999999, 89.5, -89.5, 45.0, -30.25, 1e-10]


@dataclass(frozen=True)
class Drawn:
    """A region as text and as geometry."""

    text: str
    shape: sky_oracle.Shape


def place(rng: np.random.Generator) -> tuple[float, float]:
    """Draw a position, often a special one."""
    ra = float(rng.choice(RAS)) if rng.random() < 0.5 else float(rng.uniform(0, 360))
    dec = float(rng.choice(DECS)) if rng.random() < 0.4 else math.degrees(math.asin(rng.uniform(-1, 1)))
    return ra, dec


def corners(ra: float, dec: float, ways: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return places at angles (from north through east) and distances from a centre, in degrees."""
    lon, lat = math.radians(ra), math.radians(dec)
    x, y, z = sky_oracle.vector(ra, dec)
    north = (-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat))
    east = (-math.sin(lon), math.cos(lon))
    found = []
    for towards, far in ways:
        d, a = math.radians(far), math.radians(towards)
        n, e = math.sin(d) * math.cos(a), math.sin(d) * math.sin(a)
        px = math.cos(d) * x + n * north[0] + e * east[0]
        py = math.cos(d) * y + n * north[1] + e * east[1]
        pz = math.cos(d) * z + n * north[2]
        place_ra = math.degrees(math.atan2(py, px)) % 360.0
        found.append((place_ra % 360.0, math.degrees(math.atan2(pz, math.hypot(px, py)))))
    return found


def spread(rng: np.random.Generator) -> float:
    return float(10 ** rng.uniform(-6, 1.9))


def star_shaped(rng: np.random.Generator, ra: float, dec: float) -> list[tuple[float, float]]:
    """Draw a polygon around a centre, wound as DALI asks."""
    count, far = int(rng.integers(3, 8)), min(spread(rng), 80.0)
    turn = rng.uniform(0, 360)
    ways = [(turn + 360.0 * i / count, far * rng.uniform(0.4, 1.0)) for i in range(count)]
    return corners(ra, dec, ways)


def spelled(numbers: list[tuple[float, float]]) -> str:
    return " ".join(f"{ra!r} {dec!r}" for ra, dec in numbers)


def footprint(rng: np.random.Generator, ra: float, dec: float) -> Drawn | None:
    """Draw a footprint of any kind near a position."""
    kind, frame = rng.random(), str(rng.choice(["ICRS ", "ICRS GEOCENTER ", "J2000 ", ""]))
    if kind < 0.1:
        return None
    if kind < 0.18:
        return Drawn(f"POSITION {frame}{ra!r} {dec!r}", sky_oracle.cap(ra, dec))
    if kind < 0.4:
        far = float(rng.choice([0.0, 1e-9, 90.0, 179.5, 180.0])) if rng.random() < 0.2 else spread(rng)
        return Drawn(f"Circle {frame}{ra!r} {dec!r} {far!r}", sky_oracle.cap(ra, dec, far))
    if kind < 0.5:
        other = ((ra + 9) % 360, dec * 0.9)
        first, second = star_shaped(rng, ra, dec), spread(rng)
        text = f"UNION {frame}(POLYGON {spelled(first)} CIRCLE {other[0]!r} {other[1]!r} {second!r})"
        shape = sky_oracle.Several((sky_oracle.delivered(first), sky_oracle.cap(*other, second)))
        return Drawn(text, shape)
    found = star_shaped(rng, ra, dec)
    if rng.random() < 0.4:
        found.reverse()
    closing = found[:1] if rng.random() < 0.2 else []
    return Drawn(f"POLYGON {frame}{spelled(found + closing)}", sky_oracle.delivered(found))
