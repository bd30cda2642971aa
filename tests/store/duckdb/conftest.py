from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schemas
from store.duckdb import DuckIndex, Follower
from store.lake import Lake
from tests.support.engines import SITE, DuckEngine
from tests.support.lake_rows import as_lake
from tests.support.tables import PLAIN, SHAPED, STARS
from vo.adql import translate

SCHEMA = f"""
schema: sky
tables:
  - name: obs
{SHAPED}\
      - {{name: did, kind: text, indexed: true, served: "ivo://{{authority}}/ID?{{id}}"}}
      - {{name: name, kind: text, ucd: "meta.id;src"}}
      - {{name: n, kind: int}}
      - {{name: big, kind: long}}
      - {{name: x, kind: double}}
      - {{name: f, kind: float}}
      - {{name: day, kind: timestamp}}
      - {{name: flags, kind: int, array: "*"}}
{STARS}{PLAIN}"""


@pytest.fixture(scope="session")
def declared() -> schemas.Schemas:
    ours = next(schema for schema in schemas.load_schemas().schemas if schema.name == "TAP_SCHEMA")
    return schemas.Schemas([schemas.parse_schema(SCHEMA), ours])


def square(ra: float, dec: float, half: float) -> str:
    """A footprint with corners; near a pole it is turned into a triangle around it."""
    if abs(dec) + half >= 89.9:
        corners = [(ra, 89.0), (ra + 120, 89.0), (ra + 240, 89.0)]
        corners = corners if dec > 0 else [(r, -d) for r, d in reversed(corners)]
    else:
        wide = half / np.cos(np.radians(dec))
        corners = [
            (ra - wide, dec - half),
            (ra + wide, dec - half),
            (ra + wide, dec + half),
            (ra - wide, dec + half),
        ]
    return "POLYGON ICRS " + " ".join(f"{r % 360:.6f} {d:.6f}" for r, d in corners)


Rows = list[dict[str, Any]]


def make_obs(count: int, seed: int = 1, first: int = 0) -> Rows:
    """Rows all over the sphere, crowded at the poles and at RA 0, some without position or footprint."""
    rng = np.random.default_rng([seed, first])
    ra = np.where(rng.random(count) < 0.3, rng.normal(0, 1, count) % 360, rng.uniform(0, 360, count))
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    dec = np.where(rng.random(count) < 0.3, np.clip(90 - np.abs(rng.normal(0, 1, count)), -90, 90), dec)
    dec = np.where(rng.random(count) < 0.3, -dec, dec)
    rows: Rows = []
    for i in range(count):
        here = rng.random() > 0.1
        half = float(10 ** rng.uniform(-3, 0.7))
        shape = rng.random()
        region = None
        if here and shape < 0.6:
            region = square(float(ra[i]), float(dec[i]), half)
        elif here and shape < 0.8:
            region = f"CIRCLE ICRS {ra[i]:.6f} {dec[i]:.6f} {half:.6f}"
        elif here and shape < 0.83:
            twice = (f"CIRCLE {r % 360:.6f} {dec[i]:.6f} {half:.6f}" for r in (ra[i], ra[i] + 9))
            region = f"UNION ICRS ({' '.join(twice)})"
        rows.append(
            {
                "id": f"ID.{first + i:06d}",
                "did": f"ivo://elsewhere/{first + i}" if i % 7 == 0 else None,
                "ra": float(ra[i]) if here else None,
                "dec": float(dec[i]) if here else None,
                "footprint": region,
                "name": ["MUSE", "muse", "Isaac", "o'neill %", None][i % 5],
                "n": int(rng.integers(-50, 50)) if i % 4 else None,
                "big": int(rng.integers(-(2**62), 2**62)),
                "x": float(rng.normal()) if i % 3 else None,
                "f": float(np.float32(rng.normal())),
                "day": int(rng.integers(0, 2 * 10**15)),
                "flags": [i, i + 1] if i % 2 else None,
            }
        )
    return rows


