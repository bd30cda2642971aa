"""XML elements, one call each."""

from __future__ import annotations

import re
from typing import TypeAlias

from lxml import etree

Element: TypeAlias = etree._Element  # noqa: SLF001 - lxml gives its element type no public name

XSI = "http://www.w3.org/2001/XMLSchema-instance"
"""The namespace of ``xsi:type``."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return text if text.isprintable() else _NOT_XML.sub("", text)


def root(tag: str, namespaces: dict[str | None, str], **attributes: str | None) -> Element:
    """Return a document's outermost element."""
    nsmap = namespaces
    return etree.Element(tag, _given(attributes), nsmap=nsmap)  # type: ignore[arg-type] # stubs forget None


def child(parent: Element, tag: str, text: str | None = None, **attributes: str | None) -> Element:
    """Add an element; attributes that are None are left out."""
    node = etree.SubElement(parent, tag, _given(attributes))
    if text:
        node.text = clean(text)
    return node


def _given(attributes: dict[str, str | None]) -> dict[str, str]:
    return {name: clean(value) for name, value in attributes.items() if value is not None}


def document(node: Element) -> bytes:
    """Return an element as a document."""
    return etree.tostring(node, xml_declaration=True, encoding="utf-8")
