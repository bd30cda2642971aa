"""The XML around the rows, as lxml trees."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import lru_cache

from lxml import etree

from schemas import Column, Kind
from schemas.votable import votable_type
from vo.votable.binary import null_integer
from vo.xml import Element, child, clean, document, root

NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"
"""The XML namespace, which VOTable 1.4 kept."""

_NSMAP: dict[str | None, str] = {None: NAMESPACE}

_FIELDS = "fields"
_ROWS = "rows"
_ENDING = "ending"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_TIME_UCD = re.compile(r"time\.(start|end)(;.*)?\Z")
_POSITION_UCD = re.compile(r"pos\.eq\.(ra|dec)(;meta\.main)?\Z|POS_EQ_(RA|DEC)_MAIN\Z")


@dataclass(frozen=True, slots=True)
class Info:
    """An INFO element: ``text`` is for people, ``value`` for programs."""

    name: str
    value: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that takes what is in a column of an answer (DataLink 1.1, section 4).

    ``parameter`` is filled from the column at the place ``column``; without that, by the caller.
    """

    standard_id: str
    access_url: str
    description: str
    parameter: str
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What an answer says about itself besides its columns."""

    infos: tuple[Info, ...] = ()
    table_name: str = "result"
    description: str = ""
    params: tuple[Element, ...] = ()
    services: tuple[Service, ...] = ()

    def with_infos(self, *more: Info) -> Head:
        """Return the same with more INFOs."""
        return replace(self, infos=(*self.infos, *more))


def _node(parent: Element | None, tag: str, text: str | None = None, **attributes: str | None) -> Element:
    name = f"{{{NAMESPACE}}}{tag}"
    return root(name, _NSMAP, **attributes) if parent is None else child(parent, name, text, **attributes)


def _add_info(parent: Element, info: Info) -> None:
    _node(parent, "INFO", info.text, name=info.name, value=info.value)


def _add_systems(resource: Element, used: AbstractSet[str | None]) -> None:
    if "icrs" in used:
        _node(resource, "COOSYS", ID="icrs", system="ICRS")
    if "utc" in used:
        _node(resource, "TIMESYS", ID="utc", timescale="UTC", refposition="UNKNOWN")
    if "mjd" in used:
        _node(
            resource, "TIMESYS", ID="mjd", timeorigin="MJD-origin", timescale="UTC", refposition="TOPOCENTER"
        )


def reference(column: Column) -> str | None:
    """Return the ID of the coordinate or time system of a column's values.

    Positions and regions are ICRS, timestamps UTC. A number of days is a Modified Julian Date where its UCD
    is the start or end of an observation, as ObsCore has it; of other dates nothing is claimed.
    """
    ucd = column.ucd or ""
    if column.kind.is_geometry or (_POSITION_UCD.match(ucd) and column.unit == "deg"):
        return "icrs"
    if column.kind is Kind.TIMESTAMP:
        return "utc"
    if _TIME_UCD.match(ucd) and column.unit == "d":
        return "mjd"
    return None


def _field_id(column: Column, place: int) -> str:
    """Return the ID of a column's FIELD: its name if that can be one: clients prefer IDs to names."""
    plain = _NAME.match(column.name) and column.name not in ("icrs", "utc", "mjd")
    return column.name if plain else f"field{place + 1}"


def add_field(table: Element, column: Column, *, declare_null: bool, at: int | None = None) -> None:
    """Add a column's FIELD; ``declare_null`` names the number that stands for a missing integer.

    The identifiers of data products have an ID, by which the descriptions of services refer to them.
    """
    declared = votable_type(column)
    node = _node(
        table,
        "FIELD",
        ID=_field_id(column, at) if column.dataset and at is not None else None,
        name=column.name,
        datatype=declared.datatype,
        arraysize=declared.arraysize,
        unit=column.unit,
        ucd=column.ucd,
        utype=column.utype,
        xtype=declared.xtype,
        ref=reference(column),
    )
    if column.description:
        _node(node, "DESCRIPTION", column.description)
    null = null_integer(column)
    if null is not None and (declare_null or declared.is_list or column.null is not None):
        _node(node, "VALUES", null=str(null))


@dataclass(frozen=True, slots=True)
class _Described:
    """The FIELDs of some columns as XML, and the systems that they refer to."""

    fields: bytes
    systems: frozenset[str | None]


