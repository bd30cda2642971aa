"""The questions: the same for every party, drawn from the rows with a fixed seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bench.bare import BareEngine
from bench.client import (
    BINARY2,
    COLUMNS,
    CONE,
    INTERSECTS,
    MOST_ROWS,
    RADII,
    VOTABLE,
    Client,
    Request,
    host_of,
)
from bench.crowd import Target
from bench.expected import Position
from bench.measure import Ask, Line
from bench.sample import Sample

NO_OP = "no-op"
SCS = "SCS 0.1 deg"
COUNT = "TAP COUNT(*)"
GROUP_BY = "TAP GROUP BY instrument_name"
INTERSECTS_1 = "TAP intersects 1 deg"
FACET = "JSON facet of a cone 1 deg"
FACETS = "JSON 3 facets of a cone 1 deg, 100 rows"

NAMES = tuple(COLUMNS.split(", "))
"""The 20 columns that queries ask for."""

_FACETS = ("instrument_name", "obs_collection", "dataproduct_type")
_GROUPED = "SELECT instrument_name, COUNT(*) AS n FROM {table} GROUP BY instrument_name"
_COUNTED = "SELECT COUNT(*) AS n FROM {table}"
_CROWD_REQUESTS = 4000

T = TypeVar("T")
P = TypeVar("P")


@dataclass(frozen=True)
class Parties:
    """Who is asked, by name: archives of ours, other servers, and engines without an archive around them."""

    servers: Mapping[str, Client]
    peers: Mapping[str, Client] = field(default_factory=dict)
    engines: Mapping[str, BareEngine] = field(default_factory=dict)

    @property
    def everybody(self) -> dict[str, Client]:
        """All who answer over HTTP as an archive does."""
        return {**self.servers, **self.peers}


class Questions:
    """Writes the lines for some parties; ``count`` requests of each are different."""

    def __init__(self, sample: Sample, parties: Parties, count: int) -> None:
        self._sample = sample
        self._parties = parties
        self._count = count

    def quick(self) -> list[Line]:
        """Return the questions that are answered soon."""
        found = [self.nothing(), *(self.scs(radius) for radius in (0.1, 1, 10)), self.counted()]
        for radius in RADII:
            found += [self.tap_cone(radius), self.tap_intersects(radius)]
        found += [self.by_identifier(), self.newest(), self.grouped(), self.facet(), self.facets()]
        return found

    def dumps(self) -> list[Line]:
        """Return the questions that many rows answer."""
        text = f"SELECT TOP 100000 {COLUMNS} FROM {{table}}"
        return [
            self._tap("TAP 100,000 rows as BINARY2", [text], BINARY2),
            self._tap("TAP 100,000 rows as CSV", [text], "text/csv"),
        ]

    def nothing(self) -> Line:
        """Ask for nothing."""
        servers = self._parties.servers
        return Line(NO_OP, {name: _each([None], client, _nothing) for name, client in servers.items()})

    def scs(self, radius: float) -> Line:
        """Search a cone by SCS."""
        places = self._sample.positions(f"scs_cone_{radius}deg", self._count)
        return self.cones(f"SCS {radius} deg", [(place, radius) for place in places])

    def cones(self, name: str, circles: Sequence[tuple[Position, float]]) -> Line:
        """Search circles by SCS."""
        asks = {
            party: _each(circles, client, lambda c, circle: c.scs(*circle))
            for party, client in self._parties.everybody.items()
            if client.cones
        }
        if self._parties.engines:
            columns = next(iter(self._parties.servers.values())).scs_columns()
            for party, engine in self._parties.engines.items():
                wanted = [engine.near(*circle) for circle in circles]
                asks[party] = _each(wanted, engine, lambda e, condition: e.rows(condition, columns))
        return Line(name, asks)

    def tap_cone(self, radius: float) -> Line:
        """Search a cone by TAP."""
        places = self._sample.positions(f"tap_cone_{radius}deg", self._count)
        return self.tap_circles(f"TAP cone {radius} deg", [(place, radius) for place in places])

    def tap_circles(self, name: str, circles: Sequence[tuple[Position, float]]) -> Line:
        """Search circles by TAP."""
        texts = [_selected(CONE, *circle) for circle in circles]
        return self._tap(name, texts, VOTABLE, lambda e: _found(e, [e.near(*circle) for circle in circles]))

    def tap_intersects(self, radius: float) -> Line:
        """Search footprints by TAP."""
        places = self._sample.positions(f"tap_intersects_{radius}deg", self._count)
        texts = [_selected(INTERSECTS, place, radius) for place in places]
        return self._tap(
            f"TAP intersects {radius} deg",
            texts,
            VOTABLE,
            lambda e: _found(e, [e.touching(place, radius) for place in places]),
        )

    def by_identifier(self) -> Line:
        """Ask for one row."""
        wanted = self._sample.identifiers("tap_by_did", self._count)
        texts = [f"SELECT {COLUMNS} FROM {{table}} WHERE obs_publisher_did='{did}'" for did in wanted]
        return self._tap(
            "TAP by obs_publisher_did",
            texts,
            VOTABLE,
            lambda e: _found(e, [e.equals("obs_publisher_did", did) for did in wanted]),
        )

    def newest(self) -> Line:
        """Ask for an instrument's newest rows."""
        wanted = self._sample.instruments(self._count)
        texts = [
            f"SELECT TOP 100 {COLUMNS} FROM {{table}} WHERE instrument_name='{name}' ORDER BY t_min DESC"
            for name in wanted
        ]

        def bare(engine: BareEngine) -> Ask:
            conditions = [engine.equals("instrument_name", name) for name in wanted]
            return _each(conditions, engine, lambda e, condition: e.newest(condition, NAMES, 100))

        return self._tap("TAP TOP 100 ORDER BY t_min DESC", texts, VOTABLE, bare)

    def counted(self) -> Line:
        """Count all rows."""
        return self._tap(COUNT, [_COUNTED], "text/csv", lambda e: lambda _: e.count())

    def grouped(self) -> Line:
        """Count the rows of each instrument."""
        return self._tap(
            GROUP_BY, [_GROUPED], "text/csv", lambda e: lambda _: e.facets(["instrument_name"], None, (), 0)
        )

    def facet(self) -> Line:
        """Count the instruments of a cone."""
        return self._faceted(FACET, _FACETS[:1], 0)

    def facets(self) -> Line:
        """Ask what a page of results shows: the first rows of a cone, and what there is of each kind."""
        return self._faceted(FACETS, _FACETS, 100)

    def _faceted(self, name: str, facets: Sequence[str], limit: int) -> Line:
        places = self._sample.positions(name, self._count)
        asked: dict[str, str | float] = {
            "facets": ",".join(facets),
            "fields": ",".join(NAMES),
            "limit": limit,
        }
        regions = [f"CIRCLE {ra} {dec} 1" for ra, dec in places]
        asks = {
            party: _each(regions, client, lambda c, region: c.search(region=region, **asked))
            for party, client in self._parties.servers.items()
        }
        for party, engine in self._parties.engines.items():
            wanted = [engine.near(place, 1) for place in places]
            asks[party] = _each(wanted, engine, lambda e, found: e.facets(facets, found, NAMES, limit))
        return Line(name, asks)

    def _tap(
        self,
        name: str,
        texts: Sequence[str],
        form: str,
        bare: Callable[[BareEngine], Ask | None] | None = None,
    ) -> Line:
        most = MOST_ROWS if form == VOTABLE else 1_000_000
        asks = {
            party: _each(texts, client, lambda c, text: c.adql(text, form, most))
            for party, client in self._parties.everybody.items()
        }
        for party, engine in self._parties.engines.items():
            ask = None if bare is None else bare(engine)
            if ask is not None:
                asks[party] = ask
        return Line(name, asks)

    def crowds(self) -> dict[str, dict[str, Target]]:
        """Return what a crowd of clients asks: nothing, cones by SCS, and cones by TAP."""
        everybody = self._parties.everybody
        by_scs = self._sample.positions("throughput_scs_0.1deg", _CROWD_REQUESTS)
        by_tap = self._sample.positions("throughput_tap_cone_0.1deg", _CROWD_REQUESTS)
        return {
            NO_OP: {
                name: _target([Request("GET", f"{client.base}/healthz")])
                for name, client in self._parties.servers.items()
            },
            SCS: {
                name: _target([client.scs_request(place, 0.1) for place in by_scs])
                for name, client in everybody.items()
                if client.cones
            },
            "TAP cone 0.1 deg": {
                name: _target(
                    [client.adql_request(_selected(CONE, place, 0.1), VOTABLE, MOST_ROWS) for place in by_tap]
                )
                for name, client in everybody.items()
            },
        }


def merged(lines: Sequence[Line]) -> list[Line]:
    """Join lines of one name whose parties differ."""
    found: dict[str, dict[str, Ask]] = {}
    for line in lines:
        found.setdefault(line.name, {}).update(line.asks)
    return [Line(name, asks) for name, asks in found.items()]


def _selected(form: str, place: Position, radius: float) -> str:
    return f"SELECT {COLUMNS} FROM {{table}} WHERE {form.format(*place, radius)}"


def _each(items: Sequence[T], party: P, ask: Callable[[P, T], object]) -> Ask:
    return lambda number: ask(party, items[number % len(items)])


def _found(engine: BareEngine, conditions: Sequence[Any]) -> Ask | None:
    """Ask for the rows that meet conditions, if the engine has such."""
    if conditions[0] is None:
        return None
    return _each(conditions, engine, lambda e, condition: e.rows(condition, NAMES))


def _nothing(client: Client, _: None) -> object:
    return client.nothing()


def _target(requests: Sequence[Request]) -> Target:
    host, port, _ = host_of(requests[0].url)
    return Target(host, port, tuple((each.method, host_of(each.url)[2], each.form) for each in requests))
