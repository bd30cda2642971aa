"""The full FITS headers of a file, as text and as JSON."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow.compute as pc

from archive.problems import Problem
from instruments.cards import Value
from instruments.headers import Header
from store.lake import Lake

HEADERS = "archive.headers"

_TOO_LARGE = 2**63


def header_cards(lake: Lake, version: int, dp_id: str) -> list[list[str]]:
    """Return the cards of each HDU, 80 characters each, from the lake at a version.

    Raises
    ------
    Problem
        404 when the archive keeps no header of that id.
    """
    found = lake.read(HEADERS, version, columns=["cards"], filter=pc.field("dp_id") == dp_id)
    if not found.num_rows:
        raise Problem(404, f"there is no header of {dp_id}", kind="unknown-header")
    cards: list[list[str]] = orjson.loads(found.column("cards")[0].as_py())
    return cards


def as_text(hdus: list[list[str]]) -> str:
    """Return headers as lines of 80 characters, an empty line between HDUs."""
    return "\n\n".join("\n".join(cards) for cards in hdus) + "\n"


def as_document(dp_id: str, hdus: list[list[str]]) -> dict[str, Any]:
    """Return headers as a JSON document: of each HDU the values by keyword, and the cards as they are."""
    found = [{"index": index, "values": _values(cards), "cards": cards} for index, cards in enumerate(hdus)]
    return {"dp_id": dp_id, "hdus": found}


def _values(cards: list[str]) -> dict[str, Value]:
    # FITS sets no bound to whole numbers, our JSON does.
    return {
        key: float(value) if isinstance(value, int) and abs(value) >= _TOO_LARGE else value
        for key, value in Header(cards).items()
    }
