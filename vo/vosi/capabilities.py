"""The capabilities of a service (VOSI 1.1, section 2; VOResource 1.1, VODataService 1.1)."""

from __future__ import annotations

from collections.abc import Callable

from vo.ports import Ports
from vo.xml import XSI, Element, child, document, root

_NAMESPACES: dict[str | None, str] = {
    "vosi": "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
    "vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "vs": "http://www.ivoa.net/xml/VODataService/v1.1",
    "tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
    "cs": "http://www.ivoa.net/xml/ConeSearch/v1.0",
    "xsi": XSI,
}

AddCapability = Callable[[Element, Ports], None]
"""Adds a service's own capability elements to the document."""


def capabilities(ports: Ports, base: str, add: AddCapability, *, tables: bool = False) -> bytes:
    """Return the capabilities document of the service below the path ``base``."""
    outer = root(f"{{{_NAMESPACES['vosi']}}}capabilities", _NAMESPACES)
    add(outer, ports)
    names = ["capabilities", "availability", *(["tables"] if tables else [])]
    for name in names:
        version = "-1.1" if name == "tables" else ""
        node = capability(outer, f"ivo://ivoa.net/std/VOSI#{name}{version}")
        interface(node, ports.url(f"{base}/{name}"), use="full", version="1.1" if version else None)
    return document(outer)


def capability(outer: Element, standard_id: str, kind: str | None = None) -> Element:
    """Add a capability; ``kind`` is its ``xsi:type``."""
    node = child(outer, "capability", standardID=standard_id)
    if kind is not None:
        node.set(f"{{{XSI}}}type", kind)
    return node


def interface(
    node: Element, url: str, *, use: str, version: str | None = None, test_query: str | None = None
) -> None:
    """Add the standard interface of a capability: parameters over HTTP."""
    found = child(node, "interface", role="std", version=version)
    found.set(f"{{{XSI}}}type", "vs:ParamHTTP")
    child(found, "accessURL", url, use=use)
    if test_query is not None:
        child(found, "queryType", "GET")
        child(found, "resultType", "application/x-votable+xml")
        child(found, "testQuery", test_query)
