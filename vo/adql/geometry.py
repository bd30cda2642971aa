"""Geometry (ADQL 2.1, section 4.2): constants become regions of ``sky``, the rest becomes nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from typing_extensions import override

from query import tree
from query.functions import GEOMETRY_FUNCTIONS
from schemas import Kind
from sky.frames import KNOWN_FRAMES, frame_key, to_icrs
from sky.regions import (
    Circle,
    Point,
    Polygon,
    Region,
    RegionError,
    area,
    box_polygon,
    normalise_search,
)
from sky.text import parse_region
from vo.adql import syntax
from vo.adql.errors import similar
from vo.adql.resolution import Resolution

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


class GeometryResolver(Resolution):
    """Resolves geometry functions."""

    @override
    def geometry(self, node: syntax.Value) -> tree.Expression:
        """Resolve a value that shall be a geometry; a footprint column becomes the region it describes."""
        if isinstance(node, syntax.Text):
            self.fail("type", node.at, "a geometry is expected here, not a text", [f"REGION('{node.value}')"])
        found = self.value(node)
        if found.kind is Kind.REGION and not isinstance(found, tree.RegionLiteral | tree.RegionOf):
            return tree.RegionOf(found)
        if not found.kind.is_geometry:
            self.fail("type", node.at, f"a geometry is expected here, not {named_kind(found.kind)}")
        return found

    def geometry_call(self, node: syntax.Call) -> tree.Expression:
        """Resolve a geometry function."""
        act: dict[str, Callable[[syntax.Call], tree.Expression]] = {
            "POINT": self._point,
            "CIRCLE": self._circle,
            "POLYGON": self._polygon,
            "BOX": self._box,
            "REGION": self._region,
            "CONTAINS": self._contains,
            "INTERSECTS": self._intersects,
            "DISTANCE": self._distance,
            "AREA": self._area,
            "CENTROID": self._centroid,
            "COORDSYS": self._system,
        }
        if node.name in ("COORD1", "COORD2"):
            return self._coordinate(node, 1 if node.name == "COORD1" else 2)
        return act[node.name](node)

    def is_geometry_call(self, node: syntax.Call) -> bool:
        """Whether a function is one of geometry."""
        return node.name in GEOMETRY_FUNCTIONS

    def _placed(self, node: syntax.Call) -> Placed:
        """Take the optional, deprecated coordinate system off the arguments."""
        if node.arguments and isinstance(node.arguments[0], syntax.Text):
            first = node.arguments[0]
            return Placed(node, self.frame(first), node.arguments[1:])
        return Placed(node, "", node.arguments)

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

    def constant_region(self, at: int, make: Callable[[], Region]) -> tree.RegionLiteral:
        """Build and check a constant region."""
        try:
            return tree.RegionLiteral(normalise_search(make()))
        except RegionError as wrong:
            self.fail("unsupported" if wrong.code == "unsupported" else "type", at, str(wrong))

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

    def _arguments(self, placed: Placed, forms: str, *counts: int) -> None:
        if len(placed.arguments) not in counts:
            self.fail("type", placed.node.at, f"{placed.node.name} takes {forms}")

    def _position(self, placed: Placed, lon: tree.Expression, lat: tree.Expression) -> tree.Expression:
        """Return a position from two numbers in the frame given."""
        constant = as_floats(lon, lat)
        if constant is not None:
            at = placed.arguments[0].at
            return self.constant_region(at, lambda: _moved(Point(*constant), placed.frame))
        if not placed.is_icrs:
            self.fail(
                "unsupported",
                placed.node.at,
                f"{placed.frame} coordinates can be given as constants only; columns are ICRS",
            )
        return tree.PointOf(lon, lat)

    def point(self, node: syntax.Value) -> tree.Expression:
        """Resolve a value that shall be a point."""
        found = self.geometry(node)
        if found.kind is not Kind.POINT:
            self.fail("type", node.at, f"a point is expected here, not {named_kind(found.kind)}")
        return found

    def _centre(self, placed: Placed, rest: int) -> tuple[tree.Expression, list[tree.Expression]]:
        """Resolve a centre, given as a point or as two numbers, and ``rest`` numbers after it."""
        if len(placed.arguments) == rest + 1:
            self._refuse_frame(placed)
            centre = self.point(placed.arguments[0])
            return centre, self.numbers(placed.arguments[1:])
        lon, lat, *more = self.numbers(placed.arguments)
        return self._position(placed, lon, lat), more

    def _refuse_frame(self, placed: Placed) -> None:
        if not placed.is_icrs:
            message = f"{placed.frame} is said of {placed.node.name}; say it of its points"
            self.fail("unsupported", placed.node.at, message)

    def _point(self, node: syntax.Call) -> tree.Expression:
        placed = self._placed(node)
        self._arguments(placed, "two numbers, in degrees", 2)
        return self._position(placed, *self.numbers(placed.arguments))

    def _circle(self, node: syntax.Call) -> tree.Expression:
        placed = self._placed(node)
        self._arguments(placed, "a point (or two numbers) and a radius, in degrees", 2, 3)
        centre, (radius,) = self._centre(placed, 1)
        size = as_floats(radius)
        if size is not None and isinstance(centre, tree.RegionLiteral) and isinstance(centre.region, Point):
            ra, dec = centre.region.ra, centre.region.dec
            return self.constant_region(placed.arguments[-1].at, lambda: Circle(ra, dec, *size))
        return tree.CircleOf(centre, radius)

    def _polygon(self, node: syntax.Call) -> tree.Expression:
        placed = self._placed(node)
        form = "three or more points, or the numbers of as many"
        if len(placed.arguments) < 3:
            self.fail("type", node.at, f"POLYGON takes {form}")
        first = self.value(placed.arguments[0])
        if first.kind.is_numeric:
            if len(placed.arguments) < 6 or len(placed.arguments) % 2:
                self.fail("type", node.at, f"POLYGON takes {form}")
            found = self.numbers(placed.arguments)
            pairs = zip(found[::2], found[1::2], strict=True)
            vertices = [self._position(placed, lon, lat) for lon, lat in pairs]
        else:
            self._refuse_frame(placed)
            vertices = self.each(self.point, placed.arguments)
        corners = [
            (v.region.ra, v.region.dec)
            for v in vertices
            if isinstance(v, tree.RegionLiteral) and isinstance(v.region, Point)
        ]
        if len(corners) == len(vertices):
            return self.constant_region(node.at, lambda: Polygon(tuple(corners)))
        return tree.PolygonOf(tuple(vertices))

    def _box(self, node: syntax.Call) -> tree.Expression:
        placed = self._placed(node)
        self._arguments(placed, "a point (or two numbers), a width and a height, in degrees", 3, 4)
        if len(placed.arguments) == 4 and not placed.is_icrs:
            sides = as_floats(*self.numbers(placed.arguments))
            if sides is not None:
                return self.constant_region(node.at, lambda: _moved(box_polygon(*sides), placed.frame))
        centre, sizes = self._centre(placed, 2)
        size = as_floats(*sizes)
        if size is None or not (isinstance(centre, tree.RegionLiteral) and isinstance(centre.region, Point)):
            self.fail("unsupported", node.at, "BOX takes constants only", ["CIRCLE", "POLYGON"])
        ra, dec = centre.region.ra, centre.region.dec
        return self.constant_region(node.at, lambda: box_polygon(ra, dec, *size))

    def _region(self, node: syntax.Call) -> tree.Expression:
        if len(node.arguments) != 1:
            self.fail("type", node.at, "REGION takes one text")
        (text,) = node.arguments
        if not isinstance(text, syntax.Text):
            message = "REGION takes a constant text; a column of regions is a geometry as it stands"
            self.fail("unsupported", text.at, message)
        return self.constant_region(text.at, lambda: parse_region(text.value))

    def _two_geometries(self, node: syntax.Call) -> list[tree.Expression]:
        if len(node.arguments) != 2:
            self.fail("type", node.at, f"{node.name} takes two geometries")
        return self.each(self.geometry, node.arguments)

    def _contains(self, node: syntax.Call) -> tree.Expression:
        inner, outer = self._two_geometries(node)
        return tree.Contains(inner, outer)

    def _intersects(self, node: syntax.Call) -> tree.Expression:
        left, right = self._two_geometries(node)
        if left.kind is Kind.POINT:
            return tree.Contains(left, right)
        if right.kind is Kind.POINT:
            return tree.Contains(right, left)
        return tree.Intersects(left, right)

    def _distance(self, node: syntax.Call) -> tree.Expression:
        if len(node.arguments) == 4:
            a, b, c, d = self.numbers(node.arguments)
            here = Placed(node, "", node.arguments)
            there = Placed(node, "", node.arguments[2:])
            return tree.Distance(self._position(here, a, b), self._position(there, c, d))
        if len(node.arguments) != 2:
            self.fail("type", node.at, "DISTANCE takes two points or four numbers")
        left, right = self.each(self.point, node.arguments)
        return tree.Distance(left, right)

    def _one_geometry(self, node: syntax.Call) -> tree.Expression:
        if len(node.arguments) != 1:
            self.fail("type", node.at, f"{node.name} takes one geometry")
        return self.geometry(node.arguments[0])

    def _area(self, node: syntax.Call) -> tree.Expression:
        operand = self._one_geometry(node)
        if isinstance(operand, tree.RegionLiteral):
            return tree.Literal(area(operand.region), Kind.DOUBLE)
        return tree.Area(operand)

    def _centroid(self, node: syntax.Call) -> tree.Expression:
        operand = self._one_geometry(node)
        if isinstance(operand, tree.RegionLiteral):
            match operand.region:
                case Point() | Circle() as region:
                    return tree.RegionLiteral(Point(region.ra, region.dec))
        return operand if operand.kind is Kind.POINT else tree.Centroid(operand)

    def _coordinate(self, node: syntax.Call, axis: Literal[1, 2]) -> tree.Expression:
        if len(node.arguments) != 1:
            self.fail("type", node.at, f"{node.name} takes one point")
        operand = self.point(node.arguments[0])
        if isinstance(operand, tree.RegionLiteral) and isinstance(operand.region, Point):
            return tree.Literal(operand.region.ra if axis == 1 else operand.region.dec, Kind.DOUBLE)
        return tree.Coordinate(operand, axis)

    def _system(self, node: syntax.Call) -> tree.Expression:
        self._one_geometry(node)
        return tree.Literal("ICRS", Kind.TEXT)


def as_floats(*expressions: tree.Expression) -> tuple[float, ...] | None:
    """Return the numbers when all of them are constants."""
    found = []
    for expression in expressions:
        if not isinstance(expression, tree.Literal) or not isinstance(expression.value, int | float):
            return None
        found.append(float(expression.value))
    return tuple(found)


def _moved(region: Region, frame: str) -> Region:
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
