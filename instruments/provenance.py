"""What a product was made from, as its header records it: ESO PRO RECi and Phase 3 PROVi keywords."""

from __future__ import annotations

import re
from typing import TypeAlias

from instruments.headers import FileHeaders
from instruments.identity import archive_name

SourceRow: TypeAlias = dict[str, str | int]
"""One row of phase3v2.provenance, without the product's id."""

_RECIPE_SOURCE = re.compile(r"ESO PRO REC(?P<step>\d{1,6}) (?P<role>RAW|CAL)(?P<number>\d{1,6}) NAME\Z")
_PROVENANCE = re.compile(r"PROV(?P<number>\d{1,6})\Z")
_ROLES = {"RAW": "raw", "CAL": "calibration"}


def provenance_rows(headers: FileHeaders) -> list[SourceRow]:
    """Return the sources in the order of the recipes that used them, each once, numbered from 1.

    A raw input of a later recipe is the product of an earlier one unless it has an archive name.
    """
    rows: dict[str, SourceRow] = {}
    for source, category, role in (*_recipe_sources(headers), *_listed_sources(headers)):
        known = archive_name(source)
        row: SourceRow = {"seq": len(rows) + 1, "source": source, "role": role}
        if known is not None:
            row["source_dp_id"] = known
        if category is not None:
            row["category"] = category
        rows.setdefault(source, row)
    return list(rows.values())


def _recipe_sources(headers: FileHeaders) -> list[tuple[str, str | None, str]]:
    header = headers.primary
    found = [m for m in map(_RECIPE_SOURCE.match, header.names("ESO PRO REC")) if m]
    found.sort(key=lambda m: (int(m["step"]), m["role"] != "RAW", int(m["number"])))
    sources: list[tuple[str, str | None, str]] = []
    for match in found:
        name = header.get(match[0])
        if not isinstance(name, str) or not name.strip():
            continue
        category = header.get(match[0].removesuffix("NAME") + "CATG")
        role = _ROLES[match["role"]]
        if role == "raw" and int(match["step"]) > 1 and archive_name(name) is None:
            role = "product"
        sources.append((name.strip(), category.strip() or None if isinstance(category, str) else None, role))
    return sources


def _listed_sources(headers: FileHeaders) -> list[tuple[str, str | None, str]]:
    header = headers.primary
    found = [m for m in map(_PROVENANCE.match, header.names("PROV")) if m]
    found.sort(key=lambda m: int(m["number"]))
    names = [header.get(match[0]) for match in found]
    return [
        (name.strip(), None, "product" if name.startswith("ADP.") or archive_name(name) is None else "raw")
        for name in names
        if isinstance(name, str) and name.strip()
    ]