def make_stars(count: int, seed: int = 5) -> Rows:
    rng = np.random.default_rng(seed)
    near = make_obs(count, seed)
    return [
        {
            "star": i,
            "ra": None if row["ra"] is None else (row["ra"] + rng.normal(0, 0.01)) % 360,
            "dec": None if row["dec"] is None else float(np.clip(row["dec"] + rng.normal(0, 0.01), -90, 90)),
            "radius": float(rng.uniform(0, 2)),
        }
        for i, row in enumerate(near)
    ]


class World:
    """A lake, what it should hold, and an index over it."""

    def __init__(self, folder: Path, declared: schemas.Schemas) -> None:
        self.folder = folder
        self.lake = Lake(folder / "lake", declared)
        self.model: dict[str, dict[Any, dict[str, Any]]] = {"sky.obs": {}, "sky.stars": {}, "sky.plain": {}}
        self._open: list[Any] = []

    def table(self, name: str) -> schemas.Table:
        return self.lake.schemas().table(name)

    def key(self, name: str, row: dict[str, Any]) -> Any:
        return tuple(row[part] for part in self.table(name).key)

    def put(self, name: str, rows: Rows) -> int:
        """Append rows, or replace those whose key is there."""
        table = self.table(name)
        model = self.model.setdefault(name, {})
        known = [row for row in rows if self.key(name, row) in model]
        new = [row for row in rows if self.key(name, row) not in model]
        with self.lake.writer("test") as writer:
            if new:
                writer.append(name, as_lake(table, new))
            if known:
                writer.replace(name, as_lake(table, known))
            version = writer.commit()
        model.update({self.key(name, row): row for row in rows})
        return version

    def delete(self, name: str, keys: Sequence[Any]) -> int:
        table, model = self.table(name), self.model[name]
        rows = [model.pop(key) for key in keys]
        with self.lake.writer("test") as writer:
            writer.delete(name, as_lake(table, rows))
            return writer.commit()

    def rows(self, name: str) -> Rows:
        return list(self.model[name].values())

    @property
    def index_folder(self) -> Path:
        return self.folder / "index"

    def follower(self, **options: Any) -> Follower:
        follower = Follower(self.lake, self.index_folder, **options)
        self._open.append(follower)
        return follower

    def fold(self) -> int:
        """Write a generation of the present version."""
        return DuckEngine(self.lake, self.index_folder).rebuild()

    def index(self, **options: Any) -> DuckIndex:
        index = DuckIndex(self.lake, self.index_folder, SITE, **({"poll": None} | options))
        self._open.append(index)
        return index

    def close(self) -> None:
        for opened in self._open:
            opened.close()


@pytest.fixture
def world(tmp_path: Path, declared: schemas.Schemas) -> Iterator[World]:
    made = World(tmp_path, declared)
    yield made
    made.close()


@pytest.fixture(scope="module")
def sky_world(tmp_path_factory: pytest.TempPathFactory, declared: schemas.Schemas) -> Iterator[World]:
    """Rows of a generation, and on top of them added, replaced and deleted ones."""
    made = World(tmp_path_factory.mktemp("world"), declared)
    made.put("sky.obs", make_obs(600))
    made.put("sky.stars", make_stars(200))
    made.put("sky.plain", [{"a": i, "b": "b" * (i % 3), "v": i / 7} for i in range(50)])
    made.fold()
    made.put("sky.obs", make_obs(200, first=600))
    made.put("sky.obs", [row | {"name": "again"} for row in make_obs(800, seed=9)[50:700:11]])
    made.delete("sky.obs", [(f"ID.{i:06d}",) for i in range(3, 750, 19)])
    yield made
    made.close()


Ask = Callable[..., Rows]


@pytest.fixture(scope="module")
def ask(sky_world: World) -> Ask:
    """Answer an ADQL query from base and delta together."""
    index = sky_world.index()
    assert index.status().details["delta_rows"] > 200

    def run(text: str, **options: Any) -> Rows:
        with index.snapshot() as snapshot:
            answer = snapshot.run(translate(text, snapshot.schemas), **options)
            return answer.table().to_pylist()

    return run
