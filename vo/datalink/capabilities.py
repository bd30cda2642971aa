"""What DataLink advertises (DataLink 1.1, section 2.2)."""

from __future__ import annotations

from vo.descriptors import DATALINK
from vo.ports import Ports
from vo.vosi.capabilities import AddCapability, capability, interface
from vo.xml import Element


def links(base: str) -> AddCapability:
    """Return what adds the capability of the service below the path ``base``."""

    def add(outer: Element, ports: Ports) -> None:
        interface(capability(outer, DATALINK), ports.url(f"{base}/links"), use="base", version="1.1")

    return add
