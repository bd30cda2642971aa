"""Ingest folders into an archive in small batches; run by the tests that kill it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from indexer import ingest
from schemas import load_schemas
from store.database import QuarantineStore, migrate, open_database
from store.lake import Lake


def main() -> None:
    root, holding, *folders = sys.argv[1:]
    importlib.import_module("indexer.ingest").BATCH_FILES = 7  # type: ignore[attr-defined]
    engine = open_database(f"sqlite:///{root}/onedfs.sqlite")
    migrate(engine)
    print("ready", flush=True)
    summary = ingest(
        folders,
        lake=Lake(Path(root) / "lake", load_schemas()),
        quarantine=QuarantineStore(engine),
        files_root=Path(root) / "files",
        holding=holding,  # type: ignore[arg-type]
        workers=1,
    )
    print(summary.line(), flush=True)


if __name__ == "__main__":
    main()
