"""A small archive to ask: three tables in memory, an index that reads them row by row, and the services."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pyarrow as pa
import pytest
from fastapi import FastAPI
from lxml import etree

from query import tree
from schemas import Column, Kind, Schema, Schemas, Table
from schemas.arrow import arrow_schema
from sky.regions import Circle
from store.port import NO_UPLOADS, Answer, IndexNotReady, IndexStatus, QueryError, Site
from vo.dali import Limits
from vo.ports import Ports
from vo.protocols import PROTOCOLS

STARS = Table(
    schema_name="demo",
    local_name="Stars",
    title="Stars",
    description="Stars & their <names>",
    key=("id",),
    position=("ra", "dec"),
    region="s_region",
    columns=(
        Column(name="id", kind=Kind.TEXT, ascii=True, ucd="meta.id", principal=True, required=True),
        Column(name="ra", kind=Kind.DOUBLE, unit="deg", ucd="pos.eq.ra", principal=True, description="RA"),
        Column(name="dec", kind=Kind.DOUBLE, unit="deg", ucd="pos.eq.dec", principal=True),
        Column(name="name", kind=Kind.TEXT, principal=True),
        Column(name="n", kind=Kind.INT),
        Column(name="flag", kind=Kind.BOOLEAN),
        Column(name="seen", kind=Kind.TIMESTAMP, ucd="time.epoch"),
        Column(name="t_min", kind=Kind.DOUBLE, unit="d", ucd="time.start;obs.exposure"),
        Column(name="s_region", kind=Kind.REGION),
    ),
)
PLAIN = Table(
    schema_name="demo",
    local_name="plain",
    key=("id",),
    columns=(Column(name="id", kind=Kind.LONG, required=True, indexed=True, std=True),),
)
HIDDEN = Table(
    schema_name="secret",
    local_name="t",
    key=("id",),
    public=False,
    columns=(Column(name="id", kind=Kind.INT),),
)


def _stars(count: int = 12) -> pa.Table:
    rows = [
        {
            "id": f"star-{at}",
            "ra": (10.0 + at * 0.01) % 360,
            "dec": 20.0,
            "name": None if at % 4 == 3 else f"Étoile <{at}> & co",
            "n": None if at % 5 == 4 else at,
            "flag": None if at % 3 == 2 else at % 3 == 0,
            "seen": datetime.fromisoformat("2020-01-01") + timedelta(days=at, milliseconds=at),
            "t_min": 58849.0 + at,
            "s_region": f"CIRCLE ICRS {10 + at} 20 0.1",
        }
        for at in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(STARS.columns))


def _value(row: dict[str, Any], expression: tree.Expression) -> Any:
    match expression:
        case tree.Column(name=name):
            return row[name]
        case tree.Literal(value=value):
            return value
        case tree.Cast(operand=operand):
            found = _value(row, operand)
            return None if found is None else str(found)
        case tree.Contains(inner=tree.PointOf(ra=ra, dec=dec), outer=tree.RegionLiteral(region=region)):
            return int(_within(_value(row, ra), _value(row, dec), region))
    raise AssertionError(f"the tests' index cannot compute {expression}")


def _within(ra: float, dec: float, region: Any) -> bool:
    assert isinstance(region, Circle)
    a, b, c, d = map(math.radians, (ra, dec, region.ra, region.dec))
    cosine = math.sin(b) * math.sin(d) + math.cos(b) * math.cos(d) * math.cos(a - c)
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine)))) <= region.radius


def _holds(row: dict[str, Any], predicate: tree.Predicate | None) -> bool:
    match predicate:
        case None:
            return True
        case tree.Comparison(operator="=", left=left, right=right):
            return bool(_value(row, left) == _value(row, right))
    raise AssertionError(f"the tests' index cannot decide {predicate}")


@dataclass
class ListIndex:
    """An index over Arrow tables; it answers plain selections of one table, in batches of ``batch`` rows."""

    declared: Schemas
    tables: dict[str, pa.Table]
    version: int = 7
    batch: int = 4
    fail_after: int | None = None
    failure: QueryError = field(default_factory=lambda: QueryError("the disk is full"))
    ready: bool = True
    running: int = 0
    asked: list[tuple[tree.Query, int | None, float | None]] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    @property
    def schemas(self) -> Schemas:
        return self.declared

    @contextmanager
    def snapshot(self) -> Iterator[ListIndex]:
        if not self.ready:
            raise IndexNotReady("nothing has been applied yet")
        yield self

    def run(
        self,
        query: tree.Query,
        *,
        limit: int | None = None,
        timeout: float | None = None,
        uploads: Mapping[str, pa.Table] = NO_UPLOADS,
    ) -> Answer:
        assert not uploads
        self.asked.append((query, limit, timeout))
        return Answer(self.version, query.columns, self._batches(query, limit), self.notes)

    def _batches(self, query: tree.Query, limit: int | None) -> Iterator[pa.RecordBatch]:
        self.running += 1
        try:
            assert isinstance(query, tree.Select)
            assert isinstance(query.source, tree.TableRef)
            rows = self.tables[query.source.table.name].to_pylist()
            kept = [row for row in rows if _holds(row, query.where)][: query.top][:limit]
            for start in range(0, len(kept), self.batch):
                if self.fail_after is not None and start >= self.fail_after:
                    raise self.failure
                part = [
                    {output.name: _value(row, output.expression) for output in query.outputs}
                    for row in kept[start : start + self.batch]
                ]
                yield pa.RecordBatch.from_pylist(part, schema=arrow_schema(query.columns))
        finally:
            self.running -= 1

    def explain(self, query: tree.Query, *, timeout: float | None = None) -> dict[str, Any]:
        del timeout
        return {"query": query}

    def status(self) -> IndexStatus:
        reason = None if self.ready else "nothing has been applied yet"
        return IndexStatus("list", self.version if self.ready else None, self.version, reason)

    def close(self) -> None:
        """There is nothing to release."""


@pytest.fixture
def index() -> ListIndex:
    declared = Schemas(
        [
            Schema(name="demo", description="Demonstration", tables=(STARS, PLAIN)),
            Schema(name="secret", tables=(HIDDEN,)),
        ]
    )
    plain = pa.Table.from_pylist([{"id": 1}], schema=arrow_schema(PLAIN.columns))
    return ListIndex(declared, {"demo.Stars": _stars(), "demo.plain": plain})


@pytest.fixture
def ports(index: ListIndex) -> Ports:
    return Ports(
        index=index,
        site=Site("archive.example", "http://archive.example/base"),
        limits=Limits(default_rows=8, hard_rows=10, seconds=30),
        request_id=lambda: "req-1",
    )


class Client:
    """Sends requests to an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, **options: Any) -> httpx.Response:
        return anyio.run(partial(self._send, "GET", path, **options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        return anyio.run(partial(self._send, "POST", path, **options))

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://archive.example") as client:
            return await client.request(method, path, **options)


@pytest.fixture
def client(ports: Ports) -> Client:
    app = FastAPI()
    for protocol in PROTOCOLS:
        app.include_router(protocol.router(ports))
    return Client(app)


_JAR = Path("/usr/share/java/starlink-ttools.jar")
_JAR_FOLDER = "uk/ac/starlink/ttools/taplint/"
_CONE_SEARCH = Path(__file__).parents[2] / "build/debian/gavo/resources/schemata/ConeSearch.xsd"
"""Where ``tests/need.sh`` unpacks Debian's python3-gavo."""

_IVOA = "http://www.ivoa.net/xml/"
_LOCATIONS = {
    f"{_IVOA}VOResource/v1.0": "VOResource-v1.1.xsd",
    f"{_IVOA}VOResource/VOResource-v1.0.xsd": "VOResource-v1.1.xsd",
    f"{_IVOA}VODataService/v1.1": "VODataService-v1.2.xsd",
    f"{_IVOA}TAPRegExt/v1.0": "TAPRegExt-v1.0-Erratum1.xsd",
    f"{_IVOA}VOSICapabilities/v1.0": "VOSICapabilities-v1.0.xsd",
    f"{_IVOA}VOSITables/v1.0": "VOSITables-v1.1.xsd",
    f"{_IVOA}VOSIAvailability/v1.0": "VOSIAvailability-v1.0.xsd",
    f"{_IVOA}STC/stc-v1.30.xsd": "stc-v1.30.xsd",
    f"{_IVOA}Xlink/xlink.xsd": "xlink.xsd",
    "http://www.w3.org/2001/xml.xsd": "xmlnamespace.xsd",
}
_NAMESPACES = [
    f"{_IVOA}{name}"
    for name in (
        "VODataService/v1.1",
        "TAPRegExt/v1.0",
        "VOSICapabilities/v1.0",
        "VOSITables/v1.0",
        "VOSIAvailability/v1.0",
    )
]


class _Resolver(etree.Resolver):
    """Finds the IVOA schemas where STILTS keeps them, and nothing on the network."""

    def resolve(self, system_url: str, public_id: str | None, context: Any) -> Any:
        del public_id
        if system_url == f"{_IVOA}ConeSearch/v1.0":
            return self.resolve_string(_CONE_SEARCH.read_bytes(), context)
        with zipfile.ZipFile(_JAR) as jar:
            text = jar.read(_JAR_FOLDER + _LOCATIONS[system_url])
        return self.resolve_string(text, context, base_url=system_url)


@cache
def _schema() -> etree.XMLSchema:
    namespaces = [*_NAMESPACES, *([f"{_IVOA}ConeSearch/v1.0"] if _CONE_SEARCH.exists() else [])]
    xs = "http://www.w3.org/2001/XMLSchema"
    driver = etree.Element(f"{{{xs}}}schema")
    for namespace in namespaces:
        etree.SubElement(driver, f"{{{xs}}}import", namespace=namespace, schemaLocation=namespace)
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Resolver())
    return etree.XMLSchema(etree.fromstring(etree.tostring(driver), parser))


@pytest.fixture(scope="session")
def assert_valid() -> Callable[[bytes], etree._Element]:
    """Check a VOSI document against the IVOA's schemas, and return it parsed."""

    def check(document: bytes) -> etree._Element:
        parsed = etree.fromstring(document)
        _schema().assertValid(parsed)
        return parsed

    return check


@pytest.fixture(scope="session")
def cone_search_schema() -> None:
    if not _CONE_SEARCH.exists():
        pytest.fail("the schema of SCS is missing: run tests/need.sh")
