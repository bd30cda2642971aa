"""The forms an answer can be asked in (DALI 1.1, section 3.4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from vo.dali.faults import UsageFault
from vo.dali.rows import Rows
from vo.formats.arrow import write_arrow, write_parquet
from vo.formats.delimited import write_csv, write_tsv
from vo.formats.fits import write_fits
from vo.formats.json import write_json, write_ndjson
from vo.formats.readable import write_html, write_text
from vo.votable.document import Head
from vo.votable.writer import Serialization, write

Writer = Callable[[Rows, Head], Iterator[bytes]]
"""Yields a document while it reads the rows."""


@dataclass(frozen=True, slots=True)
class Format:
    """One form: its media types (the first is the usual one), its short names, and how it is written.

    ``ivo_id`` is its identifier in TAPRegExt 1.0, where it has one.
    """

    media_types: tuple[str, ...]
    aliases: tuple[str, ...]
    suffix: str
    write: Writer
    ivo_id: str | None = None

    @property
    def media_type(self) -> str:
        """The usual media type."""
        return self.media_types[0]


def _votable(serialization: Serialization) -> Writer:
    return partial(write, serialization=serialization)


def _serialized(name: str) -> tuple[str, ...]:
    bases = ("application/x-votable+xml", "text/xml", "application/xml")
    return tuple(f"{base};serialization={name}" for base in bases)


_TAP = "ivo://ivoa.net/std/TAPRegExt#output-votable"

FORMATS: tuple[Format, ...] = (
    Format(
        ("application/x-votable+xml", "text/xml", "application/xml"),
        ("votable",),
        "xml",
        _votable(Serialization.TABLEDATA),
    ),
    Format(_serialized("TABLEDATA"), ("votable/td",), "xml", _votable(Serialization.TABLEDATA), f"{_TAP}-td"),
    Format(_serialized("BINARY"), ("votable/b",), "xml", _votable(Serialization.BINARY), f"{_TAP}-binary"),
    Format(
        _serialized("BINARY2"), ("votable/b2",), "xml", _votable(Serialization.BINARY2), f"{_TAP}-binary2"
    ),
    Format(("text/csv;header=present", "text/csv"), ("csv",), "csv", write_csv),
    Format(("text/tab-separated-values",), ("tsv",), "tsv", write_tsv),
    Format(("application/json",), ("json",), "json", write_json),
    Format(("application/x-ndjson",), ("ndjson",), "ndjson", write_ndjson),
    Format(("application/fits",), ("fits",), "fits", write_fits),
    Format(
        ("application/vnd.apache.parquet", "application/x-parquet"), ("parquet",), "parquet", write_parquet
    ),
    Format(("application/vnd.apache.arrow.stream",), ("arrow",), "arrows", write_arrow),
    Format(("text/plain",), ("text",), "txt", write_text),
    Format(("text/html",), ("html",), "html", write_html),
)
"""Every form, in the order in which the services list them; the first is the default."""


def _normal(name: str) -> str:
    """Return a media type without spaces, quotes, charset and case; a URL makes a plus a space."""
    parts = [part.strip() for part in name.replace('"', "").lower().split(";")]
    kept = [part.replace(" = ", "=") for part in parts if not part.startswith("charset=")]
    return ";".join(kept).replace("x-votable xml", "x-votable+xml")


_BY_NAME = {
    _normal(name): (form, name if "/" in name and name in form.media_types else form.media_type)
    for form in FORMATS
    for name in (*form.media_types, *form.aliases)
}


def choose(name: str | None) -> tuple[Format, str]:
    """Return the form that RESPONSEFORMAT asks for, and the media type to answer with: the one asked for.

    Raises
    ------
    UsageFault
        When there is no such form; the message lists those there are.
    """
    if name is None:
        return FORMATS[0], FORMATS[0].media_type
    try:
        return _BY_NAME[_normal(name)]
    except KeyError:
        known = ", ".join(alias for form in FORMATS for alias in form.aliases)
        raise UsageFault(f"RESPONSEFORMAT {name[:80]!r} is not known; use one of {known}") from None
