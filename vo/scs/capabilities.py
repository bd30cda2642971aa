"""What SCS advertises (SimpleDALRegExt 1.0, section 3.1)."""

from __future__ import annotations

from vo.dali import Fault
from vo.ports import Ports
from vo.scs.service import STANDARD_ID, find, searchable
from vo.vosi.capabilities import AddCapability, capability, interface
from vo.xml import Element, child

_TEST = {"ra": "53.1", "dec": "-27.8", "sr": "0.01"}
"""A search that answers quickly everywhere."""


def add_cone_search(outer: Element, ports: Ports, name: str, base: str) -> None:
    """Add the capability of one table's cone search."""
    node = capability(outer, STANDARD_ID, "cs:ConeSearch")
    query = "&".join(f"{key.upper()}={value}" for key, value in _TEST.items())
    interface(node, f"{ports.url(base)}/{name}?", use="base", version="1.03", test_query=query)
    child(node, "maxSR", "180")
    child(node, "maxRecords", str(ports.limits.hard_rows))
    child(node, "verbosity", "true")
    test = child(node, "testQuery")
    for key, value in _TEST.items():
        child(test, key, value)


def all_cone_searches(base: str) -> AddCapability:
    """Return what adds the capabilities of all tables."""

    def add(outer: Element, ports: Ports) -> None:
        try:
            tables = searchable(ports.declarations())
        except Fault:
            # Capabilities do not wait for the index.
            return
        for table in tables:
            add_cone_search(outer, ports, table.name, base)

    return add


def one_cone_search(name: str, base: str) -> AddCapability:
    """Return what adds the capability of one table; ``NotFoundFault`` when it cannot be searched."""

    def add(outer: Element, ports: Ports) -> None:
        add_cone_search(outer, ports, find(ports.declarations(), name).name, base)

    return add
