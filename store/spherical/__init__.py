"""The spherical index: which rows' positions and footprints may meet a part of the sky, as sorted arrays."""

from store.spherical.cover import CoverIndex
from store.spherical.positions import PositionIndex
from store.spherical.shapes import ShapeStore

__all__ = ["CoverIndex", "PositionIndex", "ShapeStore"]
