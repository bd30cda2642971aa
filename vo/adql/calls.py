"""Functions (ADQL 2.1, sections 2.2.10 and 4.3 to 4.9): aggregates, the declared functions, CAST."""

from __future__ import annotations

from query import tree
from query.functions import FUNCTIONS, GEOMETRY_FUNCTIONS, NAME_KEY, Accepts, Function, Signature
from schemas import Kind
from schemas.names import name_key
from sky.frames import KNOWN_FRAMES, frame_key, from_icrs, to_icrs
from sky.healpix import cell_centres
from sky.regions import Circle, Point, Polygon, Region, RegionError
from sky.text import parse_dali
from vo.adql import constants, syntax
from vo.adql.errors import similar
from vo.adql.geometry import GeometryResolver
from vo.adql.shapes import as_floats, is_shape, named_kind
from vo.adql.units import factor
from vo.adql.words import AGGREGATES

_TARGETS = {
    "SMALLINT": Kind.SHORT,
    "INTEGER": Kind.INT,
    "BIGINT": Kind.LONG,
    "REAL": Kind.FLOAT,
    "DOUBLE": Kind.DOUBLE,
    "CHAR": Kind.TEXT,
    "VARCHAR": Kind.TEXT,
    "TIMESTAMP": Kind.TIMESTAMP,
    "POINT": Kind.POINT,
    "CIRCLE": Kind.CIRCLE,
    "POLYGON": Kind.POLYGON,
}

_TRANSFORMED = {"ICRS", "FK5", "FK4", "GALACTIC", "ECLIPTIC"}


