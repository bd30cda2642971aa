from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from indexer import IngestError, Summary, load, tables

DID = "ivo://other.example/ID?"


def rows(count: int, **more: object) -> pa.Table:
    """Return ObsCore rows, one per degree of right ascension."""
    ra = [float(number) for number in range(count)]
    columns: dict[str, Any] = {
        "obs_publisher_did": [f"{DID}A.{number}" for number in range(count)],
        "calib_level": [2] * count,
        "obs_collection": ["X"] * count,
        "obs_id": [f"o{number}" for number in range(count)],
        "s_ra": ra,
        "s_dec": [10.0] * count,
        "s_region": [f"CIRCLE ICRS {value} 10 0.1" for value in ra],
        "t_min": [51544.5] * count,
        **more,
    }
    return pa.table({name: values for name, values in columns.items() if values is not None})


def loaded(archive: Any, path: Path, table: str = "IVOA.obscore") -> Summary:
    return load(path, table, lake=archive.lake, quarantine=archive.quarantine, workers=0)


def parquet(folder: Path, table: pa.Table, name: str = "x.parquet") -> Path:
    pq.write_table(table, folder / name)
    return folder / name


def csv(folder: Path, text: str) -> Path:
    path = folder / "x.csv"
    path.write_text(text)
    return path


def test_rows_are_accepted_with_ids_from_their_dids(archive: Any, tmp_path: Path) -> None:
    found = loaded(archive, parquet(tmp_path, rows(5)))
    assert found.line() == "accepted 5, unchanged 0, replaced 0, quarantined 0"
    assert archive.ids() == [f"A.{number}" for number in range(5)]
    row = archive.rows("ivoa.obscore")[0]
    assert row["obs_publisher_did"] == f"{DID}A.0"
    assert row["_border"]
    assert row["_healpix"] >= 0


def test_a_did_without_a_question_mark_is_the_id_itself(archive: Any, tmp_path: Path) -> None:
    loaded(archive, parquet(tmp_path, rows(1, obs_publisher_did=["ivo://x/y"])))
    assert archive.ids() == ["ivo://x/y"]


def test_equal_rows_are_unchanged_and_others_replaced(archive: Any, tmp_path: Path) -> None:
    loaded(archive, parquet(tmp_path, rows(5)))
    assert (
        loaded(archive, parquet(tmp_path, rows(5))).line().startswith("accepted 0, unchanged 5, replaced 0")
    )
    again = loaded(archive, parquet(tmp_path, rows(6, obs_id=["o0", "new", "o2", "o3", None, "o5"])))
    assert again.line() == "accepted 1, unchanged 3, replaced 1, quarantined 1"
    assert [row["obs_id"] for row in archive.rows("ivoa.obscore", "dp_id", "obs_id")] == [
        "o0", "new", "o2", "o3", "o4", "o5",
    ]  # fmt: skip


