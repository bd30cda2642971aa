"""A table whose rows have few different values in each column, so that groups are large and orders tied."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from schemas.elastic import MOST_TEXT
from store.served import rights
from tests.conformance.draws import corners, footprint
from tests.support.engines import SITE
from tests.support.tables import SHAPED

CROWD = f"""
  - name: frames
{SHAPED}\
      - {{name: did, kind: text, indexed: true, served: "ivo://{{authority}}/ID?{{id}}"}}
      - {{name: link, kind: text, served: "{{public_url}}/files/{{id}}?of={{site}}"}}
      - {{name: rights, kind: text, rights_of: since}}
      - {{name: since, kind: timestamp}}
      - {{name: site, kind: text}}
      - {{name: note, kind: text}}
      - {{name: n, kind: int}}
      - {{name: s, kind: short}}
      - {{name: big, kind: long}}
      - {{name: x, kind: double}}
      - {{name: w, kind: double}}
      - {{name: f, kind: float}}
      - {{name: taken, kind: timestamp}}
      - {{name: flag, kind: boolean}}
"""

CROWD_KINDS = {
    "id": "text", "did": "text", "link": "text", "rights": "text", "since": "time", "ra": "double",
    "dec": "double", "footprint": "region", "site": "text", "note": "text", "n": "int", "s": "int",
    "big": "int", "x": "double", "w": "double", "f": "float", "taken": "time", "flag": "bool",
}  # fmt: skip

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

VALUES: Mapping[str, Sequence[Any]] = {
    "site": [None, None, "", "La Silla", "la silla", "La Silla ", "Paranal", "\uffee", "\U0001f52d", "a%_b"],
    "note": [None, "", "short", "x" * MOST_TEXT, "\U0001f52d" * MOST_TEXT],
    "n": [None, None, 0, 1, 2, 3, -1],
    "s": [None, 0, 1, -(2**15), 2**15 - 1],
    "big": [None, 0, 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63 - 2, -(2**63), 1 - 2**63],
    "x": [None, 0.0, -0.0, 0.125, -0.125, 2.5, math.nan, math.inf, -math.inf],
    "w": [None, 0.0, -0.0, 5e-324, 1e300, -1e300, 0.1, 1 / 3, 1.7976931348623157e308, math.nan],
    "f": [None, 0.0, -0.0, *(float(np.float32(v)) for v in (0.1, -0.1, 1 / 3, 16777217.0, 1e-45, 3e38))],
    "taken": [
        None, 0, -1, 1, 1704067200000000, 1704067200000001, -86400000000, -2208988800000000,
        -62135596800000000, 253402300799999999,
    ],
    "flag": [None, True, False],
    "since": [None, 946684800000000, 4102444800000000],
    "stored rights": [None, None, "secure", "public", "proprietary"],
    "stored link": [None, None, None, "https://elsewhere.example/1", ""],
}  # fmt: skip
"""What columns hold; what is no finite number is NULL to whoever asks."""


LONG = ["x" * MOST_TEXT + "y", "x" * MOST_TEXT + "z", "é" * (MOST_TEXT + 1)]
"""Texts too long to be indexed; few rows have one, for what these are in is answered otherwise."""


def make_crowd(count: int = 400, seed: int = 11) -> list[dict[str, Any]]:
    """Make rows as they are shown; where they are stored otherwise, ``stored NAME`` says how."""
    rng = np.random.default_rng(seed)
    return [make_frame(rng, f"F.{number:04d}") for number in range(count)]


def make_frame(rng: np.random.Generator, key: str) -> dict[str, Any]:
    """Make one row."""
    held = {name: values[int(rng.integers(len(values)))] for name, values in VALUES.items()}
    ra, dec = _position(rng)
    here = rng.random() > 0.1
    if rng.random() < 0.03:
        held["note"] = LONG[int(rng.integers(len(LONG)))]
    row = {name: _shown(value) for name, value in held.items()}
    row |= {f"stored {name}": held[name] for name in ("x", "w")}
    row |= {
        "id": key,
        "ra": ra if here else None,
        "dec": dec if here else None,
        "footprint": footprint(rng, ra, dec),
        "stored did": f"ivo://elsewhere/{key}" if rng.random() < 0.2 else None,
    }
    return row | _served(row)


def _shown(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _served(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is formed when rows are served, from what they store."""
    since = None if row["since"] is None else _EPOCH + timedelta(microseconds=row["since"])
    link = row["stored link"]
    if link is None and row["site"] is not None:
        link = f"{SITE.public_url}/files/{row['id']}?of={row['site']}"
    did = f"ivo://{SITE.authority}/ID?{row['id']}" if row["stored did"] is None else row["stored did"]
    # An empty text stands for none, and none is wanted.
    return {
        "did": did,
        "link": link or None,
        "rights": rights(row["stored rights"], since, datetime.now(UTC)),
    }


def _position(rng: np.random.Generator) -> tuple[float, float]:
    """Draw a position, crowded at a place, the poles and right ascension zero, but on no border of cells."""
    far = float(10 ** rng.uniform(-7, 0))
    if rng.random() < 0.3:
        return float(rng.uniform(0, 360)), math.degrees(math.asin(rng.uniform(-1, 1)))
    centre = [(0.0, 0.37), (45.3, 10.1), (12.0, 90.0), (200.0, -90.0)][int(rng.integers(4))]
    ((ra, dec),) = corners(*centre, [(rng.uniform(0, 360), far)])
    return ra, dec
