"""The files of jobs: what came with their parameters, and their results; each job has a folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from store.jobs import Job, StoredFile
from vo.dali import Parameters, PostedFile

RESULT = "result"
"""The name of the file with a job's result."""

_CHUNK = 2**20


class JobFiles:
    """Folders below one root, named like the jobs."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, job_id: str, params: Parameters) -> tuple[tuple[str, str | StoredFile], ...]:
        """Copy the files among the parameters; return these with the names of the copies."""
        kept: list[tuple[str, str | StoredFile]] = []
        for number, (name, value) in enumerate(params.pairs):
            if isinstance(value, str):
                kept.append((name, value))
                continue
            copy = f"given-{number}-{token_hex(4)}"
            self._write(job_id, copy, iter(partial(value.file.read, _CHUNK), b""))
            kept.append((name, StoredFile(copy, value.name, value.media_type)))
        return tuple(kept)

    def parameters(self, job: Job) -> Parameters:
        """Return a job's parameters as they came; files are open from their start."""
        return Parameters(
            (
                name,
                value
                if isinstance(value, str)
                else PostedFile(value.name, value.media_type, self.open(job.id, value.copy)),
            )
            for name, value in job.parameters
        )

    def write_result(self, job_id: str, pieces: Iterable[bytes]) -> int:
        """Keep a result; it has its name only when it is whole and on the disk. Returns its size in bytes."""
        return self._write(job_id, RESULT, pieces)

    def path(self, job_id: str, name: str) -> Path:
        """Return where a file of a job is."""
        return self._root / job_id / name

    def open(self, job_id: str, name: str) -> BinaryIO:
        """Open a file of a job."""
        return self.path(job_id, name).open("rb")

    def remove(self, job_id: str) -> None:
        """Remove all files of a job."""
        shutil.rmtree(self._root / job_id, ignore_errors=True)

    def _write(self, job_id: str, name: str, pieces: Iterable[bytes]) -> int:
        folder = self._root / job_id
        folder.mkdir(parents=True, exist_ok=True)
        draft, size = folder / f".{name}.{os.getpid()}", 0
        try:
            with draft.open("wb") as file:
                for piece in pieces:
                    size += file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(folder / name)
        finally:
            draft.unlink(missing_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return size
