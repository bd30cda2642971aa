"""Density as a HEALPix map in FITS, as healpy, Aladin and TOPCAT read it."""

from __future__ import annotations

import io

import numpy as np
from astropy.io import fits

from archive.api.search import Density


def to_fits(density: Density) -> bytes:
    """Write a partial map: the numbers of the cells that have rows, and how many they have."""
    numbers = np.array([cell for cell, _ in density.cells], np.int64)
    counts = np.array([count for _, count in density.cells], np.int64)
    table = fits.BinTableHDU.from_columns(
        [fits.Column("PIXEL", "K", array=numbers), fits.Column("COUNT", "K", array=counts)]
    )
    cells = 12 * 4**density.order
    table.header.update(
        {
            "PIXTYPE": "HEALPIX",
            "ORDERING": "NESTED",
            "NSIDE": 2**density.order,
            "FIRSTPIX": 0,
            "LASTPIX": cells - 1,
            "INDXSCHM": "EXPLICIT",
            "OBJECT": "PARTIAL",
            "OBS_NPIX": len(numbers),
            "COORDSYS": "C",
            "VERSION": density.version,
        }
    )
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(out)
    return out.getvalue()