class CallResolver(GeometryResolver):
    """Resolves functions."""

    def call(self, node: syntax.Call) -> tree.Expression:
        """Resolve a function by its name."""
        if node.name in AGGREGATES:
            return self._aggregate(node)
        if self.is_geometry_call(node):
            return self.geometry_call(node)
        function = FUNCTIONS.get(node.name.lower())
        if function is None:
            known = [*(name.upper() for name in FUNCTIONS), *GEOMETRY_FUNCTIONS, *AGGREGATES]
            self.fail("unknown-function", node.at, f"no function {node.name}", similar(node.name, known))
        signature = self._signature(node, function)
        if function.folded:
            return self._folded(node, function.name)
        if function.name == "coalesce":
            return self._coalesce(node)
        if function.name == "ivo_healpix_index":
            return self._healpix_index(node)
        arguments = tuple(
            self.each(
                lambda pair: self._argument(pair[0], pair[1]),
                zip(node.arguments, (p.accepts for p in signature.parameters), strict=True),
            )
        )
        kind = signature.result or _common(arguments)
        if function.name == "abs" and kind.is_integer:
            # The least of a narrow kind is without its opposite in it.
            kind = Kind.LONG
        return _call(function.name, arguments, kind)

    def _signature(self, node: syntax.Call, function: Function) -> Signature:
        for signature in function.signatures:
            if signature.fits(len(node.arguments)):
                return signature
        return self.fail(
            "type", node.at, f"{node.name} is not called with {len(node.arguments)} arguments", function.forms
        )

    def _argument(self, node: syntax.Value, accepts: Accepts) -> tree.Expression:
        found = self.value(node)
        wanted = {Accepts.NUMBER: Kind.DOUBLE, Accepts.INTEGER: Kind.LONG, Accepts.TIME: Kind.TIMESTAMP}
        kind = wanted.get(accepts, Kind.TEXT)
        if isinstance(found, tree.Literal) and found.value is None:
            return tree.Literal(None, kind)
        if accepts is Accepts.TIME and found.kind is Kind.TEXT:
            return self.as_time(found, node.at)
        if not accepts.takes(found.kind) or is_shape(found):
            self.fail("type", node.at, f"{accepts.value} is expected here, not {named_kind(found.kind)}")
        return found

    def as_time(self, found: tree.Expression, at: int) -> tree.Expression:
        """Return a text as a timestamp: a constant at once, anything else by a cast."""
        if not isinstance(found, tree.Literal):
            return tree.Cast(found, Kind.TIMESTAMP)
        moment = constants.as_kind(found, Kind.TIMESTAMP)
        if moment is None:
            message = f"{found.value!r} is not a date; write it like 2024-05-31T12:00:00 or shorter"
            self.fail("type", at, message)
        return moment

    def _coalesce(self, node: syntax.Call) -> tree.Expression:
        found = self.each(self.value, node.arguments)
        kind = _start_kind(found)
        fitted = []
        for expression, argument in zip(found, node.arguments, strict=True):
            literal = constants.as_kind(expression, kind) if isinstance(expression, tree.Literal) else None
            fitted.append(literal or expression)
            wider = constants.common_kind(kind, fitted[-1].kind)
            if wider is None:
                message = f"{named_kind(kind)} is expected here, as before, not {named_kind(expression.kind)}"
                self.fail("type", argument.at, message)
            kind = wider
        return tree.Call("coalesce", tuple(fitted), kind)

    def _aggregate(self, node: syntax.Call) -> tree.Expression:
        level = self.level
        if level.in_aggregate:
            self.fail("type", node.at, f"{node.name} cannot stand inside another aggregate")
        if level.clause not in ("SELECT", "HAVING", "ORDER BY"):
            self.fail("type", node.at, f"{node.name} cannot stand in {level.clause}", ["HAVING"])
        level.aggregates = True
        if node.star:
            return tree.Aggregate("count", None, distinct=False, kind=Kind.LONG)
        if len(node.arguments) != 1:
            self.fail("type", node.at, f"{node.name} takes one argument")
        level.in_aggregate = True
        try:
            operand = self.value(node.arguments[0], whole=node.name == "COUNT")
        finally:
            level.in_aggregate = False
        match node.name:
            case "COUNT":
                return tree.Aggregate("count", operand, node.distinct, Kind.LONG)
            case "SUM" | "AVG" as name:
                if not operand.kind.is_numeric:
                    self.fail("type", node.arguments[0].at, f"{name} needs a number")
                kind = Kind.LONG if name == "SUM" and operand.kind.is_integer else Kind.DOUBLE
                return tree.Aggregate("sum" if name == "SUM" else "avg", operand, node.distinct, kind)
        if operand.kind.is_geometry or operand.kind is Kind.BOOLEAN:
            self.fail("type", node.arguments[0].at, f"{node.name} cannot order {named_kind(operand.kind)}")
        return tree.Aggregate("min" if node.name == "MIN" else "max", operand, node.distinct, operand.kind)

    def _healpix_index(self, node: syntax.Call) -> tree.Expression:
        order = self._argument(node.arguments[0], Accepts.INTEGER)
        level = as_floats(order)
        if level is not None and not 0 <= level[0] <= 29:
            self.fail("type", node.arguments[0].at, "the HEALPix order is 0 to 29")
        if len(node.arguments) == 3:
            lon, lat = self.numbers(node.arguments[1:])
            return tree.Call("ivo_healpix_index", (order, lon, lat), Kind.LONG)
        ra, dec = _coordinates(self.point(node.arguments[1]))
        return tree.Call("ivo_healpix_index", (order, ra, dec), Kind.LONG)

    def _folded(self, node: syntax.Call, name: str) -> tree.Expression:
        match name:
            case "in_unit":
                return self._in_unit(node)
            case "ivo_healpix_center":
                return self._healpix_centre(node)
            case "ivo_geom_transform":
                return self._transform(node)
        text = self._constant_text(node.arguments[0], node.name)
        angle = constants.sexagesimal(text, ("h" if name == "ivo_hms_to_degrees" else "d", "m", "s"))
        if angle is None:
            self.fail("type", node.arguments[0].at, f"{text!r} is not such an angle")
        return tree.Literal(angle * 15.0 if name == "ivo_hms_to_degrees" else angle, Kind.DOUBLE)

    def _constant_text(self, node: syntax.Value, name: str) -> str:
        if not isinstance(node, syntax.Text):
            self.fail("unsupported", node.at, f"{name} takes a constant text here")
        return node.value

    def _in_unit(self, node: syntax.Call) -> tree.Expression:
        operand, target = node.arguments
        found = self.number(operand)
        unit = self.describe(found).unit
        if not unit:
            self.fail("type", operand.at, "the unit of this value is not known")
        wanted = self._constant_text(target, node.name)
        try:
            scale = factor(unit, wanted)
        except ValueError as wrong:
            self.fail("type", target.at, str(wrong))
        if scale == 1.0:
            return found
        return tree.Arithmetic("*", found, tree.Literal(scale, Kind.DOUBLE), Kind.DOUBLE)

    def _healpix_centre(self, node: syntax.Call) -> tree.Expression:
        order, cell = (self._argument(argument, Accepts.INTEGER) for argument in node.arguments)
        if not isinstance(order, tree.Literal) or not isinstance(cell, tree.Literal):
            self.fail("unsupported", node.at, f"{node.name} takes constants only")
        if order.value is None or cell.value is None:
            return tree.PointOf(tree.Literal(None, Kind.DOUBLE), tree.Literal(None, Kind.DOUBLE))
        level, number = int(order.value), int(cell.value)
        if not 0 <= level <= 29 or not 0 <= number < 12 << (2 * level):
            self.fail("type", node.at, f"there is no cell {number} of order {level}")
        ra, dec = cell_centres([number], level)
        return tree.RegionLiteral(Point(float(ra[0]), float(dec[0])))

    def _transform(self, node: syntax.Call) -> tree.Expression:
        source, target = (self._frame_name(argument, node.name) for argument in node.arguments[:2])
        found = self.geometry(node.arguments[2])
        if not isinstance(found, tree.RegionLiteral):
            self.fail("unsupported", node.arguments[2].at, f"{node.name} takes constants only")

        def turned(lon: float, lat: float) -> tuple[float, float]:
            ra, dec = to_icrs(lon, lat, source)
            x, y = from_icrs(ra, dec, target)
            return float(x), float(y)

        def moved() -> Region:
            match found.region:
                case Point(lon, lat):
                    return Point(*turned(lon, lat))
                case Circle(lon, lat, radius):
                    return Circle(*turned(lon, lat), radius)
                case Polygon(vertices):
                    return Polygon(tuple(turned(lon, lat) for lon, lat in vertices))
            raise RegionError("unsupported", f"{node.name} takes a point, a circle or a polygon")

        return self.constant_region(node.at, moved)

    def _frame_name(self, node: syntax.Value, name: str) -> str:
        key = frame_key(self._constant_text(node, name))
        if key not in KNOWN_FRAMES or key not in _TRANSFORMED:
            self.fail("unsupported", node.at, f"the frame {key!r} is not known", sorted(_TRANSFORMED))
        return key

    def cast(self, node: syntax.CastCall) -> tree.Expression:
        """Resolve a cast; constants are cast at once."""
        kind = _TARGETS[node.target]
        if kind.is_geometry:
            return self._geometry_cast(node, kind)
        found = self.value(node.operand)
        length = 1 if node.target == "CHAR" and node.length is None else node.length
        if isinstance(found, tree.Literal):
            literal = self._constant_cast(node, found, kind, length)
            if literal is not None:
                return literal
        allowed = found.kind in (Kind.TEXT, Kind.REGION) or kind is Kind.TEXT or found.kind is kind
        numeric = (found.kind.is_numeric or found.kind is Kind.BOOLEAN) and kind.is_numeric
        if not (allowed or numeric) or is_shape(found):
            self.fail("type", node.at, f"{named_kind(found.kind)} cannot become {node.target}")
        if found.kind is kind and length is None:
            return found
        return tree.Cast(found, kind, length)

    def _constant_cast(
        self, node: syntax.CastCall, found: tree.Literal, kind: Kind, length: int | None
    ) -> tree.Literal | None:
        """Cast a constant; None when that is left to the engine."""
        if found.value is None:
            return tree.Literal(None, kind)
        if kind is Kind.TEXT:
            return tree.Literal(found.value[:length], kind) if isinstance(found.value, str) else None
        literal = constants.as_kind(found, kind)
        if literal is None and found.kind is Kind.TEXT:
            self.fail("type", node.operand.at, f"{found.value!r} cannot become {node.target}")
        return literal if literal is not None and literal.kind is kind else None

    def _geometry_cast(self, node: syntax.CastCall, kind: Kind) -> tree.Expression:
        if isinstance(node.operand, syntax.Text):
            text = node.operand.value
            return self.constant_region(node.operand.at, lambda: parse_dali(kind.value, text))
        found = self.geometry(node.operand)
        if found.kind is not kind:
            self.fail("unsupported", node.at, f"only a constant text can become {node.target}")
        return found


