"""Plain text and HTML, for people."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from lxml import etree

from vo.cells.buffers import table_bytes, text_scalar
from vo.cells.text import Style, cells, joined, replaced
from vo.dali.rows import Rows
from vo.votable.document import Head
from vo.votable.writer import escape_xml
from vo.xml import clean

_WIDEST = 60
"""Characters after which a column of the text form no longer grows."""


def _one_line(array: pa.Array) -> pa.Array:
    return replaced(array, (("\n", " "), ("\r", " "), ("\t", " ")))


_TEXT = Style(escape=_one_line)
_HTML = Style(escape=escape_xml)

_ADDRESS = r"^https?://"
"""What becomes a link; no other scheme may run in a reader's browser."""

_LOOK = """
:root { color-scheme: light dark }
body { margin: 1.5rem; font: 14px/1.45 system-ui, sans-serif }
table { border-collapse: collapse }
th, td { padding: .3rem .7rem; border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent) }
th { position: sticky; top: 0; text-align: left; background: Canvas; white-space: nowrap }
th small { font-weight: normal; opacity: .65 }
td { max-width: 32rem; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
tbody tr:hover { background: color-mix(in srgb, currentColor 6%, transparent) }
"""


def write_text(rows: Rows, head: Head) -> Iterator[bytes]:
    """Yield aligned columns; their widths are those of the first rows."""
    del head
    widths: list[int] = []
    for batch in rows:
        texts = [
            pc.fill_null(cells(column, array, _TEXT), text_scalar(""))
            for column, array in zip(rows.columns, batch.columns, strict=True)
        ]
        if not widths:
            widths = [
                min(_WIDEST, max(len(column.name), pc.max(pc.utf8_length(text)).as_py()))
                for column, text in zip(rows.columns, texts, strict=True)
            ]
            yield _heading(rows, widths)
        padded = [
            pc.utf8_lpad(text, width) if column.kind.is_numeric else pc.utf8_rpad(text, width)
            for column, text, width in zip(rows.columns, texts, widths, strict=True)
        ]
        lines = pc.utf8_rtrim_whitespace(joined(padded, "  "))
        yield bytes(table_bytes(joined([lines, "\n"])))
    if not widths:
        yield _heading(rows, [len(column.name) for column in rows.columns])
    yield from (f"# {line}\n".encode() for line in _remarks(rows))


def _heading(rows: Rows, widths: list[int]) -> bytes:
    names = "  ".join(column.name.ljust(width) for column, width in zip(rows.columns, widths, strict=True))
    rule = "  ".join("-" * width for width in widths)
    return f"{names.rstrip()}\n{rule}\n".encode()


def _remarks(rows: Rows) -> list[str]:
    ending = [] if rows.ending is None or not rows.ending.text else [rows.ending.text]
    return [*rows.notes, *ending]


def write_html(rows: Rows, head: Head) -> Iterator[bytes]:
    """Yield an HTML page with one table."""
    page = etree.Element("html", {"lang": "en"})
    inside = etree.SubElement(page, "head")
    etree.SubElement(inside, "meta", {"charset": "utf-8"})
    etree.SubElement(inside, "title").text = clean(head.table_name)
    etree.SubElement(inside, "style").text = _LOOK + _alignment(rows)
    body = etree.SubElement(page, "body")
    table = etree.SubElement(body, "table")
    names = etree.SubElement(etree.SubElement(table, "thead"), "tr")
    for column in rows.columns:
        cell = etree.SubElement(names, "th", {"title": clean(column.description)})
        cell.text = clean(column.name)
        if column.unit:
            etree.SubElement(cell, "small").text = clean(f" {column.unit}")
    etree.SubElement(table, "tbody").append(etree.ProcessingInstruction("rows", "here"))
    before, after = etree.tostring(page, encoding="utf-8").split(b"<?rows here?>")
    yield b"<!DOCTYPE html>\n" + before
    for batch in rows:
        texts = [_linked(cells(*pair, _HTML)) for pair in zip(rows.columns, batch.columns, strict=True)]
        yield bytes(table_bytes(joined(["<tr><td>", joined(texts, "</td><td>"), "</td></tr>\n"])))
    closing, end = after.split(b"</body>")
    yield closing
    for line in _remarks(rows):
        remark = etree.Element("p")
        remark.text = clean(line)
        yield etree.tostring(remark, encoding="utf-8")
    yield b"</body>" + end


def _alignment(rows: Rows) -> str:
    numbers = [place for place, column in enumerate(rows.columns, start=1) if column.kind.is_numeric]
    cells_of = ", ".join(f"td:nth-child({place})" for place in numbers)
    return f"{cells_of} {{ text-align: right }}\n" if numbers else ""


def _linked(texts: pa.Array) -> pa.Array:
    """Turn addresses into links; missing values become empty."""
    address = replaced(texts, (('"', "&quot;"),))
    links = joined(['<a href="', address, '">', texts, "</a>"])
    found = pc.if_else(pc.match_substring_regex(texts, _ADDRESS), links, texts)
    return pc.fill_null(found, text_scalar(""))
