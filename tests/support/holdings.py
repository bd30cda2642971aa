"""A small folder of FITS files at known places, with what an archive must make of each of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

ABELL_478 = (63.3558, 10.4663)
"""Where the cube is, ICRS degrees."""

RAW_OF_CUBE = "MUSE.2014-12-08T02:48:56.798"
"""The archive name of the cube's raw frame, which the cube's header repeats."""

SQUARE = (150.0, 2.0)
"""Centre of an image of one degree by one degree whose sides follow the parallels."""

DIAMOND = (200.0, -20.0)
"""Centre of an image of one degree by one degree, turned by 45 degrees."""

Cards = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """A file and its fate: refused with ``code``, or accepted, with a position if it has one."""

    path: str
    code: str | None = None
    position: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """The folder and all files in it."""

    folder: Path
    files: tuple[Made, ...]

    @property
    def accepted(self) -> list[Made]:
        return [made for made in self.files if made.code is None]

    @property
    def refused(self) -> dict[str, str]:
        """Reason codes of the refused files by path."""
        return {made.path: made.code for made in self.files if made.code is not None}


def sky_header(ra: float, dec: float, size: float, *, pixels: int = 16, angle: float = 0.0) -> fits.Header:
    """Return a tangential projection of a square ``size`` degrees wide, turned by ``angle`` degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [(pixels + 1) / 2] * 2
    step, turn = size / pixels, np.radians(angle)
    wcs.wcs.cd = step * np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return wcs.to_header()


def write_image(
    path: Path, header: fits.Header | None, cards: Cards, *, seed: int = 0, pixels: int = 16
) -> None:
    """Write an image; ``seed`` makes its pixels its own."""
    data = np.random.default_rng(seed).integers(0, 1000, (pixels, pixels)).astype("i2")
    hdu = fits.PrimaryHDU(data, header)
    for key, value in cards.items():
        hdu.header[key] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    hdu.writeto(path)


def write_holdings(folder: Path) -> Holdings:
    """Write all files below a folder."""
    made = [*_images(folder), *_instruments(folder), *_without_position(folder), *_broken(folder)]
    return Holdings(folder, tuple(made))


_PLACES: Mapping[str, tuple[float, float, float, float]] = {
    "north_pole": (10.0, 89.99, 0.2, 0.0),
    "south_pole": (250.0, -89.95, 0.2, 0.0),
    "west_of_zero": (359.98, 5.0, 0.1, 0.0),
    "east_of_zero": (0.03, 5.0, 0.1, 0.0),
    "square": (*SQUARE, 1.0, 0.0),
    "diamond": (*DIAMOND, 1.0, 45.0),
    "orion": (83.82, -5.39, 0.3, 20.0),
    "virgo": (187.7, 12.39, 0.3, 70.0),
}
"""Right ascension, declination, width and angle of images, degrees."""


def _images(folder: Path) -> list[Made]:
    made = []
    for number, (name, (ra, dec, size, angle)) in enumerate(_PLACES.items()):
        cards = {
            "OBJECT": name.replace("_", " "),
            "INSTRUME": "TESTCAM",
            "DATE-OBS": f"2020-01-{number + 1:02d}",
        }
        path = f"images/{name}.fits"
        write_image(folder / path, sky_header(ra, dec, size, angle=angle), cards, seed=number)
        made.append(Made(path, position=(ra, dec)))
    plain = folder / "images/orion.fits"
    (folder / "images/packed.fits.gz").write_bytes(
        gzip.compress(plain.read_bytes().replace(b"'orion   '", b"'packed  '"), mtime=0)
    )
    future = {"OBJECT": "not yet", "REL_DATE": "2150-01-01T00:00:00"}
    write_image(folder / "images/proprietary.fits", sky_header(30.0, 30.0, 0.1), future, seed=31)
    return [
        *made,
        Made("images/packed.fits.gz", position=_PLACES["orion"][:2]),
        Made("images/proprietary.fits", position=(30.0, 30.0)),
    ]


