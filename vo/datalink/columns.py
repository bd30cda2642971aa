"""The columns of a table of links (DataLink 1.1, section 3.2)."""

from __future__ import annotations

from schemas import Column, Kind

COLUMNS = (
    Column(
        name="ID",
        kind=Kind.TEXT,
        ucd="meta.id;meta.main",
        description="Identifier of the data product, as it was asked for",
    ),
    Column(
        name="access_url", kind=Kind.TEXT, ascii=True, ucd="meta.ref.url", description="Where the link leads"
    ),
    Column(
        name="service_def",
        kind=Kind.TEXT,
        ascii=True,
        ucd="meta.ref",
        description="ID of the description of a service in this document",
    ),
    Column(name="error_message", kind=Kind.TEXT, ucd="meta.code.error", description="Why there is no link"),
    Column(name="description", kind=Kind.TEXT, ucd="meta.note", description="What it is, for people"),
    Column(
        name="semantics",
        kind=Kind.TEXT,
        ascii=True,
        ucd="meta.code",
        description="What it is to the data product: a term of http://www.ivoa.net/rdf/datalink/core",
    ),
    Column(name="content_type", kind=Kind.TEXT, ascii=True, ucd="meta.code.mime", description="Media type"),
    Column(name="content_length", kind=Kind.LONG, unit="byte", ucd="phys.size;meta.file", description="Size"),
    Column(
        name="content_qualifier",
        kind=Kind.TEXT,
        ascii=True,
        ucd="meta.code",
        description="Kind of the content: a term of http://www.ivoa.net/rdf/product-type",
    ),
    Column(
        name="local_semantics",
        kind=Kind.TEXT,
        ascii=True,
        ucd="meta.code",
        description="Names the same kind of link in all answers of this archive",
    ),
    Column(
        name="link_auth",
        kind=Kind.TEXT,
        ascii=True,
        ucd="meta.code",
        description="Whether following the link takes an identity: false, optional or true",
    ),
    Column(
        name="link_authorized",
        kind=Kind.BOOLEAN,
        ucd="meta.code",
        description="Whether the caller may follow the link",
    ),
)
"""All columns; ``vo.datalink.service`` fills them."""
