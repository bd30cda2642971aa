"""Pixels of any size and range brought to a few grey levels, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FAINT, _BRIGHT = 1.0, 99.7
_SOFTENING = 0.1
_STEPS = 4


def sampled(pixels: NDArray[np.generic], longest: int) -> NDArray[np.float32]:
    """Return a plane with at most `longest` pixels a side, each the mean of a few of the many it stands for.

    Parameters
    ----------
    pixels
        A plane, shape (rows, columns); may be memory-mapped: at most 16 pixels are read for each returned.
    longest
        The largest number of rows or columns returned.

    Raises
    ------
    ValueError
        If `pixels` is no plane or is empty, or `longest` is below 1.
    """
    if pixels.ndim != 2 or 0 in pixels.shape or longest < 1:
        raise ValueError(
            f"A plane with pixels is needed, not one of shape {pixels.shape} for {longest} pixels"
        )
    block = -(-max(pixels.shape) // longest)
    step = -(-block // _STEPS)
    rows, columns = (-(-size // block) for size in pixels.shape)
    total = np.zeros((rows, columns), np.float64)
    count = np.zeros((rows, columns), np.uint8)
    for row in range(0, block, step):
        for column in range(0, block, step):
            some = np.asarray(pixels[row::block, column::block], np.float64)
            good = np.isfinite(some)
            part = np.s_[: some.shape[0], : some.shape[1]]
            total[part] += np.where(good, some, 0.0)
            count[part] += good
    mean = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=mean, where=count > 0, casting="unsafe")
    return mean


def stretched(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return grey levels, 0 to 255, by an asinh between robust limits; 0 where there is no value."""
    good = np.isfinite(plane)
    if not good.any():
        return np.zeros(plane.shape, np.uint8)
    values = plane.astype(np.float64)
    low, high = np.percentile(values[good], (_FAINT, _BRIGHT))
    if not high > low:
        low, high = values[good].min(), values[good].max()
    if not high > low:
        return np.where(good, 128, 0).astype(np.uint8)
    share = np.clip((np.where(good, values, low) - low) / (high - low), 0.0, 1.0)
    grey = np.arcsinh(share / _SOFTENING) / np.arcsinh(1.0 / _SOFTENING)
    return np.where(good, np.rint(grey * 255.0), 0).astype(np.uint8)
