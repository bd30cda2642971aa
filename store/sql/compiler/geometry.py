"""Geometry as SQL.

Positions and cones become arithmetic on unit vectors: a point lies in a cone when the chord to its centre
is no longer than the cone's. Everything else goes to ``sky.relations`` through the functions of ``udf``,
regions being passed as STC-S text.
"""

from __future__ import annotations

from collections.abc import Callable

from query import tree
from schemas import Kind
from sky.healpix import unit_vectors
from sky.regions import Circle, Point, Polygon, Region, centroid
from sky.regions import area as area_of
from sky.text import to_stcs
from store import planner
from store.port import QueryRejected
from store.sql.compiler.chords import (
    Triple,
    compare_distance,
    degrees_apart,
    unit_vector,
    within_radius,
)
from store.sql.compiler.literals import bounded, double, text
from store.sql.compiler.scope import Scope
from store.sql.kinds import X, Y, Z


class Geometry:
    """Writes geometric values; what they are made of is written by ``value``."""

    def __init__(self, scope: Scope, value: Callable[[tree.Expression], str]) -> None:
        self._scope = scope
        self._value = value

    def holds(self, node: tree.Contains | tree.Intersects) -> str:
        """Return the SQL of a spatial relation as a condition."""
        if isinstance(node, tree.Intersects):
            return self._meets(node.left, node.right)
        return self._contains(node.inner, node.outer)

    def value(self, node: tree.Expression) -> str:  # noqa: PLR0911 - one for each class of node
        """Return the SQL of a geometry, or of a number that is measured on one."""
        match node:
            case tree.Distance():
                return self._distance(node)
            case tree.Area():
                if isinstance(node.operand, tree.RegionLiteral):
                    return double(area_of(node.operand.region))
                return f"sky_area({self.region(node.operand)})"
            case tree.Coordinate():
                return self.coordinates(node.operand)[node.axis - 1]
            case tree.PointOf() | tree.Centroid():
                return _array(*self.coordinates(node))
            case tree.CircleOf():
                return _array(*self.coordinates(node.centre), f"CAST({self._value(node.radius)} AS DOUBLE)")
            case tree.PolygonOf():
                numbers = [part for vertex in node.vertices for part in self.coordinates(vertex)]
                missing = " OR ".join(f"{number} IS NULL" for number in numbers)
                return f"CASE WHEN NOT ({missing}) THEN [{', '.join(numbers)}] END"
            case tree.RegionLiteral():
                return _constant(node.region)
            case tree.RegionOf():
                return self._value(node.text)
            case _:
                raise QueryRejected(f"{type(node).__name__} cannot stand here")

    def coordinates(self, node: tree.Expression) -> tuple[str, str]:
        """Return the SQL of a point's two coordinates in degrees."""
        match node:
            case tree.PointOf():
                return self._degrees(node.ra), self._degrees(node.dec)
            case tree.RegionLiteral(region=Point() as point):
                return double(point.ra), double(point.dec)
            case tree.Centroid(operand=tree.RegionLiteral() as constant):
                point = centroid(constant.region)
                return double(point.ra), double(point.dec)
            case tree.Centroid(operand=tree.CircleOf() as circle):
                return self.coordinates(circle.centre)
            case tree.Centroid(operand=operand) if operand.kind is Kind.POINT:
                return self.coordinates(operand)
            case tree.Centroid():
                sql = f"sky_centre({self.region(node.operand)})"
            case tree.Column(kind=Kind.POINT | Kind.CIRCLE):
                sql = self._value(node)
            case _:
                raise QueryRejected("a point is needed here")
        return f"{sql}[1]", f"{sql}[2]"

    def region(self, node: tree.Expression) -> str:
        """Return the SQL of a geometry's STC-S text; NULL when a part of it is."""
        return bounded(self._region(node))

    def _region(self, node: tree.Expression) -> str:  # noqa: PLR0911 - one for each class of node
        match node:
            case tree.RegionLiteral():
                return text(to_stcs(node.region))
            case tree.RegionOf():
                return self._value(node.text)
            case tree.CircleOf():
                parts = [*self.coordinates(node.centre), self._degrees(node.radius)]
                return _spelled("CIRCLE", parts)
            case tree.PolygonOf():
                return _spelled(
                    "POLYGON", [part for vertex in node.vertices for part in self.coordinates(vertex)]
                )
            case tree.Column(kind=Kind.REGION):
                return self._value(node)
            case tree.Column(kind=Kind.CIRCLE):
                sql = self._value(node)
                return _spelled("CIRCLE", [f"{sql}[{place}]" for place in (1, 2, 3)])
            case tree.Column(kind=Kind.POLYGON):
                return f"('POLYGON ICRS ' || array_to_string({self._value(node)}, ' '))"
            case _:
                return _spelled("POSITION", [*self.coordinates(node)])

    def compared(self, node: tree.Comparison) -> str | None:
        """Return the SQL of a distance compared with a constant: the test of a cone, or its opposite."""
        turned: dict[tree.Operator, tree.Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
        distance, limit, operator = node.left, node.right, node.operator
        if isinstance(limit, tree.Distance):
            distance, limit, operator = limit, distance, turned.get(operator, operator)
        if (
            not isinstance(distance, tree.Distance)
            or not isinstance(limit, tree.Literal)
            or operator not in turned
        ):
            return None
        if not isinstance(limit.value, int | float) or not 0 <= limit.value <= 180:
            return None
        radius = float(limit.value)
        return self._measured(
            distance.left, distance.right, lambda one, two: compare_distance(one, two, operator, radius)
        )

    def _contains(self, inner: tree.Expression, outer: tree.Expression) -> str:
        if inner.kind is Kind.POINT or _is_point(inner):
            return self._point_in(inner, outer)
        if isinstance(outer, tree.RegionLiteral):
            return f"sky_within({self.region(inner)}, {self.region(outer)})"
        if isinstance(inner, tree.RegionLiteral):
            return f"sky_holds({self.region(outer)}, {self.region(inner)})"
        return f"sky_contains({self.region(outer)}, {self.region(inner)})"

    def _point_in(self, point: tree.Expression, outer: tree.Expression) -> str:
        if isinstance(outer, tree.RegionLiteral) and isinstance(outer.region, Circle):
            circle = outer.region
            centre = tree.RegionLiteral(Point(circle.ra, circle.dec))
            return self._measured(
                point, centre, lambda one, two: compare_distance(one, two, "<=", circle.radius)
            )
        if isinstance(outer, tree.RegionLiteral):
            ra, dec = self.coordinates(point)
            return f"sky_in({ra}, {dec}, {self.region(outer)})"
        if isinstance(outer, tree.CircleOf):
            return self._in_circle(point, outer)
        ra, dec = self.coordinates(point)
        return f"sky_point_in({ra}, {dec}, {self.region(outer)})"

    def _meets(self, left: tree.Expression, right: tree.Expression) -> str:
        for one, other in ((left, right), (right, left)):
            if one.kind is Kind.POINT or _is_point(one):
                return self._point_in(one, other)
        for one, other in ((left, right), (right, left)):
            if isinstance(other, tree.RegionLiteral):
                return f"sky_meets({self.region(one)}, {self.region(other)})"
        return f"sky_intersects({self.region(left)}, {self.region(right)})"

    def _distance(self, node: tree.Distance) -> str:
        return self._measured(node.left, node.right, degrees_apart)

    def _in_circle(self, point: tree.Expression, circle: tree.CircleOf) -> str:
        radius, centre = circle.radius, circle.centre
        if isinstance(radius, tree.Literal) and isinstance(radius.value, int | float):
            size = float(radius.value)
            if 0 <= size <= 180:
                return self._measured(point, centre, lambda one, two: compare_distance(one, two, "<=", size))
            return "CAST(NULL AS BOOLEAN)"
        sql = self._degrees(radius)
        if isinstance(radius, tree.Column | tree.Literal):
            return self._measured(point, centre, lambda one, two: within_radius(one, two, sql))
        numbers = ", ".join((*self.coordinates(point), *self.coordinates(centre), sql))
        inside = within_radius(unit_vector("p[1]", "p[2]"), unit_vector("p[3]", "p[4]"), "p[5]")
        return f"list_transform([[{bounded(numbers)}]], lambda p: {inside})[1]"

    def _measured(
        self, left: tree.Expression, right: tree.Expression, measure: Callable[[Triple, Triple], str]
    ) -> str:
        """Return what is measured on two unit vectors; coordinates that are computed are computed once."""
        if self._at_hand(left) and self._at_hand(right):
            return measure(self._vector(left), self._vector(right))
        numbers = ", ".join((*self.coordinates(left), *self.coordinates(right)))
        inside = measure(unit_vector("p[1]", "p[2]"), unit_vector("p[3]", "p[4]"))
        return f"list_transform([[{bounded(numbers)}]], lambda p: {inside})[1]"

    def _at_hand(self, node: tree.Expression) -> bool:
        """Whether a point's coordinates are constants or columns."""
        if planner.constant_point(node) is not None:
            return True
        return isinstance(node, tree.PointOf) and all(
            isinstance(part, tree.Column | tree.Literal) for part in (node.ra, node.dec)
        )

    def _vector(self, node: tree.Expression) -> Triple:
        alias = planner.position_of(node, self._scope.tables)
        if alias is not None:
            sql = self._scope.relation(alias).sql
            return f"{sql}.{X}", f"{sql}.{Y}", f"{sql}.{Z}"
        constant = planner.constant_point(node)
        if constant is not None:
            return _constant_vector(constant)
        return unit_vector(*self.coordinates(node))

    def _degrees(self, node: tree.Expression) -> str:
        return f"CAST({self._value(node)} AS DOUBLE)"


def _is_point(node: tree.Expression) -> bool:
    return isinstance(node, tree.RegionLiteral) and isinstance(node.region, Point)


def _constant_vector(point: Point) -> Triple:
    x, y, z = unit_vectors(point.ra, point.dec).tolist()
    return double(x), double(y), double(z)


def _array(*numbers: str) -> str:
    missing = " OR ".join(f"{number} IS NULL" for number in numbers)
    return f"CASE WHEN NOT ({missing}) THEN array_value({', '.join(numbers)}) END"


def _spelled(shape: str, numbers: list[str]) -> str:
    return (
        f"('{shape} ICRS ' || " + " || ' ' || ".join(f"CAST({number} AS VARCHAR)" for number in numbers) + ")"
    )


def _constant(region: Region) -> str:
    match region:
        case Point():
            return _array(double(region.ra), double(region.dec))
        case Circle():
            return _array(double(region.ra), double(region.dec), double(region.radius))
        case Polygon():
            return f"[{', '.join(double(part) for vertex in region.vertices for part in vertex)}]"
        case _:
            return text(to_stcs(region))