def _instruments(folder: Path) -> list[Made]:
    muse = {"ORIGIN": "ESO-PARANAL", "TELESCOP": "ESO-VLT-U4", "INSTRUME": "MUSE", "OBJECT": "Abell 478"}
    at: dict[str, Any] = {"RA": ABELL_478[0], "DEC": ABELL_478[1], "RADECSYS": "FK5", "EQUINOX": 2000.0}
    when: dict[str, Any] = {
        "MJD-OBS": 56999.11732405,
        "DATE-OBS": "2014-12-08T02:48:56.798",
        "EXPTIME": 900.0,
    }
    observed = {**muse, **at, **when, "ARCFILE": f"{RAW_OF_CUBE}.fits", "ESO OBS PROG ID": "094.A-0859(A)"}
    science = {"ESO DPR CATG": "SCIENCE", "ESO DPR TYPE": "OBJECT", "ESO DPR TECH": "IFU"}
    raw = f"raw/{RAW_OF_CUBE}.fits"
    write_image(folder / raw, None, {**_hierarch(observed), **_hierarch(science)}, seed=41)
    _write_cube(folder / "products/cube.fits", observed)
    isaac = "ISAAC.2006-04-13T06:32:38.944"
    cards: dict[str, Any] = {
        "ORIGIN": "ESO-PARANAL",
        "TELESCOP": "ESO-VLT-U1",
        "INSTRUME": "ISAAC",
        "ARCFILE": f"{isaac}.fits",
    }
    cards |= {"MJD-OBS": 53838.27267296, "DATE-OBS": "2006-04-13T06:32:38.9441", "EXPTIME": 4.0}
    cards |= {"RA": 265.20907, "DEC": -30.86916} | science | {"ESO DPR TECH": "IMAGE,JITTER"}
    header = sky_header(265.20907, -30.86916, 0.042)
    write_image(folder / f"raw/{isaac}.fits", header, _hierarch(cards), seed=42)
    return [
        Made(raw, position=ABELL_478),
        Made("products/cube.fits", position=ABELL_478),
        Made(f"raw/{isaac}.fits", position=(265.20907, -30.86916)),
    ]


def _write_cube(path: Path, observed: Cards) -> None:
    primary = fits.PrimaryHDU()
    for key, value in _hierarch({**observed, "ESO PRO CATG": "DATACUBE_FINAL"}).items():
        primary.header[key] = value
    header = sky_header(*ABELL_478, 0.02, pixels=8)
    header["CTYPE3"], header["CUNIT3"] = "AWAV", "Angstrom"
    header["CRVAL3"], header["CRPIX3"], header["CD3_3"] = 4750.0, 1.0, 1.25
    header["BUNIT"] = "10**(-20)*erg/s/cm**2/Angstrom"
    cube = fits.ImageHDU(np.ones((12, 8, 8), "f4"), header, name="DATA")
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([primary, cube]).writeto(path)


def _hierarch(cards: Cards) -> dict[str, Any]:
    return {f"HIERARCH {key}" if key.startswith("ESO ") else key: value for key, value in cards.items()}


def _without_position(folder: Path) -> list[Made]:
    (folder / "tables").mkdir()
    columns = [
        fits.Column("WAVE", "D", unit="nm", array=np.arange(5.0)),
        fits.Column("NAME", "8A", array=["x"] * 5),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(folder / "tables/lines.fits")
    spectrum = fits.PrimaryHDU(np.ones(50, "f4"))
    spectrum.header.update(CTYPE1="WAVE", CUNIT1="nm", CRVAL1=400.0, CDELT1=2.0, CRPIX1=1.0, OBJECT="HD 1")
    spectrum.writeto(folder / "tables/spectrum.fits")
    write_image(folder / "tables/café.fits", None, {"OBJECT": "no sky"}, seed=51)
    return [Made(f"tables/{name}") for name in ("lines.fits", "spectrum.fits", "café.fits")]


def _broken(folder: Path) -> list[Made]:
    whole = (folder / "images/virgo.fits").read_bytes()
    other_claim = {"ARCFILE": f"{RAW_OF_CUBE}.fits", "DATE-OBS": "2014-12-08T02:48:56.798"}
    write_image(folder / "wrong/claims.fits", None, other_claim, seed=61)
    write_image(folder / "wrong/release.fits", None, {"REL_DATE": "when published"}, seed=62)
    write: Mapping[str, tuple[str, Callable[[Path], object]]] = {
        "empty.fits": ("empty", lambda path: path.write_bytes(b"")),
        "text.fits": ("not-fits", lambda path: path.write_text("SIMPLE, he said\n" * 300)),
        "half_header.fits": ("truncated", lambda path: path.write_bytes(whole[:1000])),
        "half_data.fits": ("truncated", lambda path: path.write_bytes(whole[:3000])),
        "cut.fits.gz": ("truncated", lambda path: path.write_bytes(gzip.compress(whole, mtime=0)[:700])),
        "flipped.fits.gz": ("corrupt", lambda path: path.write_bytes(_with_flipped_bits(whole))),
        "bitpix.fits": ("bad-structure", lambda path: path.write_bytes(_with_bitpix(whole))),
        "no_data.fits": ("no-data", lambda path: fits.PrimaryHDU().writeto(path)),
    }
    for name, (_, write_it) in write.items():
        write_it(folder / "wrong" / name)
    refused = [Made(f"wrong/{name}", code) for name, (code, _) in write.items()]
    return [*refused, Made("wrong/claims.fits", "id-taken"), Made("wrong/release.fits", "release-date")]


def _with_flipped_bits(whole: bytes) -> bytes:
    packed = bytearray(gzip.compress(whole, mtime=0))
    packed[200:300] = bytes(byte ^ 0x55 for byte in packed[200:300])
    return bytes(packed)


def _with_bitpix(whole: bytes) -> bytes:
    at = whole.index(b"BITPIX")
    return whole[: at + 10] + b"17".rjust(20) + whole[at + 30 :]