@lru_cache(maxsize=64)
def _described(columns: tuple[Column, ...], *, declare_null: bool) -> _Described:
    # Most answers have the columns of one before, and these are most of what stands around few rows.
    table = _node(None, "TABLE")
    for place, column in enumerate(columns):
        add_field(table, column, declare_null=declare_null, at=place)
    _, _, inner = etree.tostring(table, encoding="utf-8").partition(b">")
    return _Described(inner.removesuffix(b"</TABLE>"), frozenset(map(reference, columns)))


def envelope(
    columns: Sequence[Column], head: Head, data: Sequence[tuple[str, dict[str, str]]], *, declare_null: bool
) -> tuple[bytes, bytes, bytes]:
    """Return the document before the rows, between rows and closing INFOs, and after those.

    ``data`` names the elements inside DATA from the outside in, with their attributes.
    """
    described = _described(tuple(columns), declare_null=declare_null)
    votable = _node(None, "VOTABLE", version="1.4")
    resource = _node(votable, "RESOURCE", type="results")
    for info in head.infos:
        _add_info(resource, info)
    _add_systems(resource, described.systems)
    resource.extend(head.params)
    table = _node(resource, "TABLE", name=head.table_name)
    if head.description:
        _node(table, "DESCRIPTION", head.description)
    table.append(etree.ProcessingInstruction(_FIELDS, "here"))
    inner = _node(table, "DATA")
    for tag, attributes in data:
        inner = _node(inner, tag, **attributes)
    inner.append(etree.ProcessingInstruction(_ROWS, "here"))
    resource.append(etree.ProcessingInstruction(_ENDING, "here"))
    for service in head.services:
        _add_service(votable, service, columns)
    text = document(votable)
    # Inside text and attributes the sign "<" is always escaped, so each mark is found once.
    text = text.replace(f"<?{_FIELDS} here?>".encode(), described.fields)
    before, rest = text.split(f"<?{_ROWS} here?>".encode())
    between, after = rest.split(f"<?{_ENDING} here?>".encode())
    return before, between, after


def _add_service(votable: Element, service: Service, columns: Sequence[Column]) -> None:
    """Add the RESOURCE that describes a service (DataLink 1.1, section 4.1)."""
    resource = _node(votable, "RESOURCE", type="meta", utype="adhoc:service")
    if service.column is None:
        resource.set("name", "this")
    _node(resource, "DESCRIPTION", service.description)
    for name, value in (("standardID", service.standard_id), ("accessURL", service.access_url)):
        _node(resource, "PARAM", name=name, datatype="char", arraysize="*", value=value)
    group = _node(resource, "GROUP", name="inputParams")
    ref = None if service.column is None else _field_id(columns[service.column], service.column)
    _node(
        group,
        "PARAM",
        name=service.parameter,
        datatype="char",
        arraysize="*",
        ucd="meta.id;meta.main",
        value="",
        ref=ref,
    )


def closing_info(info: Info) -> bytes:
    """Return an INFO for the place where ``envelope`` leaves room for it."""
    node = etree.Element("INFO", {"name": info.name, "value": info.value})
    if info.text:
        node.text = clean(info.text)
    return etree.tostring(node, encoding="utf-8")


def message_document(infos: Iterable[Info], *, resource_type: str = "results") -> bytes:
    """Return a VOTable without a table: an error, or any other message (DALI 1.1, section 4.2)."""
    votable = _node(None, "VOTABLE", version="1.4")
    resource = _node(votable, "RESOURCE", type=resource_type)
    for info in infos:
        _add_info(resource, info)
    return document(votable)


def error_document(message: str, infos: Iterable[Info] = ()) -> bytes:
    """Return the error document of DALI 1.1, section 4.2."""
    return message_document([Info("QUERY_STATUS", "ERROR", message), *infos])


def metadata_document(columns: Sequence[Column], head: Head) -> bytes:
    """Return a VOTable that describes a table and holds no DATA."""
    votable = _node(None, "VOTABLE", version="1.4")
    resource = _node(votable, "RESOURCE", type="results")
    for info in head.infos:
        _add_info(resource, info)
    _add_systems(resource, {reference(column) for column in columns})
    table = _node(resource, "TABLE", name=head.table_name)
    for column in columns:
        add_field(table, column, declare_null=False)
    return document(votable)
