"""What conditions on values that are formed when they are served mean for what rows store.

Identifiers and URLs depend on where the archive stands, so that no engine stores them; each turns conditions
on them back with what is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import schemas
from schemas.model import PLACEHOLDER
from store.planner import ColumnCondition
from store.port import Site

PUBLIC, PROPRIETARY = "public", "proprietary"
"""What rows say of their rights when they store nothing, and before their time has come."""

SECURE = "secure"
"""What rows store whose bytes are for anybody who says who they are (VOResource, ``rights``)."""


def is_held(stored: str | None, since: datetime | None, moment: datetime) -> bool:
    """Tell whether a row whose ``rights_of`` time is ``since`` is proprietary at a moment.

    With a time it is public from that instant on, the instant itself included, whatever it stores; without
    one it is proprietary exactly when it stores that word. This is the rule; engines and the access policy
    follow it.
    """
    return stored == PROPRIETARY if since is None else moment < since


def rights(stored: str | None, since: datetime | None, moment: datetime) -> str:
    """Return what a row shows in a ``rights_of`` column at a moment."""
    if is_held(stored, since, moment):
        return PROPRIETARY
    return PUBLIC if stored in (None, PROPRIETARY) else stored


@dataclass(frozen=True)
class Source:
    """A column of the row inside a template."""

    name: str


def pieces(column: schemas.Column, site: Site) -> Iterator[str | Source]:
    """Take the template of a served column apart; what the site fills is filled."""
    fixed = {"authority": site.authority, "public_url": site.public_url}
    rest = ""
    for place, piece in enumerate(PLACEHOLDER.split(column.served or "")):
        if place % 2 == 0:
            rest += piece
        elif piece in fixed:
            rest += fixed[piece]
        else:
            if rest:
                yield rest
            yield Source(piece)
            rest = ""
    if rest:
        yield rest


def with_sources(table: schemas.Table, used: Iterable[str], site: Site) -> set[str]:
    """Return the columns that are needed to show some: themselves, and those that theirs are made from."""
    found = set(used)
    declared: Mapping[str, schemas.Column] = table.by_name
    for column in (declared[name] for name in used if name in declared):
        found |= {piece.name.lower() for piece in pieces(column, site) if isinstance(piece, Source)}
        if column.rights_of:
            found.add(column.rights_of.lower())
    return found & declared.keys()


@dataclass(frozen=True)
class ServedCondition:
    """A condition that rows must fulfil in what they store, so that the one on the served value can hold."""

    alias: str
    column: str
    source: str | None
    values: tuple[str, ...]
    source_values: tuple[str, ...]
    pattern: bool = False


def served_conditions(conditions: Iterable[ColumnCondition], site: Site) -> tuple[ServedCondition, ...]:
    """Turn the conditions on served columns back to what is stored, where that can be done."""
    found = (
        _turned(alias, table.column(name), values, site, pattern=pattern)
        for alias, table, name, values, pattern in conditions
        if table.column(name).served
    )
    return tuple(condition for condition in found if condition is not None)


@dataclass(frozen=True)
class Sought:
    """Rows of ``alias`` store one of some texts in one of some columns, by lower-case name."""

    alias: str
    table: schemas.Table
    texts: Mapping[str, tuple[str, ...]]


def sought_texts(conditions: Iterable[ColumnCondition], site: Site) -> Iterator[Sought]:
    """Say what conditions on texts mean for what rows store."""
    for alias, table, name, values, pattern in conditions:
        column = table.column(name)
        if pattern or column.rights_of:
            continue
        if not column.served:
            yield Sought(alias, table, {name.lower(): values})
            continue
        turned = _turned(alias, column, values, site, pattern=False)
        if turned is not None:
            source = {turned.source: turned.source_values} if turned.source else {}
            yield Sought(alias, table, {turned.column: values} | source)


def _turned(
    alias: str, column: schemas.Column, values: tuple[str, ...], site: Site, *, pattern: bool
) -> ServedCondition | None:
    parts = list(pieces(column, site))
    sources = [piece for piece in parts if isinstance(piece, Source)]
    if len(sources) != 1:
        return None
    place = parts.index(sources[0])
    before = "".join(str(piece) for piece in parts[:place])
    after = "".join(str(piece) for piece in parts[place + 1 :])
    name, source = column.name.lower(), sources[0].name.lower()
    if pattern:
        return _turned_pattern(ServedCondition(alias, name, source, values, (), pattern=True), before, after)
    inside = tuple(
        value[len(before) : len(value) - len(after)]
        for value in values
        if len(value) >= len(before) + len(after) and value.startswith(before) and value.endswith(after)
    )
    return ServedCondition(alias, name, source if inside else None, values, inside)


def _turned_pattern(condition: ServedCondition, before: str, after: str) -> ServedCondition | None:
    """Turn ``prefix%`` back where the fixed part of the template comes before anything that can vary."""
    pattern = condition.values[0]
    fixed = re.split("[%_]", pattern, maxsplit=1)[0]
    if after or "%" in before or "_" in before or not fixed.startswith(before):
        return None
    inside = pattern[len(before) :]
    return ServedCondition(
        condition.alias, condition.column, condition.source, condition.values, (inside,), pattern=True
    )
