from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning
from hypothesis import given
from hypothesis import strategies as st

from indexer import IngestError, publish, unpublish
from indexer.naming import regular_names
from schemas.model import REGULAR_IDENTIFIER
from schemas.words import RESERVED

RADIANS = {"ra": {"unit": "rad"}, "dec": {"unit": "rad"}}


def stars(count: int = 3) -> Table:
    table = Table(
        {
            "Star Name": [f"s{number}" for number in range(count)],
            "_RAJ2000": np.linspace(0, 350, count),
            "_DEJ2000": np.linspace(-89, 89, count),
            "mag(V)": np.linspace(1, 9, count).astype(np.float32),
        }
    )
    table["_RAJ2000"].unit = table["_DEJ2000"].unit = u.deg
    table["mag(V)"].unit = u.mag
    table["mag(V)"].description = "V magnitude"
    return table


def written(table: Table, path: Path, kind: str) -> None:
    with warnings.catch_warnings(action="ignore", category=AstropyWarning):
        table.write(path, format=kind, overwrite=True)


@pytest.mark.parametrize(("suffix", "kind"), [("vot", "votable"), ("fits", "fits"), ("csv", "ascii.csv")])
def test_a_table_is_published_as_its_file_describes_it(
    archive: Any, tmp_path: Path, suffix: str, kind: str
) -> None:
    path = tmp_path / f"stars.{suffix}"
    written(stars(), path, kind)
    found = publish(path, "catalogues.stars", lake=archive.lake, title="Stars", version="2")
    assert found.accepted == 3
    table = archive.lake.schemas().table("catalogues.stars")
    assert (table.title, table.version, table.key) == ("Stars", "2", ("row_id",))
    assert [column.name for column in table.columns] == ["row_id", "Star_Name", "RAJ2000", "DEJ2000", "mag_V"]
    assert table.position == ("RAJ2000", "DEJ2000")
    if suffix != "csv":
        assert table.column("mag_v").unit == "mag"
    row = archive.rows("catalogues.stars")[2]
    assert (row["row_id"], row["Star_Name"], row["RAJ2000"], row["mag_V"]) == (3, "s2", 350.0, 9.0)
    assert row["_healpix"] >= 0


def test_radians_become_degrees(archive: Any, objects: Path) -> None:
    publish(objects, "catalogues.o", lake=archive.lake, source_table="objects", columns=RADIANS)
    table = archive.lake.schemas().table("catalogues.o")
    assert (table.column("ra").unit, table.column("ra").ucd) == ("deg", "pos.eq.ra;meta.main")
    assert [row["ra"] for row in archive.rows("catalogues.o", "name", "ra")] == pytest.approx(
        [0.0, math.degrees(3.0), math.degrees(6.2)]
    )


def test_a_main_id_is_the_key_when_its_values_differ(archive: Any, objects: Path) -> None:
    notes = {**RADIANS, "name": {"ucd": "meta.id;meta.main"}}
    publish(objects, "catalogues.o", lake=archive.lake, source_table="objects", columns=notes)
    assert archive.lake.schemas().table("catalogues.o").key == ("name",)
    notes = {**RADIANS, "vmag": {"ucd": "meta.id;meta.main"}}
    publish(objects, "catalogues.o", lake=archive.lake, source_table="objects", columns=notes)
    assert archive.lake.schemas().table("catalogues.o").key == ("row_id",)


