"""The descriptions of services that answers carry, so that clients find what goes with a row."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import Column
from vo.votable.document import Service

DATALINK = "ivo://ivoa.net/std/DataLink#links-1.1"
"""The identifier of the links service."""

LINKS = "/datalink/links"
"""Where it is."""


def datalink(url: str, columns: Sequence[Column]) -> tuple[Service, ...]:
    """Describe the links service at a URL, when some column identifies data products: the first of them."""
    place = next((place for place, column in enumerate(columns) if column.dataset), None)
    if place is None:
        return ()
    return (Service(DATALINK, url, "What belongs to each data product", "ID", place),)
