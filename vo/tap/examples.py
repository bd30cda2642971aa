"""Queries to learn from (DALI 1.1, section 2.3; TAP 1.1, section 2.4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from schemas import Schemas
from vo.xml import child, document, root

_XHTML = "http://www.w3.org/1999/xhtml"


@dataclass(frozen=True, slots=True)
class Example:
    """A query, what it is for, and the tables it reads."""

    id: str
    name: str
    text: str
    query: str
    tables: tuple[str, ...]


EXAMPLES: tuple[Example, ...] = (
    Example(
        "cone",
        "Observations around a position",
        "The data products whose pointing is within 0.1 degrees of a position, the nearest first.",
        "SELECT TOP 20 obs_publisher_did, target_name, instrument_name, access_url,\n"
        "  DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 63.3558, 10.4663)) AS distance_deg\n"
        "FROM ivoa.ObsCore\n"
        "WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 63.3558, 10.4663, 0.1))\n"
        "ORDER BY distance_deg",
        ("ivoa.ObsCore",),
    ),
    Example(
        "footprint",
        "Observations that cover a part of a region",
        "The data products whose footprint has a point in common with a circle.",
        "SELECT TOP 20 obs_publisher_did, target_name, dataproduct_type, s_region\n"
        "FROM ivoa.ObsCore\n"
        "WHERE 1 = INTERSECTS(s_region, CIRCLE('ICRS', 53.1, -27.8, 0.2))",
        ("ivoa.ObsCore",),
    ),
    Example(
        "count",
        "How much there is of each instrument",
        "The number of data products and their total exposure time by instrument and type.",
        "SELECT instrument_name, dataproduct_type, COUNT(*) AS products, SUM(t_exptime) AS seconds\n"
        "FROM ivoa.ObsCore\n"
        "GROUP BY instrument_name, dataproduct_type\n"
        "ORDER BY products DESC",
        ("ivoa.ObsCore",),
    ),
    Example(
        "spectra",
        "Spectra that reach a wavelength",
        "Spectra and cubes that cover H-alpha at rest, the best resolution first.",
        "SELECT TOP 20 obs_publisher_did, target_name, em_res_power, em_min, em_max\n"
        "FROM ivoa.ObsCore\n"
        "WHERE dataproduct_type IN ('spectrum', 'cube')\n"
        "  AND em_min <= 6.5628e-7 AND em_max >= 6.5628e-7\n"
        "ORDER BY em_res_power DESC",
        ("ivoa.ObsCore",),
    ),
    Example(
        "columns",
        "What the columns mean",
        "The names, units and descriptions of the columns of a table.",
        "SELECT column_name, datatype, unit, ucd, description\n"
        "FROM TAP_SCHEMA.columns\n"
        "WHERE table_name = 'ivoa.ObsCore'\n"
        "ORDER BY column_index",
        ("TAP_SCHEMA.columns",),
    ),
)
"""All examples; a service shows those whose tables it has."""


def examples(declared: Schemas) -> bytes:
    """Return the examples as XHTML with the RDFa properties of the IVOA's vocabulary."""
    page = root(f"{{{_XHTML}}}html", {None: _XHTML}, lang="en", vocab="http://www.ivoa.net/rdf/examples#")
    head = child(page, f"{{{_XHTML}}}head")
    child(head, f"{{{_XHTML}}}title", "ADQL examples")
    body = child(page, f"{{{_XHTML}}}body")
    child(body, f"{{{_XHTML}}}h1", "ADQL examples")
    for example in EXAMPLES:
        if not all(name in declared for name in example.tables):
            continue
        block = child(body, f"{{{_XHTML}}}div", id=example.id, resource=f"#{example.id}", typeof="example")
        child(block, f"{{{_XHTML}}}h2", example.name, property="name")
        child(block, f"{{{_XHTML}}}p", example.text)
        child(block, f"{{{_XHTML}}}pre", example.query, property="query")
        for table in example.tables:
            line = child(block, f"{{{_XHTML}}}p", "Table: ")
            child(line, f"{{{_XHTML}}}span", table, property="table")
    return document(page)
