"""The cards of a FITS header that describe coordinates, and the WCS made of them.

The one place where astropy's complaints about headers it repairs are silenced, and where its errors
become ours.
"""

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import numpy as np
from astropy import log
from astropy.io.fits import Header
from astropy.wcs import WCS

from sky.forms import RegionError

Cards: TypeAlias = Mapping[str, Any]
"""A header: astropy's Header, or keywords with their values."""

_COORDINATE_CARD = re.compile(
    r"(?:WCSAXES|C(?:TYPE|RVAL|RPIX|DELT|UNIT|ROTA)\d{1,2}|(?:CD|PC)\d{1,2}_\d{1,2}"
    r"|PC0\d\d0\d\d|P[VS]\d{1,2}_\d+|PROJP\d|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX|EPOCH|MJD-OBS|DATE-OBS|MJDREF[IF]?"
    r"|TIMESYS|RESTFRQ|RESTFREQ|RESTWAV|SPECSYS|VELREF|A_\d_\d|B_\d_\d|AP_\d_\d|BP_\d_\d|[AB]P?_ORDER|DC-FLAG)"
)
_NUMERIC_CARD = re.compile(
    r"(?:CRVAL|CRPIX|CDELT|CROTA|CD|PC|PV|PROJP|LONPOLE|LATPOLE|EQUINOX|EPOCH|RESTFRQ|RESTWAV)\d*(?:_\d+)?"
)


_MOST: Final = {"WCSAXES": 32, "A_ORDER": 9, "B_ORDER": 9, "AP_ORDER": 9, "BP_ORDER": 9}
"""Cards that say how large a WCS is, and the most that they may: an absurd one takes minutes to build."""


def coordinate_cards(header: Cards) -> Header:
    """Pick the coordinate cards of a header; what is not a number where one belongs is refused.

    Raises
    ------
    RegionError
        With code "wcs", naming the card.
    """
    chosen = Header()
    for raw in header:
        keyword = str(raw).upper()
        if not _COORDINATE_CARD.fullmatch(keyword) or keyword in chosen:
            continue
        # astropy parses a card when its value is asked for; cards of no interest may be broken.
        with quiet_wcs(f"the card {keyword} cannot be read"):
            value = header[raw]
        if value is not None:
            chosen[keyword] = _sound(keyword, value)
        most = _MOST.get(keyword)
        if most is not None and value is not None and not (isinstance(value, int) and 0 <= value <= most):
            raise RegionError("wcs", f"{keyword} {value!r} is not between 0 and {most}")
    return chosen


def _sound(keyword: str, value: object) -> Any:
    if not _NUMERIC_CARD.fullmatch(keyword):
        if isinstance(value, int | float) and math.isfinite(value):
            return value
        return "".join(letter for letter in str(value) if " " <= letter <= "~")
    if keyword in {"EQUINOX", "EPOCH"} and isinstance(value, str):
        value = value.strip().lstrip("JBjb")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise RegionError("wcs", f"{keyword} = {value!r} is not a number") from None
    if not math.isfinite(number):
        raise RegionError("wcs", f"{keyword} is not a finite number")
    return number


def axis_length(header: Cards, axis: int, shape: tuple[int, ...] | None) -> int:
    """Return how many pixels an axis (from 1, as in FITS) has; 1 where the data lacks it.

    ``shape`` is the data's shape in numpy order; without it the header's NAXISn counts.
    """
    if shape is not None:
        return int(shape[-axis]) if axis <= len(shape) else 1
    count = header.get("ZNAXIS", header.get("NAXIS", 0))
    if not isinstance(count, int) or axis > count:
        return 1
    length = header.get(f"ZNAXIS{axis}", header.get(f"NAXIS{axis}", 1))
    return max(int(length), 0) if isinstance(length, int | float) and math.isfinite(length) else 1


def build_wcs(cards: Header) -> WCS:
    """Make the WCS of coordinate cards, repaired as far as astropy can.

    Raises
    ------
    RegionError
        With code "wcs", whatever it is that cannot be understood.
    """
    with quiet_wcs("the world coordinates cannot be read"):
        wcs = WCS(cards, relax=True, fix=True)
        wcs.wcs.set()
        return wcs


@contextmanager
def _quiet_log() -> Iterator[None]:
    """Keep astropy from printing what it thinks of a header."""
    before = log.level
    log.setLevel("ERROR")
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def quiet_wcs(trouble: str) -> Iterator[None]:
    """Turn any error of astropy's WCS into a RegionError that starts with ``trouble``."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), _quiet_log():
        warnings.simplefilter("ignore")
        try:
            yield
        except RegionError:
            raise
        # wcslib reports through a dozen unrelated exception classes.
        except Exception as error:
            first = str(error).strip().splitlines()
            raise RegionError("wcs", f"{trouble}: {first[-1] if first else type(error).__name__}") from error
