"""What SIA 2 advertises (SIA 2.0, section 2.3)."""

from __future__ import annotations

from vo.ports import Ports
from vo.sia2.service import STANDARD_ID
from vo.vosi.capabilities import AddCapability, capability, interface
from vo.xml import Element

_TEST = "POS=CIRCLE+53.1+-27.8+0.1&MAXREC=1"


def image_search(base: str) -> AddCapability:
    """Return what adds the capability of the service below the path ``base``."""

    def add(outer: Element, ports: Ports) -> None:
        node = capability(outer, STANDARD_ID)
        interface(node, ports.url(f"{base}/query"), use="base", version="2.0", test_query=_TEST)

    return add
