"""Parquet, read by its library in a process of its own.

What a hostile file makes the library do, its memory, its time, or a crash, ends there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from typing import BinaryIO

import pyarrow as pa

from schemas import Column
from vo.uploads.found import Found
from vo.uploads.limits import Unreadable, UploadLimits

SECONDS = 30
"""What a file may take to be read."""

SAYS = "unreadable: "
"""How the process begins to say what is wrong with the file."""


def read_apart(file: BinaryIO, limits: UploadLimits) -> Found:
    """Read a Parquet file.

    Raises
    ------
    Unreadable
        When it is none, or needs more than it may.
    """
    with tempfile.TemporaryFile() as copy, tempfile.TemporaryFile() as answer:
        while chunk := file.read(2**20):
            copy.write(chunk)
        copy.seek(0)
        command = [sys.executable, "-P", "-m", "vo.uploads.parquet", json.dumps(asdict(limits))]
        try:
            done = subprocess.run(  # noqa: S603 - nothing in it comes from the file or the request
                command, stdin=copy, stdout=answer, stderr=subprocess.PIPE, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unreadable(f"reading it took more than {SECONDS} s") from None
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            known = said.startswith(SAYS)
            raise Unreadable(said.removeprefix(SAYS) if known else "it is damaged, or needs too much memory")
        answer.seek(0)
        with pa.ipc.open_stream(answer) as reader:
            described = json.loads(reader.schema.metadata[b"columns"])
            return tuple(map(Column.model_validate, described)), reader.read_all().columns
