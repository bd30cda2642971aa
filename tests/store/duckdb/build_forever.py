"""Follow a lake until killed: a follower in a process of its own."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import schemas
from store.duckdb import Follower, Policy
from store.lake import Lake

if __name__ == "__main__":
    folder, declaration = Path(sys.argv[1]), Path(sys.argv[2])
    ours = [schema for schema in schemas.load_schemas().schemas if schema.name == "TAP_SCHEMA"]
    declared = schemas.Schemas([schemas.parse_schema(declaration.read_text(encoding="utf-8")), *ours])
    eager = Policy(quiet=0, least_rows=0, least_versions=1)
    follower = Follower(Lake(folder / "lake", declared), folder / "index", policy=eager)
    print("following", flush=True)  # noqa: T201 - tells the test that it may kill
    follower.run_forever(threading.Event(), poll=0.001)
