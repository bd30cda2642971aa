"""The shapes that geometry functions are made of: positions, coordinate systems, constants."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from query import tree
from schemas import Kind
from sky.frames import KNOWN_FRAMES, frame_key, to_icrs
from sky.regions import (
    Point,
    Polygon,
    Region,
    RegionError,
    normalise_search,
)
from vo.adql import syntax
from vo.adql.errors import similar
from vo.adql.resolution import Resolution

MOST_VERTICES = 2_000
"""Vertices of a polygon, or of all parts of a region; each edge is held against each other."""

_REFERENCES = frozenset(
    {
        "BARYCENTER",
        "GEOCENTER",
        "HELIOCENTER",
        "TOPOCENTER",
        "LSR",
        "LSRK",
        "LSRD",
        "RELOCATABLE",
        "UNKNOWNREFPOS",
        "SPHERICAL2",
    }
)
"""Words that may follow a frame's name and that make no difference to a direction."""


class Placed:
    """The arguments of a geometry function, with the coordinate system taken off."""

    def __init__(self, node: syntax.Call, frame: str, arguments: tuple[syntax.Value, ...]) -> None:
        self.node = node
        self.frame = frame
        self.arguments = arguments

    @property
    def is_icrs(self) -> bool:
        """Whether coordinates are ICRS as they stand."""
        return KNOWN_FRAMES[frame_key(self.frame)] == "icrs"


class ShapeResolver(Resolution):
    """Resolves positions and checks constants."""

    @override
    def geometry(self, node: syntax.Value) -> tree.Expression:
        """Resolve a value that shall be a geometry; a footprint column becomes the region it describes."""
        if isinstance(node, syntax.Text):
            self.fail("type", node.at, "a geometry is expected here, not a text", [f"REGION('{node.value}')"])
        return self.as_geometry(self.value(node), node)

    def as_geometry(self, found: tree.Expression, node: syntax.Value) -> tree.Expression:
        """Return what a node was resolved into as a geometry."""
        if found.kind is Kind.REGION and not is_shape(found):
            return tree.RegionOf(found)
        if not found.kind.is_geometry:
            self.fail("type", node.at, f"a geometry is expected here, not {named_kind(found.kind)}")
        return found

    def point(self, node: syntax.Value) -> tree.Expression:
        """Resolve a value that shall be a point."""
        return self.as_point(self.geometry(node), node)

    def as_point(self, found: tree.Expression, node: syntax.Value) -> tree.Expression:
        """Return a geometry that a node was resolved into, which shall be a point."""
        if found.kind is not Kind.POINT:
            self.fail("type", node.at, f"a point is expected here, not {named_kind(found.kind)}")
        return found

    def numbers(self, nodes: tuple[syntax.Value, ...]) -> list[tree.Expression]:
        """Resolve values that shall be numbers."""
        return self.each(self.number, nodes)

    def number(self, node: syntax.Value) -> tree.Expression:
        """Resolve a value that shall be a number."""
        found = self.value(node)
        if isinstance(found, tree.Literal) and found.value is None:
            return tree.Literal(None, Kind.DOUBLE)
        if not found.kind.is_numeric:
            self.fail("type", node.at, f"a number is expected here, not {named_kind(found.kind)}")
        return found

    def refuse_many(self, at: int, vertices: int) -> None:
        """Refuse a region whose checking would take too long."""
        if vertices > MOST_VERTICES:
            message = f"a region has at most {MOST_VERTICES} vertices; a MOC can be as detailed as need be"
            self.fail("unsupported", at, message)

    def constant_region(self, at: int, make: Callable[[], Region]) -> tree.RegionLiteral:
        """Build and check a constant region."""
        try:
            return tree.RegionLiteral(normalise_search(make()))
        except RegionError as wrong:
            self.fail("unsupported" if wrong.code == "unsupported" else "type", at, str(wrong))

    def frame(self, node: syntax.Text) -> str:
        """Return the name of the frame that a coordinate system names."""
        words = [word for word in node.value.upper().split() if word not in _REFERENCES]
        key = frame_key(" ".join(words))
        if key not in KNOWN_FRAMES:
            self.fail(
                "unsupported",
                node.at,
                f"the coordinate system {node.value!r} is not known",
                similar(key, [name for name in KNOWN_FRAMES if name]) or ["ICRS", "GALACTIC"],
            )
        return key

    def placed(self, node: syntax.Call) -> Placed:
        """Take the optional, deprecated coordinate system off the arguments."""
        if node.arguments and isinstance(node.arguments[0], syntax.Text):
            first = node.arguments[0]
            return Placed(node, self.frame(first), node.arguments[1:])
        return Placed(node, "", node.arguments)

    def arguments(self, placed: Placed, forms: str, *counts: int) -> None:
        """Refuse a call with another number of arguments."""
        if len(placed.arguments) not in counts:
            self.fail("type", placed.node.at, f"{placed.node.name} takes {forms}")

    def position(self, placed: Placed, lon: tree.Expression, lat: tree.Expression) -> tree.Expression:
        """Return a position from two numbers in the frame given."""
        constant = as_floats(lon, lat)
        if constant is not None:
            at = placed.arguments[0].at
            return self.constant_region(at, lambda: moved(Point(*constant), placed.frame))
        if not placed.is_icrs:
            self.fail(
                "unsupported",
                placed.node.at,
                f"{placed.frame} coordinates can be given as constants only; columns are ICRS",
            )
        return tree.PointOf(lon, lat)

    def centre(self, placed: Placed, rest: int) -> tuple[tree.Expression, list[tree.Expression]]:
        """Resolve a centre, given as a point or as two numbers, and ``rest`` numbers after it."""
        if len(placed.arguments) == rest + 1:
            self.refuse_frame(placed)
            centre = self.point(placed.arguments[0])
            return centre, self.numbers(placed.arguments[1:])
        lon, lat, *more = self.numbers(placed.arguments)
        return self.position(placed, lon, lat), more

    def refuse_frame(self, placed: Placed) -> None:
        """Refuse a frame that is not ICRS where the points have frames of their own."""
        if not placed.is_icrs:
            message = f"{placed.frame} is said of {placed.node.name}; say it of its points"
            self.fail("unsupported", placed.node.at, message)


