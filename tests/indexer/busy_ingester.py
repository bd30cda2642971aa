"""Ingest folders into an archive in small batches; run by the tests that kill it."""

from __future__ import annotations

import sys
from pathlib import Path

from indexer import ingest, ingestion
from schemas import load_schemas
from store.database import QuarantineStore, migrate, open_database
from store.lake import Lake


def main() -> None:
    root, holding, *folders = sys.argv[1:]
    ingestion.BATCH_FILES = 7  # type: ignore[misc]
    engine = open_database(f"sqlite:///{root}/onedfs.sqlite")
    migrate(engine)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    summary = ingest(
        folders,
        lake=Lake(Path(root) / "lake", load_schemas()),
        quarantine=QuarantineStore(engine),
        files_root=Path(root) / "files",
        holding=holding,  # type: ignore[arg-type]
        workers=1,
    )
    sys.stdout.write(f"{summary.line()}\n")


if __name__ == "__main__":
    main()
