"""What the synthetic archive holds: its instruments and their habits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument: collections, product types, and ranges that its rows are drawn from.

    ``half_size`` in degrees, ``wavelength`` in nm, ``resolution`` in arcsec; ``power`` is None without
    spectral resolution; ``weight`` is its share of the rows.
    """

    facility: str
    name: str
    collections: tuple[str, ...]
    products: tuple[str, ...]
    half_size: tuple[float, float]
    wavelength: tuple[float, float]
    power: tuple[float, float] | None
    resolution: tuple[float, float]
    weight: float


def _pair(text: str) -> tuple[float, float]:
    low, high = text.split()
    return float(low), float(high)


def _instrument(cells: list[str]) -> Instrument:
    return Instrument(
        facility=cells[0],
        name=cells[1],
        collections=tuple(cells[2].split()),
        products=tuple(cells[3].split()),
        half_size=_pair(cells[4]),
        wavelength=_pair(cells[5]),
        power=None if cells[6] == "-" else _pair(cells[6]),
        resolution=_pair(cells[7]),
        weight=float(cells[8]),
    )


_LINES = Path(__file__).with_name("instruments.csv").read_text(encoding="utf-8").splitlines()[1:]

INSTRUMENTS = tuple(_instrument(line.split(",")) for line in _LINES)
"""The instruments, in the order that the random numbers select them by."""
