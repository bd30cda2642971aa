"""Four tables full of awkward values, and the same rows in three states of the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import schemas
from indexer.checks import Problems, check_rows
from indexer.spherical import with_spherical_columns
from schemas.arrow import arrow_type
from store.lake import Lake
from store.port import Index
from tests.conformance.crowd_rows import CROWD, make_crowd
from tests.conformance.draws import Drawn, corners, footprint, place, spread
from tests.support.engines import EngineUnderTest
from tests.support.tables import SHAPED, STARS

SCHEMA = f"""\
schema: lab
tables:
  - name: obs
{SHAPED}\
      - {{name: name, kind: text, ucd: "meta.id;src"}}
      - {{name: n, kind: int}}
      - {{name: s, kind: short}}
      - {{name: big, kind: long}}
      - {{name: x, kind: double}}
      - {{name: w, kind: double}}
      - {{name: f, kind: float}}
      - {{name: taken, kind: timestamp}}
      - {{name: flag, kind: boolean}}
{STARS}\
      - {{name: name, kind: text}}
      - {{name: n, kind: int}}
  - name: marks
    key: [id, k]
    columns:
      - {{name: id, kind: text, required: true}}
      - {{name: k, kind: int, required: true}}
      - {{name: star, kind: long}}
      - {{name: v, kind: double}}
      - {{name: name, kind: text}}"""

Row = dict[str, Any]

NAMES = [
    None, "", " ", "MUSE", "muse", "MUSE ", "Isaac", "o'neill", "a_b", "a%b", "a\\b", "%", "_", "100%",
    "x\ny", "é", "É", "e\u0301", "Σίσυφος", "🔭", "日本", "--", "NULL", "7", "-7", "1.5", "2024-01-01",
]  # fmt: skip

INTS = [None, 0, 1, -1, 2, 3, 7, -7, 5, 10, 100, -100, 16777217, 2**31 - 1, -(2**31)]

SHORTS = [None, 0, 1, -1, 2, 7, 300, 2**15 - 1, -(2**15)]

LONGS = [
    None,
    0,
    1,
    -1,
    2**53,
    2**53 + 1,
    -(2**53) - 1,
    2**62,
    2**62 + 1,
    -(2**62),
    2**63 - 1,
    1 - 2**63,
    -(2**63),
]

DOUBLES = [None, 0.0, 0.125, -0.125, 0.5, 1.0, 1.5, -1.5, 2.5, -2.5, 7.0, 3.75, 100.25, -64.0]

WILD = [None, 0.0, -0.0, 1e-300, 1e300, -1e300, 1.7976931348623157e308, 5e-324, 0.1, 1 / 3, -2.0, 1e15 + 0.5]

FLOATS = [None, *(float(np.float32(value)) for value in (0.0, 0.1, -0.1, 1 / 3, 1.5, 16777217.0, 1e30, 2.0))]

MOMENTS = [
    None, 0, -1, 1, 1704067200000000, 1704067200000001, 1714521600000000, 1704067199999999, -86400000000,
    1709208000500000, 4102444800000000, 951782400000000,
]  # fmt: skip


def make_rows(seed: int = 7) -> dict[str, list[Row]]:
    """Make the rows; ``footprint`` holds what was drawn, not its text."""
    rng = np.random.default_rng(seed)

    def one_of(values: list[Any]) -> Any:
        return values[int(rng.integers(len(values)))]

    obs = []
    for i in range(300):
        ra, dec = place(rng)
        here = rng.random() > 0.08
        obs.append(
            {
                "id": f"ID.{i:03d}",
                "ra": ra if here else None,
                "dec": dec if here else None,
                "footprint": footprint(rng, ra, dec),
                "name": one_of(NAMES),
                "n": one_of(INTS),
                "s": one_of(SHORTS),
                "big": one_of(LONGS),
                "x": one_of(DOUBLES),
                "w": one_of(WILD),
                "f": one_of(FLOATS),
                "taken": one_of(MOMENTS),
                "flag": one_of([None, True, False]),
            }
        )
    stars = []
    for i in range(40):
        beside = obs[i * 5]
        ra, dec = (beside["ra"], beside["dec"]) if i % 3 else place(rng)
        if ra is not None and i % 3 == 1:
            ((ra, dec),) = corners(ra, dec, [(rng.uniform(0, 360), spread(rng))])
        radius = one_of([None, 0.0, 0.125, 1.5, 40.0, 180.0])
        stars.append(
            {"star": i, "ra": ra, "dec": dec, "radius": radius, "name": one_of(NAMES), "n": one_of(INTS)}
        )
    marks = [
        {
            "id": f"ID.{i * 7 % 320:03d}",
            "k": i % 5,
            "star": one_of([None, *range(0, 45, 3)]),
            "v": one_of(DOUBLES),
        }
        | {"name": one_of(NAMES)}
        for i in range(60)
    ]
    unique = {(mark["id"], mark["k"]): mark for mark in marks}
    return {
        "lab.obs": obs,
        "lab.stars": stars,
        "lab.marks": list(unique.values()),
        "lab.frames": make_crowd(),
    }


def declared() -> schemas.Schemas:
    return schemas.Schemas([schemas.parse_schema(SCHEMA + CROWD)])


def as_arrow(table: schemas.Table, rows: list[Row]) -> pa.Table:
    """Return rows as the indexer hands them to the lake."""

    def stored(row: Row, name: str) -> Any:
        value = row.get(f"stored {name}", row[name])
        return value.text if isinstance(value, Drawn) else value

    made = pa.table(
        {
            column.name: pa.array([stored(row, column.name) for row in rows], arrow_type(column))
            for column in table.columns
        }
    )
    problems = Problems()
    checked = with_spherical_columns(table, check_rows(table, made, problems), problems)
    assert not problems.refused
    return checked


class State:
    """A lake and an engine over it."""

    def __init__(self, engine: EngineUnderTest, folder: Path) -> None:
        self.lake = Lake(folder / "lake", declared())
        self.engine = engine.over(self.lake, folder / "index")

    def put(self, name: str, rows: list[Row], *, known: bool = False) -> None:
        table = self.lake.schemas().table(name)
        with self.lake.writer("test") as writer:
            (writer.replace if known else writer.append)(name, as_arrow(table, rows))
            writer.commit()

    def delete(self, name: str, rows: list[Row]) -> None:
        with self.lake.writer("test") as writer:
            writer.delete(name, as_arrow(self.lake.schemas().table(name), rows))
            writer.commit()

    @property
    def index(self) -> Index:
        """The index at the lake's newest version."""
        self.engine.refresh()
        return self.engine.index


