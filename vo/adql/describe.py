"""How the columns of an answer are named and described."""

from __future__ import annotations

from collections.abc import Callable

import schemas
from query import tree
from schemas import Kind

_STATISTIC = {"min": "stat.min", "max": "stat.max", "avg": "stat.mean"}

_XTYPE = {
    Kind.POINT: "point",
    Kind.CIRCLE: "circle",
    Kind.POLYGON: "polygon",
    Kind.REGION: "adql:REGION",
    Kind.TIMESTAMP: "timestamp",
}

_UNIT = {Kind.POINT: "deg", Kind.CIRCLE: "deg", Kind.POLYGON: "deg"}

_CALLS: dict[str, tuple[str | None, str | None]] = {
    "degrees": ("deg", None),
    "radians": ("rad", None),
    "ivo_to_jd": ("d", "time.epoch"),
    "ivo_to_mjd": ("d", "time.epoch"),
    "ivo_healpix_index": (None, "pos.healpix"),
}
"""Units and UCDs of functions that have some whatever their arguments."""

About = Callable[[tree.Column], schemas.Column]


def described(  # noqa: PLR0911 - one for each class of node
    expression: tree.Expression, name: str, about: About
) -> schemas.Column:
    """Return the description of an output column; a plain column keeps that of its declaration."""
    kind = expression.kind
    match expression:
        case tree.Column():
            source = about(expression)
            return source if source.name == name else source.renamed(name)
        case tree.Aggregate():
            return _aggregate(expression, name, about)
        case (
            tree.Negate(tree.Column() as column)
            | tree.Cast(tree.Column() as column)
            | tree.Call("coalesce", (tree.Column() as column, *_))
        ):
            return _like(about(column), name, kind)
        case tree.Distance():
            return schemas.Column(name=name, kind=kind, unit="deg", ucd="pos.angDistance")
        case tree.Area():
            return schemas.Column(name=name, kind=kind, unit="deg**2", ucd="phys.angArea")
        case tree.Coordinate(_, axis):
            ucd = "pos.eq.ra" if axis == 1 else "pos.eq.dec"
            return schemas.Column(name=name, kind=kind, unit="deg", ucd=ucd)
        case tree.Call(function) if function in _CALLS:
            return schemas.Column(name=name, kind=kind, unit=_CALLS[function][0], ucd=_CALLS[function][1])
    return schemas.Column(name=name, kind=kind, unit=_UNIT.get(kind), xtype=_XTYPE.get(kind))


def _like(source: schemas.Column, name: str, kind: Kind) -> schemas.Column:
    """Describe a value that has the meaning of a column, but not its type."""
    return schemas.Column(
        name=name,
        kind=kind,
        description=source.description,
        unit=source.unit,
        ucd=source.ucd,
        utype=source.utype,
        xtype=source.xtype if kind is source.kind else _XTYPE.get(kind),
    )


def _aggregate(expression: tree.Aggregate, name: str, about: About) -> schemas.Column:
    if expression.name == "count":
        what = "Number of rows" if expression.operand is None else "Number of values"
        return schemas.Column(name=name, kind=expression.kind, description=what, ucd="meta.number")
    if not isinstance(expression.operand, tree.Column):
        return schemas.Column(name=name, kind=expression.kind, xtype=_XTYPE.get(expression.kind))
    source = about(expression.operand)
    ucd = None
    if source.ucd and expression.name in _STATISTIC:
        words = [word for word in source.ucd.split(";") if word != "meta.main"]
        ucd = ";".join([*words, _STATISTIC[expression.name]])
    return schemas.Column(
        name=name,
        kind=expression.kind,
        description=source.description,
        unit=source.unit,
        ucd=ucd,
        xtype=source.xtype if expression.kind is source.kind else None,
    )


def default_name(expression: tree.Expression, position: int) -> str:
    """Return a name for an output column that was given none; ``position`` counts from 1."""
    match expression:
        case tree.Column(_, name):
            return name
        case tree.Aggregate("count", None):
            return "count_all"
        case tree.Aggregate(function, tree.Column(_, name)):
            return f"{function}_{name}"
    return f"expr_{position}"


class Names:
    """Gives names that differ in any case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """Return the name, or the name with a number when it is taken."""
        key, candidate = name.lower(), name
        count = self._counts.get(key, 1)
        while candidate.lower() in self._taken:
            count += 1
            candidate = f"{name}_{count}"
        self._counts[key] = count
        self._taken.add(candidate.lower())
        return candidate