def test_publishing_again_replaces_the_table_at_once(archive: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.vot"
    written(stars(5), path, "votable")
    first = publish(path, "catalogues.s", lake=archive.lake)
    written(stars(2), path, "votable")
    second = publish(path, "catalogues.s", lake=archive.lake)
    assert (first.version, second.version) == (1, 2)
    assert len(archive.rows("catalogues.s")) == 2
    assert archive.lake.row_count("catalogues.s", version=1) == 5


def test_a_published_table_can_be_taken_back(archive: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.vot"
    written(stars(), path, "votable")
    publish(path, "catalogues.s", lake=archive.lake)
    unpublish("Catalogues.S", lake=archive.lake)
    assert "catalogues.s" not in archive.lake.schemas()
    with pytest.raises(IngestError, match="No catalogue"):
        unpublish("catalogues.s", lake=archive.lake)


def test_rows_with_impossible_positions_are_refused_by_number(archive: Any, tmp_path: Path) -> None:
    table = stars()
    table["_DEJ2000"][1] = 91.0
    written(table, tmp_path / "s.vot", "votable")
    found = publish(tmp_path / "s.vot", "catalogues.s", lake=archive.lake)
    assert (found.accepted, found.quarantined, found.reasons[0].where) == (2, 1, "row 2")
    assert [row["row_id"] for row in archive.rows("catalogues.s")] == [1, 3]


@pytest.mark.parametrize(
    "name",
    [
        "stars",
        "ivoa.stars",
        "TAP_SCHEMA.x",
        "a b.c",
        "catalogues.1x",
        "dbo.raw",
        "a.b.c",
        "a.Table",
        "union.x",
    ],
)
def test_names_that_are_not_free_are_refused(archive: Any, tmp_path: Path, name: str) -> None:
    written(stars(), tmp_path / "s.vot", "votable")
    with pytest.raises(IngestError) as caught:
        publish(tmp_path / "s.vot", name, lake=archive.lake)
    assert caught.value.code == "name"
    assert archive.lake.version() == 0


def test_which_of_several_tables_must_be_said(archive: Any, objects: Path) -> None:
    for name in (None, "absent"):
        with pytest.raises(IngestError, match="kinds, objects"):
            publish(objects, "catalogues.o", lake=archive.lake, source_table=name)


@given(st.lists(st.text(max_size=12) | st.sampled_from(sorted(RESERVED)), max_size=20))
def test_names_become_regular_and_stay_different(names: list[str]) -> None:
    found = regular_names(names)
    assert len(found) == len(names)
    assert all(REGULAR_IDENTIFIER.match(name) for name in found)
    assert len({name.lower() for name in found}) == len(found)
    assert not any(name.upper() in RESERVED or name.lower() == "row_id" for name in found)


def test_reserved_words_become_names_that_need_no_quotes() -> None:
    assert regular_names(["level", "Distance", "select", "é"]) == [
        "level_",
        "Distance_",
        "select_",
        "e",
    ]


def test_letters_of_latin_and_greek_are_spelled_in_ascii() -> None:
    names = ["été", "ete", "t", "Łódź", "Ørsted", "straße", "δ_J2000", "Δm", "µJy", "m²", "年", "ÉTÉ"]
    spelled = ["ete", "ete_2", "t", "Lodz", "Orsted", "strase", "delta_J2000", "Deltam", "muJy", "m2"]
    assert regular_names(names) == [*spelled, "column_", "ETE_3"]


def test_a_file_with_two_columns_of_one_name_is_refused(archive: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table([[1.0], [2.0]], names=["x", "x"]), tmp_path / "x.parquet")
    with pytest.raises(IngestError, match="the column x twice"):
        publish(tmp_path / "x.parquet", "catalogues.x", lake=archive.lake)


@pytest.mark.parametrize(("suffix", "kind"), [("vot", "votable"), ("fits", "fits"), ("parquet", "parquet")])
def test_a_table_without_rows_keeps_its_columns(archive: Any, tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"none.{suffix}"
    table = stars()
    table["flux"] = np.zeros((3, 2), np.float32)
    written(table, path, kind)
    assert publish(path, "catalogues.none", lake=archive.lake, version="1").accepted == 3
    full = archive.lake.schemas().table("catalogues.none")
    written(table[:0], path, kind)
    assert publish(path, "catalogues.none", lake=archive.lake, version="2").accepted == 0
    empty = archive.lake.schemas().table("catalogues.none")
    assert [(c.name, c.kind, c.array) for c in empty.columns] == [
        (c.name, c.kind, c.array) for c in full.columns
    ]
    assert (empty.version, archive.rows("catalogues.none")) == ("2", [])
    unpublish("catalogues.none", lake=archive.lake)
    assert "catalogues.none" not in archive.lake.schemas()


@pytest.mark.parametrize(("suffix", "kind"), [("vot", "votable"), ("fits", "fits")])
def test_complex_columns_become_two(archive: Any, tmp_path: Path, suffix: str, kind: str) -> None:
    table = Table({"z": np.array([1 + 2j, 3 - 4j]), "p": np.array([[1j, 2], [3, 4j]], np.complex64)})
    table["z"].unit = u.Jy
    written(table, tmp_path / f"z.{suffix}", kind)
    publish(tmp_path / f"z.{suffix}", "catalogues.z", lake=archive.lake)
    rows = archive.rows("catalogues.z", "z_real", "z_imag", "p_real", "p_imag")
    assert rows[0] == {"z_real": 1.0, "z_imag": 2.0, "p_real": [0.0, 2.0], "p_imag": [1.0, 0.0]}
    assert archive.lake.schemas().table("catalogues.z").column("z_imag").unit == "Jy"
