"""Whether a service can be used now (VOSI 1.1, section 3)."""

from __future__ import annotations

from vo.ports import Ports
from vo.xml import child, document, root

_NAMESPACE = "http://www.ivoa.net/xml/VOSIAvailability/v1.0"


def availability(ports: Ports) -> bytes:
    """Return the availability document."""
    status = ports.index.status()
    outer = root(f"{{{_NAMESPACE}}}availability", {None: _NAMESPACE})
    child(outer, f"{{{_NAMESPACE}}}available", "true" if status.ready else "false")
    child(outer, f"{{{_NAMESPACE}}}upSince", ports.started.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if status.reason:
        child(outer, f"{{{_NAMESPACE}}}note", status.reason)
    return document(outer)