def test_of_rows_with_one_id_each_replaces_the_one_before(archive: Any, tmp_path: Path) -> None:
    dids = [f"{DID}A", f"{DID}A", f"{DID}B", f"{DID}A"]
    table = rows(4, obs_publisher_did=dids, s_ra=[1.0, 2.0, 3.0, 2.0], obs_id=["o"] * 4, s_region=None)
    assert (
        loaded(archive, parquet(tmp_path, table)).line()
        == "accepted 2, unchanged 1, replaced 1, quarantined 0"
    )
    assert [row["s_ra"] for row in archive.rows("ivoa.obscore", "dp_id", "s_ra")] == [2.0, 3.0]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_key_twice_in_a_file_is_unchanged_the_second_time(
    archive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Whether its rows come in one batch or in several."""
    monkeypatch.setattr(tables, "BATCH_ROWS", size)
    dids = [f"{DID}{name}" for name in "ABAAB"]
    table = rows(5, obs_publisher_did=dids, obs_id=["1", "2", "3", "4", "2"])
    table = table.set_column(table.column_names.index("s_region"), "s_region", pa.nulls(5, pa.string()))
    table = table.set_column(table.column_names.index("s_ra"), "s_ra", pa.array([1.0] * 5))
    path = parquet(tmp_path, table)
    assert loaded(archive, path).line() == "accepted 2, unchanged 1, replaced 2, quarantined 0"
    version = archive.lake.version()
    assert loaded(archive, path).line() == "accepted 0, unchanged 5, replaced 0, quarantined 0"
    assert archive.lake.version() == version
    assert [row["obs_id"] for row in archive.rows("ivoa.obscore", "dp_id", "obs_id")] == ["4", "2"]


def test_an_id_of_another_did_is_refused_naming_both(archive: Any, tmp_path: Path) -> None:
    loaded(archive, parquet(tmp_path, rows(1)))
    found = loaded(archive, parquet(tmp_path, rows(1, obs_publisher_did=["ivo://third.example/x?A.0"])))
    assert found.quarantined == 1
    assert f"{DID}A.0" in found.reasons[0].message
    assert "ivo://third.example/x?A.0" in found.reasons[0].message


def test_an_id_of_a_file_is_refused(archive: Any, night: Path, tmp_path: Path, made: Any) -> None:
    (night / "a.fits").write_bytes(made.image())
    archive.ingest(night)
    (dp_id,) = archive.ids()
    found = loaded(archive, parquet(tmp_path, rows(1, obs_publisher_did=[f"{DID}{dp_id}"])))
    assert (found.quarantined, found.reasons[0].code) == (1, "id-taken")


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("calib_level", None, "missing"),
        ("calib_level", 9, "out-of-range"),
        ("s_ra", 400.0, "out-of-range"),
        ("s_dec", -91.0, "out-of-range"),
        ("s_dec", None, "half-position"),
        ("s_region", "CIRCLE ICRS 1 2", "bad-region"),
        ("s_region", "POLYGON ICRS 0 0 10 10 10 0 0 10", "bad-region"),
        ("dataproduct_type", "picture", "not-allowed"),
        ("t_max", 1.0, "wrong-order"),
        ("t_exptime", -1.0, "out-of-range"),
        ("obs_title", "x" * 40_000, "too-long"),
        ("obs_release_date", "yesterday", "type"),
        ("s_xel1", "many", "type"),
        ("s_xel1", 1.5, "type"),
        ("n_obs", 2**40, "type"),
    ],
)
def test_a_wrong_value_refuses_its_row_alone(
    archive: Any, tmp_path: Path, column: str, value: object, code: str
) -> None:
    good = rows(3)
    right = good[column].to_pylist() if column in good.column_names else [None] * 3
    found = loaded(archive, parquet(tmp_path, rows(3, **{column: [right[0], value, right[2]]})))
    assert found.line() == "accepted 2, unchanged 0, replaced 0, quarantined 1"
    (reason,) = found.reasons
    assert (reason.where, reason.code) == ("row 2", code)
    assert reason.message.startswith("Row 2: ")
    assert archive.refused() == {"x.parquet row 2": code}
    assert loaded(archive, parquet(tmp_path, good)).accepted == 1
    assert archive.refused() == {}


def test_a_number_that_no_double_is_comes_in_as_it_is(archive: Any, tmp_path: Path) -> None:
    assert loaded(archive, parquet(tmp_path, rows(1, access_estsize=[2**53 + 1]))).accepted == 1
    assert archive.rows("ivoa.obscore", "access_estsize") == [{"access_estsize": 2**53 + 1}]


def test_nan_is_null(archive: Any, tmp_path: Path) -> None:
    loaded(archive, parquet(tmp_path, rows(1, em_min=[float("nan")], s_fov=[float("inf")])))
    (row,) = archive.rows("ivoa.obscore", "em_min", "s_fov")
    assert row == {"em_min": None, "s_fov": None}


def test_types_are_converted_as_declared(archive: Any, tmp_path: Path) -> None:
    table = rows(
        2,
        CALIB_LEVEL=pa.array([1.0, 2.0]),
        calib_level=None,
        t_xel=pa.array(["7", ""]),
        obs_release_date=["2020-01-02T03:04:05Z", "2020-01-02"],
        s_ra=pa.array(["1.5", "2.5"]),
        target_name=pa.array(["a", "b"]).dictionary_encode(),
    )
    assert loaded(archive, parquet(tmp_path, table)).accepted == 2
    first, second = archive.rows("ivoa.obscore")
    assert (first["calib_level"], first["t_xel"], second["t_xel"], first["s_ra"]) == (1, 7, None, 1.5)
    assert first["obs_release_date"] == datetime(2020, 1, 2, 3, 4, 5)  # noqa: DTZ001 - naive UTC
    assert second["obs_release_date"] == datetime(2020, 1, 2)  # noqa: DTZ001
    assert first["target_name"] == "a"


def test_a_row_that_gives_no_address_shows_none_of_ours(archive: Any, tmp_path: Path) -> None:
    loaded(archive, parquet(tmp_path, rows(1)))
    assert archive.rows("ivoa.obscore", "access_url") == [{"access_url": ""}]
    path = parquet(tmp_path, rows(2, access_url=["http://a/b", None]))
    assert loaded(archive, path).line() == "accepted 1, unchanged 0, replaced 1, quarantined 0"
    assert archive.rows("ivoa.obscore", "access_url") == [{"access_url": ""}, {"access_url": "http://a/b"}]


def test_moments_with_a_zone_become_utc(archive: Any, tmp_path: Path) -> None:
    texts = ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00+02:00", "2020-01-01T00:00:00.5-0130", "2020-01-01"]
    assert loaded(archive, parquet(tmp_path, rows(4, obs_release_date=texts))).accepted == 4
    found = [row["obs_release_date"] for row in archive.rows("ivoa.obscore")]
    assert [when.isoformat() for when in found] == [
        "2020-01-01T00:00:00", "2019-12-31T22:00:00", "2020-01-01T01:30:00.500000", "2020-01-01T00:00:00",
    ]  # fmt: skip
    zoned = pa.array([0, 1, 2, 3], pa.timestamp("ms", "Europe/Paris"))
    assert loaded(archive, parquet(tmp_path, rows(4, obs_release_date=zoned))).replaced == 4
    assert archive.rows("ivoa.obscore")[3]["obs_release_date"].isoformat() == "1970-01-01T00:00:00.003000"


def test_unknown_columns_are_named(archive: Any, tmp_path: Path) -> None:
    found = loaded(archive, parquet(tmp_path, rows(1, flavour=["sweet"])))
    assert "flavour" in found.notes[0]


def test_a_file_that_does_not_fit_at_all_is_refused(archive: Any, tmp_path: Path) -> None:
    for table, text in [
        (rows(1, obs_id=None), "lacks what ivoa.ObsCore requires: obs_id"),
        (rows(1, OBS_ID=["twice"]), "twice"),
    ]:
        with pytest.raises(IngestError, match=text):
            loaded(archive, parquet(tmp_path, table))
    for name in ("ivoa.nothing", "TAP_SCHEMA.tables", "archive.files"):
        with pytest.raises(IngestError) as caught:
            loaded(archive, parquet(tmp_path, rows(1)), name)
        assert caught.value.code == "table"
    for name, content in [
        ("x.csv", b""),
        ("x.bin", b"\0\1"),
        ("x.parquet", b"PAR1broken"),
        ("x.vot", b"<VOTABLE"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(IngestError):
            loaded(archive, tmp_path / name)


def test_csv_with_lines_that_are_no_rows(archive: Any, tmp_path: Path) -> None:
    head = "obs_publisher_did,calib_level,obs_collection,obs_id,s_ra,s_dec,obs_title\n"
    text = f'{head}ivo://a/b?1,2,X,o1,1.5,2.5,"a, b"\nshort,1\nivo://a/b?2,2,X,o2,,,\n'
    found = loaded(archive, csv(tmp_path, text))
    assert found.line() == "accepted 2, unchanged 0, replaced 0, quarantined 1"
    first, second = archive.rows("ivoa.obscore")
    assert (first["s_ra"], first["obs_title"], second["s_ra"], second["obs_title"]) == (
        1.5,
        "a, b",
        None,
        None,
    )


def test_rows_are_counted_with_the_lines_that_are_no_rows(archive: Any, tmp_path: Path) -> None:
    head = "obs_publisher_did,obs_collection,obs_id,calib_level,s_ra,s_dec"
    lines = [
        "ivo://a/b?1,c,o,2,1,2",
        "no row",
        "ivo://a/b?3,c,o,2,x,2",
        "nor this",
        "ivo://a/b?5,c,o,two,1,2",
    ]
    found = loaded(archive, csv(tmp_path, "\n".join([head, *lines, ""])))
    assert found.line() == "accepted 1, unchanged 0, replaced 0, quarantined 4"
    assert sorted(reason.where for reason in found.reasons) == ["row 2", "row 3", "row 4", "row 5"]
    assert len(archive.quarantine.list(collection="ivoa.ObsCore")) == 4


def test_rows_of_files_of_one_name_in_two_folders_are_listed_each(archive: Any, tmp_path: Path) -> None:
    bad, good = (
        f"obs_publisher_did,obs_collection,obs_id,calib_level\nivo://a/b?1,c,o,{n}\n" for n in ("x", 2)
    )
    paths = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        paths.append(csv(tmp_path / name, bad))
        loaded(archive, paths[-1])
    assert len(archive.quarantine.list()) == 2
    paths[0].write_text(good)
    loaded(archive, paths[0])
    assert [entry.root for entry in archive.quarantine.list()] == [str(tmp_path / "two")]


def test_rows_without_a_did_or_id_are_refused_alone(archive: Any, tmp_path: Path) -> None:
    found = loaded(archive, parquet(tmp_path, rows(3, obs_publisher_did=[f"{DID}A", None, ""])))
    assert found.line() == "accepted 1, unchanged 0, replaced 0, quarantined 2"
    assert {reason.code for reason in found.reasons} == {"missing"}


def test_text_that_is_no_utf8_is_told(archive: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(
        "obs_publisher_did,obs_collection,obs_id,calib_level\nivo://a/b?1,caf\xe9,o,2\n".encode("latin-1")
    )
    with pytest.raises(IngestError, match=r"x\.csv cannot be read as a table: .*UTF8"):
        loaded(archive, path)


@pytest.mark.parametrize(("name", "kind"), [("x.vot", "votable"), ("x.fits", "fits")])
def test_votable_and_fits_units_are_converted_or_refused(
    archive: Any, tmp_path: Path, name: str, kind: str
) -> None:
    table = Table(
        {
            "obs_publisher_did": [f"{DID}1", f"{DID}2"],
            "calib_level": np.array([1, 2], np.int16),
            "obs_collection": ["X", "Y"],
            "obs_id": ["a", "b"],
            "s_ra": [1.0, 2.0],
            "s_dec": [3.0, np.nan],
            "em_min": [500.0, 600.0],
        }
    )
    table["s_dec"] = [3.0, 4.0]
    table["em_min"].unit = "nm"
    table.write(tmp_path / name, format=kind)
    assert loaded(archive, tmp_path / name).accepted == 2
    assert [row["em_min"] for row in archive.rows("ivoa.obscore", "dp_id", "em_min")] == pytest.approx(
        [5e-7, 6e-7]
    )
    table["em_min"].unit = "s"
    table.write(tmp_path / name, format=kind, overwrite=True)
    with pytest.raises(IngestError, match="em_min"):
        loaded(archive, tmp_path / name)


@pytest.mark.slow
def test_worker_processes_load_the_same_rows(archive: Any, tmp_path: Path) -> None:
    count = 250_000
    table = rows(count, s_ra=[n % 360.0 for n in range(count)], s_region=[None] * count)
    path = parquet(tmp_path, table)
    found = load(path, "ivoa.obscore", lake=archive.lake, workers=2)
    assert (found.accepted, found.version) == (count, 3)
    assert archive.lake.row_count("ivoa.obscore") == count
