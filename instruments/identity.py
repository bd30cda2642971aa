"""Which observation a file belongs to, whether it is the raw frame itself, and what it is called."""

from __future__ import annotations

import re
from urllib.parse import quote

from instruments.errors import MappingRefused
from instruments.headers import FileHeaders
from instruments.moments import start_time
from instruments.origin import SUFFIXES, altered, processed_by, unproven
from sky.times import TimeError, parse_mjd

_ARCHIVE_NAME = re.compile(
    r"(?P<name>(?P<prefix>[A-Z0-9_]+)\.(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}))"
    r"(?:\.t?fits)?(?:\.(?:Z|gz|fz))?\Z"
)
_PIPEFILE = re.compile(r"r\.(?P<name>.+\.\d{3})(?:_.*)?")

_PRODUCT_PREFIX = "ADP"
"""Prefix of the archive names that Phase 3 gives to products."""

_DAY = 1.0
"""Days by which the name of a raw frame may differ from its date."""

_SECOND = 1.0 / 86_400.0
"""Days by which the name of a raw frame differs from its date at most, when both are exact."""


def archive_name(text: str | None) -> str | None:
    """Return the archive name in a text, without suffixes; None when it does not have that form.

    The form is ``PREFIX.YYYY-MM-DDThh:mm:ss.sss``, with or without ``.fits``.
    """
    found = _ARCHIVE_NAME.match(text.strip()) if text else None
    return found["name"] if found else None


def archive_prefix(text: str | None) -> str | None:
    """Return the prefix of an archive name."""
    found = _ARCHIVE_NAME.match(text.strip()) if text else None
    return found["prefix"] if found else None


def stem(file_name: str) -> str:
    """Return a file name or path without the suffixes of FITS and of compression."""
    return SUFFIXES.sub("", file_name)


def is_processed(headers: FileHeaders) -> bool:
    """Tell whether software has made this file from another, so that it is no raw frame.

    Besides the keywords of pipelines counts what reduction software leaves in files it wrote, and a
    primary image of bytes or of 64-bit numbers: no detector of the observatory delivers one, but masks and
    results of computing are kept that way with the header of the frame they belong to.
    """
    return processed_by(headers) is not None or archive_prefix(headers.text("ARCFILE")) == _PRODUCT_PREFIX


def is_raw_frame(headers: FileHeaders, own_id: str | None) -> bool:
    """Tell whether a file is a raw frame of the observatory.

    It has its ARCFILE as id, or says what it was taken for (DPR CATG) and when: the archive adds ARCFILE,
    so a frame that comes from the telescope has none yet.
    """
    claims = own_id is not None or (
        headers.text("ARCFILE") is None
        and headers.text("ESO DPR CATG") is not None
        and start_time(headers) is not None
    )
    return claims and not is_processed(headers) and altered(headers) is None


def dp_id(headers: FileHeaders) -> str | None:
    """Return the id that the headers give this file, None when the archive mints one.

    A raw frame is its ARCFILE, if nothing casts doubt on its being one (:mod:`instruments.origin`). So is a
    Phase 3 product whose ARCFILE is its own file name; any other product carries the ARCFILE of its raw
    frame, which it must not take.

    Raises
    ------
    MappingRefused
        "identity": a raw frame whose ARCFILE and date are more than a day apart.
    """
    name = archive_name(headers.text("ARCFILE"))
    if name is None:
        return None
    if is_processed(headers):
        return name if _is_phase3_name(headers, name) else None
    doubt = altered(headers) or unproven(headers, name)
    if doubt is not None:
        headers.warn(f"it is not taken for the raw frame {name}: {doubt}")
        return None
    _check_date(name, headers)
    return name


def _is_phase3_name(headers: FileHeaders, name: str) -> bool:
    """Tell whether a product is called by its ARCFILE, and that is not the name of its raw frame."""
    if headers.get("PRODCATG") is None and archive_prefix(name) != _PRODUCT_PREFIX:
        return False
    own = stem(headers.file_name).replace("_", ":")
    return own == name.replace("_", ":") and not _names_exposure(headers, name)


def _names_exposure(headers: FileHeaders, name: str) -> bool:
    """Tell whether the time in an archive name is that of the exposure, as in those of raw frames."""
    start = start_time(headers)
    try:
        return start is not None and abs(start.mjd - parse_mjd(name.partition(".")[2])) < _SECOND
    except TimeError:
        return False


def _check_date(name: str, headers: FileHeaders) -> None:
    for key in ("MJD-OBS", "DATE-OBS"):
        value = headers.get(key)
        if not isinstance(value, str | int | float):
            continue
        try:
            apart = abs(parse_mjd(value) - parse_mjd(name.partition(".")[2]))
        except TimeError:
            continue
        if apart > _DAY:
            raise MappingRefused(
                "identity",
                f"ARCFILE {name} and {key} {value} are {apart:.0f} days apart; one of them is wrong",
            )
        return


def observation_id(headers: FileHeaders, own_id: str | None) -> str:
    """Return the id that all files of one observation share.

    It is the archive name of the (first) raw frame, which products keep in ARCFILE, PIPEFILE or their
    list of sources. Where no header names one, the file is an observation of its own.
    """
    pipefile = _PIPEFILE.match(headers.text("PIPEFILE") or "")
    named = (
        headers.text("ARCFILE"),
        pipefile["name"] if pipefile else None,
        headers.text("ESO PRO REC1 RAW1 NAME"),
        headers.text("PROV1"),
    )
    found = next(filter(None, map(archive_name, named)), None)
    return own_id or found or quote(stem(headers.path or headers.file_name) or "unnamed", safe="/:+,=@ ")
