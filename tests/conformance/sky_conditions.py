"""Random conditions of the sky, written in every way that ADQL has for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import healpy

from tests.conformance import sky_oracle as sky
from tests.conformance import values_oracle as values
from tests.conformance.cells_oracle import FRAMES, cell_of, icrs
from tests.conformance.draws import DECS, RAS, corners
from tests.conformance.expressions import Chooser, Cond, Env, Field, number
from tests.conformance.values_oracle import Truth

TINY_TO_ALL = [1.0, 0.1, 10.0, 45.0, 1e-9, 0.0, 1e-6, 89.9, 90.0, 90.1, 135.0, 179.9, 179.9999999, 180.0]


def place(c: Chooser, around: Sequence[sky.Place]) -> sky.Place:
    """Draw a position, often that of a row or a special one."""
    way = c.below(4)
    if way == 0:
        return c.pick(RAS), c.pick(DECS)
    if way == 1 and around:
        return c.pick(around)
    return c.below(3600) / 10.0, (c.below(1801) - 900) / 10.0


def spoken(ra: float, dec: float) -> str:
    return f"{number(ra)}, {number(dec)}"


class SkyConditions:
    """Draws conditions on positions and footprints."""

    def __init__(self, c: Chooser, fields: Sequence[Field], around: Sequence[sky.Place]) -> None:
        self.c = c
        self._around = around
        aliases = dict.fromkeys(field.alias for field in fields)
        names = {(field.alias, field.name) for field in fields}
        self.placed = [alias for alias in aliases if (alias, "ra") in names and (alias, "dec") in names]
        self.shaped = [field for field in fields if field.kind == "region"]

    def kinds(self) -> list[Callable[[int], Cond]]:
        found: list[Callable[[int], Cond]] = []
        if self.placed:
            found += [self._cone, self._cone, self._inside, self._inside, self._distance, self._in_cells]
        if len(self.placed) > 1:
            found += [self._near, self._near]
        if self.shaped:
            found += [self._footprint, self._footprint]
        if self.shaped and self.placed:
            found.append(self._covered)
        if len(self.shaped) > 1:
            found.append(self._overlap)
        return found

    def region(self) -> tuple[str, sky.Shape]:  # noqa: PLR0911 - one for each shape
        """Draw a constant region."""
        ra, dec = place(self.c, self._around)
        kind = self.c.below(8)
        if kind < 2:
            radius = self.c.pick(TINY_TO_ALL)
            if self.c.chance(3):
                return f"CIRCLE(POINT({spoken(ra, dec)}), {radius!r})", sky.cap(ra, dec, radius)
            frame = self.c.pick(["'ICRS', ", "", "'', "])
            return f"CIRCLE({frame}{spoken(ra, dec)}, {radius!r})", sky.cap(ra, dec, radius)
        if kind == 2:
            return f"POINT({spoken(ra, dec)})", sky.cap(ra, dec)
        if kind == 3:
            return self._box(ra, dec)
        if kind == 7:
            return self._of_frame(ra, dec)
        vertices = self._polygon(ra, dec)
        shape = sky.ring(vertices)
        if kind == 4:
            radius = self.c.pick(TINY_TO_ALL[:6])
            spelled = " ".join(f"{lon!r} {lat!r}" for lon, lat in vertices)
            text = f"REGION('UNION ICRS (CIRCLE {ra!r} {dec!r} {radius!r} POLYGON {spelled})')"
            return text, sky.Several((sky.cap(ra, dec, radius), shape))
        if kind == 5:
            points = ", ".join(f"POINT({spoken(*vertex)})" for vertex in vertices)
            return f"POLYGON({points})", shape
        return f"POLYGON('ICRS', {', '.join(spoken(*vertex) for vertex in vertices)})", shape

    def _of_frame(self, lon: float, lat: float) -> tuple[str, sky.Shape]:
        """Draw a region of another frame; its corners and centre are transformed."""
        frame = self.c.pick(list(FRAMES))
        way = self.c.below(3)
        if way == 0:
            vertices = self._polygon(lon, lat)
            text = f"POLYGON('{frame}', {', '.join(spoken(*vertex) for vertex in vertices)})"
            return text, sky.ring([icrs(frame, vertex) for vertex in vertices])
        radius = self.c.pick(TINY_TO_ALL)
        shape = sky.cap(*icrs(frame, (lon, lat)), radius)
        if way == 1:
            return f"REGION('CIRCLE {frame} {lon!r} {lat!r} {radius!r}')", shape
        return f"CIRCLE('{frame}', {spoken(lon, lat)}, {radius!r})", shape

    def _polygon(self, ra: float, dec: float) -> list[sky.Place]:
        """Draw a polygon, one in three the other way round, and so larger than a hemisphere."""
        count, far, turn = 3 + self.c.below(4), self.c.pick([1.0, 0.01, 10.0, 60.0, 80.0]), self.c.below(360)
        ways = [(turn + 360 * i / count, far * (1 - self.c.below(5) / 10)) for i in range(count)]
        vertices = corners(ra, dec, ways)
        return vertices[::-1] if self.c.chance(3) else vertices

    def _box(self, ra: float, dec: float) -> tuple[str, sky.Shape]:
        wide, high = self.c.pick([1.0, 0.01, 20.0, 100.0]), self.c.pick([1.0, 0.01, 20.0, 100.0])
        x, y = math.tan(math.radians(wide / 2)), math.tan(math.radians(high / 2))
        far, steep = math.degrees(math.atan(math.hypot(x, y))), math.degrees(math.atan2(x, y))
        ways = [(steep, far), (180 - steep, far), (180 + steep, far), (360 - steep, far)]
        text = f"BOX({spoken(ra, dec)}, {wide!r}, {high!r})"
        return text, sky.ring(corners(ra, dec, ways))

    def _position(self, alias: str) -> tuple[str, Callable[[Env], sky.Vector | None]]:
        def of(env: Env) -> sky.Vector | None:
            row = env[alias]
            if row is None or row["ra"] is None or row["dec"] is None:
                return None
            return sky.vector(row["ra"], row["dec"])

        frame = self.c.pick(["", "'ICRS', "])
        return f"POINT({frame}{alias}.ra, {alias}.dec)", of

    def _asked(self, call: str, holds: Callable[[Env], Truth]) -> Cond:
        """Ask a relation to hold or not to hold."""
        wanted, form = self.c.pick(
            [
                (True, "{} = 1"),
                (True, "1 = {}"),
                (False, "{} = 0"),
                (False, "{} <> 1"),
                (True, "{} <> 0"),
                (True, "{} > 0"),
            ]
        )

        def of(env: Env) -> Truth:
            found = holds(env)
            return found if wanted else values.opposite(found)

        return Cond(form.format(call), of)

    def _cone(self, _: int) -> Cond:
        text, of = self._position(self.c.pick(self.placed))
        ra, dec = place(self.c, self._around)
        radius = self.c.pick(TINY_TO_ALL)
        centre = sky.vector(ra, dec)

        def holds(env: Env) -> Truth:
            p = of(env)
            return None if p is None else sky.verdict(radius - sky.angle(p, centre))

        calls = [
            f"CONTAINS({text}, CIRCLE({spoken(ra, dec)}, {radius!r}))",
            f"CONTAINS(POINT({spoken(ra, dec)}), CIRCLE({text}, {radius!r}))",
            f"INTERSECTS({text}, CIRCLE(POINT({spoken(ra, dec)}), {radius!r}))",
            f"INTERSECTS(CIRCLE({text}, {radius!r}), POINT({spoken(ra, dec)}))",
        ]
        return self._asked(self.c.pick(calls), holds)

    def _distance(self, _: int) -> Cond:
        text, of = self._position(self.c.pick(self.placed))
        ra, dec = place(self.c, self._around)
        radius = self.c.pick([*TINY_TO_ALL, 181.0, -1.0])
        centre = sky.vector(ra, dec)
        operator = self.c.pick(["<", "<=", ">", ">="])
        ends = [text, f"POINT({spoken(ra, dec)})"]
        if self.c.chance(2):
            ends.reverse()
        call = f"DISTANCE({ends[0]}, {ends[1]})"
        turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}[operator]
        form = f"{call} {operator} {number(radius)}"
        if self.c.chance(3):
            form = f"{number(radius)} {turned} {call}"

        def holds(env: Env) -> Truth:
            p = of(env)
            if p is None:
                return None
            distance = sky.angle(p, centre)
            if abs(distance - radius) <= sky.BAND:
                raise sky.InDoubtError
            return values.compare(operator, distance, radius)

        return Cond(form, holds)

    def _inside(self, _: int) -> Cond:
        text, of = self._position(self.c.pick(self.placed))
        name, shape = self.region()

        known: dict[sky.Vector, bool] = {}

        def holds(env: Env) -> Truth:
            p = of(env)
            if p is None:
                return None
            if p not in known:
                known[p] = sky.holds_point(shape, p)
            return known[p]

        ends = (text, name)
        call = f"CONTAINS({text}, {name})"
        if self.c.chance(3):
            call = f"INTERSECTS({', '.join(ends if self.c.chance(2) else ends[::-1])})"
        return self._asked(call, holds)

    def _in_cells(self, _: int) -> Cond:
        """Draw a MOC around a position."""
        alias = self.c.pick(self.placed)
        text, _of = self._position(alias)
        ra, dec = place(self.c, self._around)
        orders = {self.c.pick([0, 2, 3, 5, 8]) for _ in range(1 + self.c.below(2))}
        first = {order: healpy.ang2pix(2**order, ra, dec, nest=True, lonlat=True) for order in orders}
        cells = {
            order: {int(one) for one in {cell, max(0, cell - 1), cell ^ self.c.below(2)}}
            for order, cell in first.items()
        }
        listed = " ".join(
            f"{order}/{','.join(map(str, sorted(found)))}" for order, found in sorted(cells.items())
        )

        def holds(env: Env) -> Truth:
            row = env[alias]
            if row is None or row["ra"] is None or row["dec"] is None:
                return None
            return any(cell_of(order, row["ra"], row["dec"]) in found for order, found in cells.items())

        return self._asked(f"CONTAINS({text}, REGION('MOC {listed}'))", holds)

    def _near(self, _: int) -> Cond:
        (a, first), (b, second) = (self._position(alias) for alias in self.placed[:2])
        radius = self.c.pick([0.01, 1e-6, 1.0, 10.0, 30.0, 38.0, 60.0, 120.0, 0.0])

        def holds(env: Env) -> Truth:
            p, q = first(env), second(env)
            return None if p is None or q is None else sky.verdict(radius - sky.angle(p, q))

        if self.c.chance(2):
            return self._asked(f"CONTAINS({a}, CIRCLE({b}, {radius!r}))", holds)
        return Cond(f"DISTANCE({a}, {b}) <= {radius!r}", holds)

    def _shape(self, field: Field) -> Callable[[Env], sky.Shape | None]:
        of = field.expr.of

        def shape(env: Env) -> sky.Shape | None:
            drawn = of(env)
            return None if drawn is None else drawn.shape

        return shape

    def _footprint(self, _: int) -> Cond:
        field = self.c.pick(self.shaped)
        of, column = self._shape(field), field.expr.text
        name, shape = self.region()
        relations: list[tuple[str, Callable[[sky.Shape], bool]]] = [
            (f"INTERSECTS({column}, {name})", lambda own: sky.meets(own, shape)),
            (f"INTERSECTS({name}, {column})", lambda own: sky.meets(own, shape)),
            (f"CONTAINS({column}, {name})", lambda own: sky.holds(shape, own)),
            (f"CONTAINS({name}, {column})", lambda own: sky.holds(own, shape)),
        ]
        call, relation = self.c.pick(relations)

        known: dict[int, bool] = {}

        def holds(env: Env) -> Truth:
            own = of(env)
            if own is None:
                return None
            if id(own) not in known:
                known[id(own)] = relation(own)
            return known[id(own)]

        return self._asked(call, holds)

    def _covered(self, _: int) -> Cond:
        field = self.c.pick(self.shaped)
        text, position = self._position(self.c.pick(self.placed))
        shape = self._shape(field)

        def holds(env: Env) -> Truth:
            own, p = shape(env), position(env)
            return None if own is None or p is None else sky.holds_point(own, p)

        return self._asked(f"CONTAINS({text}, {field.expr.text})", holds)

    def _overlap(self, _: int) -> Cond:
        a, b = self.shaped[:2]
        first, second = self._shape(a), self._shape(b)
        test = self.c.pick([sky.meets, sky.holds])
        ends = (a, b) if test is sky.meets else (b, a)

        def holds(env: Env) -> Truth:
            one, other = first(env), second(env)
            return None if one is None or other is None else test(one, other)

        name = "INTERSECTS" if test is sky.meets else "CONTAINS"
        return self._asked(f"{name}({ends[0].expr.text}, {ends[1].expr.text})", holds)
