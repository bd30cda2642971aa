"""Declarations of tables that several tests have, as parts of a schema's text."""

from __future__ import annotations

PLACED = """\
      - {name: ra, kind: double, unit: deg}
      - {name: dec, kind: double, unit: deg}
"""
"""Columns of a position."""

SHAPED = f"""\
    key: [id]
    position: [ra, dec]
    region: footprint
    columns:
      - {{name: id, kind: text, required: true}}
{PLACED}\
      - {{name: footprint, kind: region}}
"""
"""A table's rows with a name, a position and a footprint; more columns can follow."""

STARS = f"""\
  - name: stars
    key: [star]
    position: [ra, dec]
    columns:
      - {{name: star, kind: long, required: true}}
{PLACED}\
      - {{name: radius, kind: double, unit: deg}}
"""
"""Positions, each with a radius; more columns can follow."""

PLAIN = """\
  - name: plain
    key: [a, b]
    columns:
      - {name: a, kind: int, required: true}
      - {name: b, kind: text, required: true}
      - {name: v, kind: double}
"""
"""A table that knows nothing of the sky."""

HELD = """
schema: held
tables:
  - name: data
    key: [id]
    columns:
      - {name: id, kind: text, required: true}
      - {name: rights, kind: text, rights_of: since}
      - {name: since, kind: timestamp}
"""
"""A schema of rows that are proprietary until their time has come."""

SURVEY = """
schema: survey
description: A survey
tables:
  - name: stars
    description: Stars of the survey
    key: [id]
    columns:
      - {name: id, kind: long, required: true, principal: true, description: Number of the star}
"""
"""A site's own schema of one table; more columns can follow."""