def _coordinates(point: tree.Expression) -> tuple[tree.Expression, tree.Expression]:
    match point:
        case tree.PointOf(ra, dec):
            return ra, dec
        case tree.RegionLiteral(Point(ra, dec)):
            return tree.Literal(ra, Kind.DOUBLE), tree.Literal(dec, Kind.DOUBLE)
    return tree.Coordinate(point, 1), tree.Coordinate(point, 2)


def _call(name: str, arguments: tuple[tree.Expression, ...], kind: Kind) -> tree.Expression:
    """Return a call; the key of a constant name is a constant, which indexes can look up."""
    if name == NAME_KEY and isinstance(arguments[0], tree.Literal):
        text = arguments[0].value
        return tree.Literal(name_key(text) if isinstance(text, str) else None, kind)
    return tree.Call(name, arguments, kind)


def _common(arguments: tuple[tree.Expression, ...]) -> Kind:
    kind = arguments[0].kind
    for argument in arguments[1:]:
        kind = constants.common_number(kind, argument.kind)
    return kind


def _start_kind(found: list[tree.Expression]) -> Kind:
    """Return the kind that constants shall take: that of the first value that is no constant, if any."""
    for expression in found:
        if not isinstance(expression, tree.Literal):
            return expression.kind
    for expression in found:
        if isinstance(expression, tree.Literal) and expression.value is not None:
            return expression.kind
    return Kind.TEXT
