"""What we declare agrees with the standards and with itself."""

from pathlib import Path

import astropy.units as u
import pyarrow as pa
import pytest
from astropy.io.votable.ucd import check_ucd

from schemas import Kind, UnknownTableError, load_schemas, parse_schema
from schemas.arrow import BATCH, BORDER, HEALPIX, INNER, lake_schema
from schemas.model import Column, Table
from schemas.tap_schema import tap_schema_tables
from schemas.words import delimited

DECLARED = load_schemas()
COLUMNS = [(table, column) for table in DECLARED for column in table.columns]

MANDATORY = [
    "dataproduct_type",
    "calib_level",
    "obs_collection",
    "obs_id",
    "obs_publisher_did",
    "access_url",
    "access_format",
    "access_estsize",
    "target_name",
    "s_ra",
    "s_dec",
    "s_fov",
    "s_region",
    "s_resolution",
    "s_xel1",
    "s_xel2",
    "t_min",
    "t_max",
    "t_exptime",
    "t_resolution",
    "t_xel",
    "em_min",
    "em_max",
    "em_res_power",
    "em_xel",
    "o_ucd",
    "pol_states",
    "pol_xel",
    "facility_name",
    "instrument_name",
]


def test_obscore_has_the_mandatory_columns() -> None:
    names = [column.name for column in DECLARED.table("ivoa.obscore").columns]
    assert [name for name in MANDATORY if name not in names] == []


def test_obscore_has_the_sixty_standard_columns() -> None:
    standard = [column for column in DECLARED.table("ivoa.obscore").columns if column.std]
    assert len(standard) == 60
    assert all(column.utype and column.utype.startswith("obscore:") for column in standard)


def test_names_are_spelled_as_clients_compare_them() -> None:
    assert {table.name for table in DECLARED.public} == {
        "ivoa.ObsCore",
        "dbo.raw",
        "phase3v2.files",
        "phase3v2.provenance",
        "TAP_SCHEMA.schemas",
        "TAP_SCHEMA.tables",
        "TAP_SCHEMA.columns",
        "TAP_SCHEMA.keys",
        "TAP_SCHEMA.key_columns",
    }
    assert DECLARED.table("IVOA.OBSCORE").name == "ivoa.ObsCore"
    assert DECLARED.table("ivoa.obscore").column("S_RA").name == "s_ra"


def test_every_ucd_is_made_of_the_words_of_the_vocabulary() -> None:
    wrong = [
        (table.name, column.name, column.ucd)
        for table, column in COLUMNS
        if column.ucd and not check_ucd(column.ucd, check_controlled_vocabulary=True)
    ]
    assert wrong == []


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{t.name}.{c.name}" for t, c in COLUMNS])
def test_every_column_is_described_and_its_unit_exists(table: Table, column: Column) -> None:
    assert column.description
    if column.unit:
        assert u.Unit(column.unit, format="vounit", parse_strict="raise")


def test_the_lake_keeps_cells_where_there_are_positions_and_footprints() -> None:
    assert {BATCH, HEALPIX, INNER, BORDER} <= set(lake_schema(DECLARED.table("ivoa.ObsCore")).names)
    assert HEALPIX not in lake_schema(DECLARED.table("phase3v2.provenance")).names
    assert lake_schema(DECLARED.table("ivoa.ObsCore")).field("s_region").type == pa.string()


def test_tap_schema_describes_itself_and_every_public_column() -> None:
    rows = tap_schema_tables(DECLARED)
    described = {(r["table_name"], r["column_name"]) for r in rows["TAP_SCHEMA.columns"].to_pylist()}
    assert described == {(t.name, delimited(c.name)) for t in DECLARED.public for c in t.columns}
    assert not any(name.startswith("archive.") for name, _ in described)


def test_tap_schema_keys_name_columns_that_exist() -> None:
    rows = tap_schema_tables(DECLARED)
    keys = {row["key_id"]: row for row in rows["TAP_SCHEMA.keys"].to_pylist()}
    pairs = rows["TAP_SCHEMA.key_columns"].to_pylist()
    assert {pair["key_id"] for pair in pairs} == set(keys)
    for pair in pairs:
        key = keys[pair["key_id"]]
        assert DECLARED.table(key["from_table"]).column(pair["from_column"])
        assert DECLARED.table(key["target_table"]).column(pair["target_column"])


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(UnknownTableError, match=r"ivoa\.nothing"):
        DECLARED.table("ivoa.nothing")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{name: t, key: [b], columns: [{name: a, kind: int}]}", "no such columns: b"),
        ("{name: t, key: [a], columns: [{name: a, kind: int}, {name: A, kind: int}]}", "declared twice"),
        ("{name: t, key: [a], columns: [{name: a, kind: number}]}", "kind"),
        ("{name: t, key: [a], columns: [{name: a, kind: text, served: '{c}'}]}", "no such columns: c"),
        ("{name: t, key: [a], colour: red, columns: [{name: a, kind: int}]}", "colour"),
    ],
)
def test_a_wrong_declaration_is_refused_by_name(wrong: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_schema(f"schema: s\ntables: [{wrong}]")


def test_a_site_adds_columns_and_tables(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text(
        "schema: ivoa\ntables:\n"
        "  - {name: ObsCore, key: [dp_id],\n"
        "     columns: [{name: dp_id, kind: text}, {name: seeing, kind: double}]}\n"
        "  - {name: mine, key: [a], columns: [{name: a, kind: int}]}\n"
    )
    declared = load_schemas([tmp_path])
    assert declared.table("ivoa.obscore").column("seeing").kind is Kind.DOUBLE
    assert len(declared.table("ivoa.obscore").columns) == len(DECLARED.table("ivoa.obscore").columns) + 1
    assert "ivoa.mine" in declared


def test_a_published_table_joins_its_schema() -> None:
    table = parse_schema(
        "schema: catalogues\ntables: [{name: c, key: [a], columns: [{name: a, kind: int}]}]"
    ).tables[0]
    declared = DECLARED.with_tables([table], {"catalogues": "Published catalogues"})
    assert declared.table("catalogues.c") is table
    assert declared.schemas[-1].description == "Published catalogues"