def as_floats(*expressions: tree.Expression) -> tuple[float, ...] | None:
    """Return the numbers when all of them are constants."""
    found = []
    for expression in expressions:
        if not isinstance(expression, tree.Literal) or not isinstance(expression.value, int | float):
            return None
        found.append(float(expression.value))
    return tuple(found)


def moved(region: Region, frame: str) -> Region:
    """Return a region given in a frame as one in ICRS."""
    if KNOWN_FRAMES[frame_key(frame)] == "icrs":
        return region
    match normalise_search(region):
        case Point(lon, lat):
            return Point(*_turned(lon, lat, frame))
        case Polygon(vertices):
            return Polygon(tuple(_turned(lon, lat, frame) for lon, lat in vertices))
        case other:
            return other


def _turned(lon: float, lat: float, frame: str) -> tuple[float, float]:
    ra, dec = to_icrs(lon, lat, frame)
    return float(ra), float(dec)


def is_shape(found: tree.Expression) -> bool:
    """Whether a value is a geometry; the text of a footprint column is none until it is used as one."""
    if found.kind is Kind.REGION:
        return isinstance(found, tree.RegionLiteral | tree.RegionOf)
    return found.kind.is_geometry


_KIND_NAMES = {
    Kind.BOOLEAN: "a truth value",
    Kind.TEXT: "a text",
    Kind.TIMESTAMP: "a timestamp",
    Kind.POINT: "a point",
    Kind.CIRCLE: "a circle",
    Kind.POLYGON: "a polygon",
    Kind.REGION: "a region",
}


def named_kind(kind: Kind) -> str:
    """Return a kind in the words of a message."""
    return _KIND_NAMES.get(kind, "a number")