class Worlds:
    """The rows, and the indexes of all states; a failing property shows no more of it than its name."""

    def __init__(self, rows: Mapping[str, Sequence[Row]], indexes: Mapping[str, Index]) -> None:
        self.rows = rows
        self.indexes = indexes


def build_states(engine: EngineUnderTest, folder: Path, rows: dict[str, list[Row]]) -> dict[str, State]:
    """Bring the same rows into an index as it is built, after that, and both ways with a past."""
    states = {name: State(engine, folder / name) for name in ("built", "followed", "mixed")}
    states["followed"].engine.rebuild()
    for name, listed in rows.items():
        states["built"].put(name, listed)
        states["followed"].put(name, listed)
    states["built"].engine.rebuild()
    _live(states["mixed"], rows)
    return states


def _live(state: State, rows: dict[str, list[Row]]) -> None:
    """Append, replace and delete, before and after the index was built.

    Of each table, half of the rows come before it, some of them wrong; others come only to go.
    """
    for name, listed in rows.items():
        half = len(listed) // 2
        wrong = [_another(row, listed[0]) for row in listed[1:half:2]]
        state.put(name, [*listed[:half:2], *wrong, *_passing(listed)[::2]])
    state.engine.rebuild()
    for name, listed in rows.items():
        half = len(listed) // 2
        passing, late = _passing(listed), listed[half + 1 :: 2]
        state.put(name, [*listed[half::2], *passing[1::2]])
        state.put(name, listed[1:half:2], known=True)
        state.put(name, [_another(row, listed[0]) for row in late])
        state.put(name, late, known=True)
        state.delete(name, passing)


def _passing(rows: list[Row]) -> list[Row]:
    key = "id" if "id" in rows[0] else "star"
    return [row | {key: f"GONE.{i}" if key == "id" else 1000 + i} for i, row in enumerate(rows[::4])]


def _another(row: Row, donor: Row) -> Row:
    """Return a row of the same key with another's values."""
    return donor | {name: row[name] for name in ("id", "star", "k") if name in row}
