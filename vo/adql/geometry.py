"""Geometry (ADQL 2.1, section 4.2): constants become regions of ``sky``, the rest becomes nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from query import tree
from query.functions import GEOMETRY_FUNCTIONS
from schemas import Kind
from sky.regions import (
    Circle,
    Point,
    Polygon,
    area,
    box_polygon,
)
from sky.text import parse_region
from vo.adql import syntax
from vo.adql.shapes import Placed, ShapeResolver, as_floats, moved


class GeometryResolver(ShapeResolver):
    """Resolves geometry functions."""

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

    def _point(self, node: syntax.Call) -> tree.Expression:
        placed = self.placed(node)
        self.arguments(placed, "two numbers, in degrees", 2)
        return self.position(placed, *self.numbers(placed.arguments))

    def _circle(self, node: syntax.Call) -> tree.Expression:
        placed = self.placed(node)
        self.arguments(placed, "a point (or two numbers) and a radius, in degrees", 2, 3)
        centre, (radius,) = self.centre(placed, 1)
        size = as_floats(radius)
        if size is not None and isinstance(centre, tree.RegionLiteral) and isinstance(centre.region, Point):
            ra, dec = centre.region.ra, centre.region.dec
            return self.constant_region(placed.arguments[-1].at, lambda: Circle(ra, dec, *size))
        return tree.CircleOf(centre, radius)

    def _polygon(self, node: syntax.Call) -> tree.Expression:
        placed = self.placed(node)
        form = "three or more points, or the numbers of as many"
        if len(placed.arguments) < 3:
            self.fail("type", node.at, f"POLYGON takes {form}")
        start, *more = placed.arguments
        # Resolved once: polygons in polygons would double the work at each level.
        first = self.value(start)
        if first.kind.is_numeric:
            if len(placed.arguments) < 6 or len(placed.arguments) % 2:
                self.fail("type", node.at, f"POLYGON takes {form}")
            found = [first, *self.numbers(tuple(more))]
            pairs = zip(found[::2], found[1::2], strict=True)
            vertices = [self.position(placed, lon, lat) for lon, lat in pairs]
        else:
            self.refuse_frame(placed)
            vertices = [self.as_point(self.as_geometry(first, start), start), *self.each(self.point, more)]
        self.refuse_many(node.at, len(vertices))
        corners = [
            (v.region.ra, v.region.dec)
            for v in vertices
            if isinstance(v, tree.RegionLiteral) and isinstance(v.region, Point)
        ]
        if len(corners) == len(vertices):
            return self.constant_region(node.at, lambda: Polygon(tuple(corners)))
        return tree.PolygonOf(tuple(vertices))

    def _box(self, node: syntax.Call) -> tree.Expression:
        placed = self.placed(node)
        self.arguments(placed, "a point (or two numbers), a width and a height, in degrees", 3, 4)
        if len(placed.arguments) == 4 and not placed.is_icrs:
            sides = as_floats(*self.numbers(placed.arguments))
            if sides is not None:
                return self.constant_region(node.at, lambda: moved(box_polygon(*sides), placed.frame))
        centre, sizes = self.centre(placed, 2)
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
        if "/" not in text.value:
            self.refuse_many(text.at, len(text.value.split()) // 2)
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
            return tree.Distance(self.position(here, a, b), self.position(there, c, d))
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
