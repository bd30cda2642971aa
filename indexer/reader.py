"""What a reader process does with one file: headers, checksum, a copy if wanted, and its rows."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from indexer.discovery import Found
from indexer.errors import FileRefused, IngestError
from indexer.fits import FitsFile, image_cards, read_fits
from indexer.holdings import storage_error
from instruments import FileHeaders, Mapped, MappingRefused, PackageError, Packages, load_packages

VERSION: Final = version("onedfs")
"""Our own version, which is that of the declarations and of the sky algorithms too."""

_MEDIA_TYPES: Final[dict[str | None, str]] = {
    None: "application/fits",
    "gzip": "application/gzip",
    "compress": "application/x-compress",
    "bzip2": "application/x-bzip2",
}

_SLOWEST: Final = 5e6
"""Bytes per second that the slowest storage gives."""


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A file to be read for a collection; ``incoming`` is where its copy goes, if one is wanted."""

    found: Found
    collection: str
    incoming: Path | None = None

    @property
    def seconds(self) -> float:
        """How long reading may take."""
        return 120.0 + self.found.size / _SLOWEST


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What was read.

    Attributes
    ----------
    made_by : versions of the package and of ours that made the rows.
    rows : rows of the package's tables, without ids.
    cards : the headers as JSON: a list per header-data unit of 80-character cards.
    copy : where its copy waits, if one was wanted.
    warnings : what was tolerated.
    """

    file_size: int
    checksum: str
    content_type: str
    own_id: str | None
    made_by: str
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    category: str | None
    origfile: str | None
    release_date: Any
    cards: str
    copy: Path | None
    warnings: tuple[str, ...]


def prepare_reader(package_folders: tuple[Path, ...]) -> Callable[[ReadJob], ReadFile]:
    """Load the Instrument Packages once and return what reads one file.

    Raises
    ------
    IngestError
        When a package is wrong.
    """
    try:
        packages = load_packages(package_folders)
    except PackageError as error:
        raise IngestError("package", str(error)) from error
    return partial(read_job, packages)


def read_job(packages: Packages, job: ReadJob) -> ReadFile:
    """Read one file.

    Raises
    ------
    FileRefused
        When it cannot be accepted.
    IngestError
        When its copy cannot be written.
    """
    if job.incoming is None:
        return _described(packages, job, read_fits(job.found.path), None)
    copy = job.incoming / uuid.uuid4().hex
    try:
        return _described(packages, job, _copied(job.found.path, copy), copy)
    except FileRefused:
        copy.unlink(missing_ok=True)
        raise


def _copied(path: Path, copy: Path) -> FitsFile:
    try:
        with copy.open("xb") as target:
            fits = read_fits(path, copy=target)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        copy.unlink(missing_ok=True)
        raise storage_error(error) from error
    return fits


def _described(packages: Packages, job: ReadJob, fits: FitsFile, copy: Path | None) -> ReadFile:
    found = job.found
    headers = FileHeaders.from_cards(
        [image_cards(cards) for cards in fits.hdus],
        file_name=found.path.name,
        path=found.relative,
        size=fits.size,
        data_sums=fits.data_sums,
    )
    mapped = _mapped(packages, headers, job.collection)
    return ReadFile(
        file_size=fits.size,
        checksum=fits.checksum,
        content_type=_MEDIA_TYPES[fits.encoding],
        own_id=mapped.dp_id,
        made_by=f"{mapped.package} onedfs={VERSION}",
        rows=mapped.rows,
        category=mapped.category,
        origfile=mapped.origfile,
        release_date=mapped.release_date,
        cards=orjson.dumps(fits.hdus).decode(),
        copy=copy,
        warnings=(*fits.warnings, *mapped.warnings),
    )


def _mapped(packages: Packages, headers: FileHeaders, collection: str) -> Mapped:
    try:
        # What libraries warn of in one file's cards is no news to whoever runs the archive.
        with warnings.catch_warnings(action="ignore"):
            return packages.map(headers, collection)
    except MappingRefused as error:
        raise FileRefused(error.code, error.reason) from error
