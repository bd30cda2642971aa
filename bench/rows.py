"""Synthetic ObsCore rows: seeded, and prefix-stable (more rows never change the first ones).

60 % of the rows gather around 2,000 targets and survey tiles south of declination +30, 40 % are uniform on
the sphere. Footprints are rotated rectangles with half-sizes of 0.01 to 0.5 degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.catalogue import INSTRUMENTS, Instrument

CHUNK = 100_000
"""Rows that share one stream of random numbers."""

SEED = 20261122
"""The seed of the published figures."""

_CLUMPS = 2000
_CLUMPED = 0.6
_FIRST_MJD, _LAST_MJD = 51179.0, 61406.0
_O_UCD = {
    "image": "phot.count",
    "spectrum": "phot.flux.density;em.wl",
    "cube": "phot.flux.density",
    "measurements": "phot.mag",
    "visibility": "stat.fourier",
}
_FORMATS = ("application/x-votable+xml;content=datalink", "application/fits", "image/fits")
_POLARISATIONS = (None, "/I/", "/I/Q/U/", "/I/Q/U/V/")

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class _Clumps:
    ra: Floats
    dec: Floats
    scatter: Floats
    share: Floats
    name: NDArray[Any]


def _log_uniform(rng: np.random.Generator, low: Floats, high: Floats | float) -> Floats:
    return np.exp(rng.uniform(np.log(low), np.log(high)))


def _moved(ra: Floats, dec: Floats, dx: Floats, dy: Floats) -> tuple[Floats, Floats]:
    """Move positions by tangent-plane offsets; all in degrees."""
    x, y, latitude = np.radians(dx), np.radians(dy), np.radians(dec)
    depth = np.cos(latitude) - y * np.sin(latitude)
    new_ra = ra + np.degrees(np.arctan2(x, depth))
    height = np.sin(latitude) + y * np.cos(latitude)
    return new_ra % 360.0, np.degrees(np.arctan2(height, np.hypot(x, depth)))


def _clumps(seed: int) -> _Clumps:
    rng = np.random.default_rng([seed, 1_000_000])
    ra = rng.uniform(0, 360, _CLUMPS)
    dec = np.degrees(np.arcsin(rng.uniform(-1.0, np.sin(np.radians(30.0)), _CLUMPS)))
    tile = np.arange(_CLUMPS) % 2 == 1
    wide = _log_uniform(rng, np.full(_CLUMPS, 0.05), 0.5)
    narrow = _log_uniform(rng, np.full(_CLUMPS, 0.5 / 3600), 60 / 3600)
    share = (np.arange(_CLUMPS) + 10.0) ** -0.8
    numbers = rng.permutation(_CLUMPS)
    names = [f"TILE {n:04d}" if t else f"NGC {n:d}" for n, t in zip(numbers, tile, strict=True)]
    return _Clumps(ra, dec, np.where(tile, wide, narrow), share / share.sum(), np.array(names, dtype=object))


def _iso(mjd: Floats) -> NDArray[Any]:
    return np.round((mjd - 40587.0) * 86400e3).astype("int64").astype("datetime64[ms]").astype(str)


def _sexagesimal(ra: Floats, dec: Floats) -> list[str]:
    hours = np.floor(ra / 15 * 360000).astype("int64").tolist()
    degrees = np.floor(np.abs(dec) * 36000).astype("int64").tolist()
    return [
        f"J{h // 360000:02d}{h // 6000 % 60:02d}{h / 100 % 60:05.2f}"
        f"{'-' if south else '+'}{d // 36000:02d}{d // 600 % 60:02d}{d / 10 % 60:04.1f}"
        for h, d, south in zip(hours, degrees, (dec < 0).tolist(), strict=True)
    ]


def _chosen(
    instrument: NDArray[np.int64], u: Floats, options: Callable[[Instrument], tuple[str, ...]]
) -> NDArray[Any]:
    """Pick one option per row; the first is the commonest."""
    found = np.empty(len(u), object)
    for number, entry in enumerate(INSTRUMENTS):
        rows = np.flatnonzero(instrument == number)
        names = np.array(options(entry), dtype=object)
        found[rows] = names[np.minimum((u[rows] ** 1.5 * len(names)).astype(int), len(names) - 1)]
    return found


def _regions(ra: Floats, half_x: Floats, half_y: Floats, angle: Floats, dec: Floats) -> list[str]:
    corners: list[Floats] = []
    for sign_x, sign_y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        x, y = sign_x * half_x, sign_y * half_y
        ra2, dec2 = _moved(
            ra, dec, x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
        )
        corners += [np.round(ra2, 6) % 360.0, np.round(dec2, 6)]
    form = "POLYGON ICRS" + " %.6f" * 8
    return [form % row for row in zip(*(corner.tolist() for corner in corners), strict=True)]


def _chunk(seed: int, number: int, clumps: _Clumps) -> pa.Table:
    rng = np.random.default_rng([seed, number])
    m = CHUNK

    clumped = rng.random(m) < _CLUMPED
    which = rng.choice(_CLUMPS, m, p=clumps.share)
    east, north = rng.normal(size=m), rng.normal(size=m)
    near_ra, near_dec = _moved(
        clumps.ra[which], clumps.dec[which], east * clumps.scatter[which], north * clumps.scatter[which]
    )
    any_ra = rng.uniform(0, 360, m)
    any_dec = np.degrees(np.arcsin(rng.uniform(-1, 1, m)))
    ra: Floats = np.round(np.where(clumped, near_ra, any_ra), 7) % 360.0
    dec: Floats = np.round(np.where(clumped, near_dec, any_dec), 7)
    names = np.array(_sexagesimal(any_ra, any_dec), dtype=object)

    weight = np.array([entry.weight for entry in INSTRUMENTS], float)
    instrument = rng.choice(len(INSTRUMENTS), m, p=weight / weight.sum())
    u = rng.random((8, m))

    def of(pick: Callable[[Instrument], Any], dtype: Any = float) -> NDArray[Any]:
        return np.array([pick(entry) for entry in INSTRUMENTS], dtype=dtype)[instrument]

    products = _chosen(instrument, u[1], lambda i: i.products)
    low, high = of(lambda i: i.half_size[0]), of(lambda i: i.half_size[1])
    half_x, half_y = low * (high / low) ** u[2], low * (high / low) ** u[3]
    regions = _regions(ra, half_x, half_y, rng.uniform(0, np.pi, m), dec)
    low, high = of(lambda i: i.resolution[0]), of(lambda i: i.resolution[1])
    resolution = np.round(low * (high / low) ** u[4], 4)

    exposure = np.round(_log_uniform(rng, np.full(m, 1.0), 36000.0), 3)
    start = np.round(rng.uniform(_FIRST_MJD, _LAST_MJD, m), 7)
    end = np.round(start + exposure * (1 + 0.2 * u[5]) / 86400.0, 7)

    low, high = of(lambda i: i.wavelength[0]), of(lambda i: i.wavelength[1])
    blue = low * (high / low) ** (0.7 * u[6])
    red = np.minimum(blue * (1 + 0.3 * (1 + u[7])), high * 1.05)
    em_min, em_max = (np.array([float(f"{v:.6g}") for v in edge * 1e-9]) for edge in (blue, red))
    low, high = of(lambda i: (i.power or (1, 1))[0]), of(lambda i: (i.power or (1, 1))[1])
    power = np.round(_log_uniform(rng, low, high), 1)

    spectral = (products == "spectrum") | (products == "cube")
    imaging = (products == "image") | (products == "cube")
    calibration = np.where(products == "measurements", 3, rng.choice([1, 2, 3], m, p=[0.15, 0.7, 0.15]))
    size = np.round(_log_uniform(rng, np.full(m, 10.0), 5e6)).astype("int64")
    formats = np.array(_FORMATS)[rng.choice(3, m, p=[0.8, 0.15, 0.05])]
    polarisation = np.array(_POLARISATIONS, object)[rng.choice(4, m, p=[0.9, 0.06, 0.02, 0.02])]
    nx, ny, nl = rng.integers(256, 8193, m), rng.integers(256, 8193, m), rng.integers(500, 50001, m)

    when = _iso(start)
    index = range(number * m, (number + 1) * m)
    ids = [f"ADP.{t[:10]}.{k:09d}" for t, k in zip(when, index, strict=True)]
    instruments = of(lambda i: i.name, object)
    return pa.table(
        {
            "dataproduct_type": products,
            "calib_level": calibration.astype("int16"),
            "obs_collection": _chosen(instrument, u[0], lambda i: i.collections),
            "obs_id": [f"{name}.{t}" for name, t in zip(instruments, when, strict=True)],
            "obs_publisher_did": [f"ivo://archive.example/ID?{i}" for i in ids],
            "access_url": [
                f"https://archive.example.org/datalink/links?ID=ivo://archive.example/ID%3F{i}" for i in ids
            ],
            "access_format": formats.astype(object),
            "access_estsize": size,
            "target_name": np.where(clumped, clumps.name[which], names),
            "s_ra": ra,
            "s_dec": dec,
            "s_fov": np.round(2 * np.hypot(half_x, half_y), 5),
            "s_region": regions,
            "s_resolution": resolution,
            "s_xel1": pa.array(nx, mask=~imaging),
            "s_xel2": pa.array(ny, mask=~imaging),
            "t_min": start,
            "t_max": end,
            "t_exptime": exposure,
            "t_resolution": pa.array(exposure, mask=rng.random(m) < 0.3),
            "t_xel": np.ones(m, "int64"),
            "em_min": em_min,
            "em_max": em_max,
            "em_res_power": pa.array(power, mask=~spectral | (low <= 1)),
            "em_xel": pa.array(nl, mask=~spectral),
            "o_ucd": np.array([_O_UCD[p] for p in products], object),
            "pol_states": polarisation,
            "pol_xel": np.array([0 if p is None else p.count("/") - 1 for p in polarisation], "int64"),
            "facility_name": of(lambda i: i.facility, object),
            "instrument_name": instruments,
        }
    )


def chunks(rows: int, seed: int = SEED) -> Iterator[pa.Table]:
    """Yield the first ``rows`` rows as tables of at most ``CHUNK`` rows."""
    clumps = _clumps(seed)
    for number in range(-(-rows // CHUNK)):
        yield _chunk(seed, number, clumps).slice(0, rows - number * CHUNK)


def write(path: Path, rows: int, seed: int = SEED) -> None:
    """Write the first ``rows`` rows to a Parquet file."""
    writer = None
    for table in chunks(rows, seed):
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()
