from collections.abc import Callable
from typing import Any

import pytest

from instruments import FileHeaders
from instruments.identity import dp_id, is_raw_frame

Make = Callable[..., FileHeaders]
NAME = "FORS2.2014-12-08T02:48:56.798"
RAW: dict[str, Any] = {
    "ORIGIN": "ESO-PARANAL",
    "DATE": "2014-12-08T02:50:01.0",
    "DATE-OBS": "2014-12-08T02:48:56.798",
    "ARCFILE": f"{NAME}.fits",
    "ORIGFILE": "FORS_IMG342.12.fits",
    "ESO DPR CATG": "SCIENCE",
    "ESO DET OUT1 CONAD": 1.4,
    "ESO DET WIN1 NX": 100,
    "ESO DET WIN1 NY": 50,
}
INFRARED: dict[str, Any] = {
    **{key: value for key, value in RAW.items() if "CONAD" not in key},
    "BITPIX": -32,
    "ESO DET DIT": 4.0,
    "ESO DET NDIT": 25,
}


@pytest.mark.parametrize(
    "name",
    [
        f"{NAME}.fits",
        f"{NAME}.fits.fz",
        f"{NAME}.fits.Z",
        "FORS2.2014-12-08T02_48_56.798.fits",
        "FORS2.2014-12-08T02%3A48%3A56.798.fits.gz",
        f"{NAME} (1).fits",
        "FORS_IMG342.12.fits",
        "FORS_IMG342.12.fits.Z",
        "raw.fits",
        "badfitskeys.mt",
        "a.fits",
        "night3/bias_0001.fits",
    ],
)
def test_a_raw_frame_keeps_its_id_under_any_name_that_says_nothing_else(name: str, make: Make) -> None:
    frame = make(RAW, name=name.rpartition("/")[2], path=name)
    assert dp_id(frame) == NAME
    assert is_raw_frame(frame, NAME)


@pytest.mark.parametrize("name", [f"{NAME}.fits", "FORS_IMG342.12.fits"])
def test_an_infrared_frame_of_averaged_numbers_is_raw_under_its_own_name(name: str, make: Make) -> None:
    assert dp_id(make(INFRARED, name=name)) == NAME


@pytest.mark.parametrize(
    "cards",
    [
        {"BITPIX": -32},
        {"BSCALE": 0.01},
        {"BITPIX": -64},
        {"NAXIS1": 93},
        {"NAXIS2": 1},
        {"NAXIS": 1, "NAXIS2": None},
        {"BUNIT": "erg/s/cm2/Angstrom"},
        {"BUNIT": "electron"},
        {"CTYPE1": "WAVE"},
        {"CTYPE1": "AWAV-LOG"},
        {"EXTNAME": "ERR"},
        {"ORIGIN": "CASU"},
        {"PROCSOFT": "esorex"},
        {"ESO QC BIAS": 200.0},
        {"ASSON1": "weight.fits"},
        {"PROV1": f"{NAME}.fits"},
    ],
)
@pytest.mark.parametrize("name", [f"{NAME}.fits", "raw.fits"])
def test_what_no_ccd_delivers_is_not_its_raw_frame(cards: dict[str, Any], name: str, make: Make) -> None:
    product = make({**RAW, **cards}, name=name)
    assert dp_id(product) is None
    assert not is_raw_frame(product, None)


@pytest.mark.parametrize(
    "card",
    [
        "HISTORY bias subtracted",
        "HISTORY IMARITH a - b",
        "HISTORY divided by flat.fits",
        "COMMENT Dark subtracted",
    ],
)
@pytest.mark.parametrize("name", [f"{NAME}.fits", "raw.fits"])
def test_a_history_of_reduction_costs_the_raw_frames_id(card: str, name: str, make: Make) -> None:
    cards = [*make(RAW).primary.cards, card.ljust(80)]
    assert dp_id(make(cards, name=name)) is None


def test_a_history_of_header_edits_costs_nothing(make: Make) -> None:
    cards = [*make(RAW).primary.cards, "HISTORY SETHEAD 3.0.3 2014-12-08T08:18 ARCFILE updated".ljust(80)]
    assert dp_id(make(cards, name="a.fits")) == NAME


def test_an_unknown_history_costs_it_under_another_name_only(make: Make) -> None:
    cards = [*make(RAW).primary.cards, "HISTORY something happened".ljust(80)]
    assert dp_id(make(cards, name="a.fits")) is None
    assert dp_id(make(cards, name=f"{NAME}.fits")) == NAME


@pytest.mark.parametrize(
    "name",
    [
        "reduced.fits",
        f"{NAME}_bsub.fits",
        f"r.{NAME}.fits",
        "FORS_IMG342.12_clean.fits",
        "master_bias.fits",
        "stacked.fits",
        "img_proc.fits",
        "reduced/a.fits",
        f"products/{NAME}.fits",
    ],
)
def test_names_of_results_cost_the_raw_frames_id(name: str, make: Make) -> None:
    assert dp_id(make(RAW, name=name.rpartition("/")[2], path=name)) is None


@pytest.mark.parametrize(
    "cards",
    [{}, {"DATE": "2015-03-01T00:00:00"}, {"ORIGFILE": None}],
)
def test_infrared_numbers_under_another_name_may_be_anything(cards: dict[str, Any], make: Make) -> None:
    headers = make({**INFRARED, **cards}, name="a.fits")
    assert dp_id(headers) is None
    assert headers.all_warnings() == (
        f"it is not taken for the raw frame {NAME}: its pixels are no whole numbers, and it has another name",
    )


def test_a_frame_written_anew_long_after_its_exposure_needs_its_own_name(make: Make) -> None:
    late = {**RAW, "DATE": "2015-03-01T00:00:00"}
    assert dp_id(make(late, name=f"{NAME}.fits")) == NAME
    assert dp_id(make(late, name="a.fits")) is None


def test_a_table_with_a_raw_frames_header_is_not_the_frame(make: Make) -> None:
    primary = {**RAW, "NAXIS": 0, "NAXIS1": None, "NAXIS2": None}
    table = {"XTENSION": "BINTABLE", "BITPIX": 8, "PCOUNT": 0, "GCOUNT": 1, "TFIELDS": 0}
    assert dp_id(make(primary, table, name="sources.fits")) is None
    assert dp_id(make(primary, table, name=f"{NAME}.fits")) == NAME


STATED = {"DATASUM": ("123456", "data unit checksum updated 2014-12-08T02:49:00")}


def test_data_that_datasum_was_not_computed_for_are_not_the_raw_frames(make: Make) -> None:
    for name in (f"{NAME}.fits", "a.fits"):
        assert dp_id(make({**RAW, **STATED}, name=name, data_sums=[123457])) is None
        assert dp_id(make({**RAW, **STATED}, name=name, data_sums=[123456])) == NAME


def test_the_observatorys_datasum_proves_a_frame_under_any_name(make: Make) -> None:
    frame = {**INFRARED, **STATED}
    assert dp_id(make(frame, name="reduced.fits", data_sums=[123456])) == NAME
    assert dp_id(make(frame, name="a.fits")) is None


def test_a_datasum_computed_long_after_the_exposure_proves_nothing(make: Make) -> None:
    later = {"DATASUM": ("123456", "data unit checksum updated 2026-12-08T02:49:00")}
    assert dp_id(make({**INFRARED, **later}, name="a.fits", data_sums=[123456])) is None


def test_a_datasum_computed_long_after_the_file_was_written_is_not_the_observatorys(make: Make) -> None:
    comment = "data unit checksum updated 2026-12-08T02:49:00"
    again = {**RAW, "DATASUM": ("123456", comment)}
    assert dp_id(make(again, name=f"{NAME}.fits", data_sums=[123456])) is None
    headed_again = {**again, "DATE": "2026-12-08T02:48:59"}
    assert dp_id(make(headed_again, name=f"{NAME}.fits", data_sums=[123456])) == NAME


def test_an_image_added_to_a_frame_makes_it_another(make: Make) -> None:
    added = {"BITPIX": -32, "EXTNAME": "BPM"}
    assert dp_id(make({**INFRARED, **STATED}, added, name=f"{NAME}.fits", data_sums=[123456, None])) is None
    both = {**added, **STATED}
    assert dp_id(make({**INFRARED, **STATED}, both, name=f"{NAME}.fits", data_sums=[123456, 123456])) == NAME


def test_whole_parts_of_the_window_are_binned_frames_or_chips(make: Make) -> None:
    assert dp_id(make({**RAW, "ESO DET WIN1 NX": 200, "ESO DET WIN1 NY": 100})) == NAME
    assert dp_id(make({**RAW, "ESO DET WIN1 NX": 90})) == NAME


def test_a_product_named_by_its_raw_frame_does_not_take_its_id(make: Make) -> None:
    product = {**RAW, "PRODCATG": "SCIENCE.IMAGE"}
    assert dp_id(make(product, name=f"{NAME}.fits")) is None
    archived = {**product, "ARCFILE": "ADP.2015-06-02T10:12:13.123.fits"}
    assert dp_id(make(archived, name="ADP.2015-06-02T10:12:13.123.fits")) == "ADP.2015-06-02T10:12:13.123"


def test_an_archived_product_without_product_keywords_is_no_raw_frame(make: Make) -> None:
    cards = {**RAW, "ARCFILE": "ADP.2015-06-02T10:12:13.123.fits"}
    named = make(cards, name="ADP.2015-06-02T10:12:13.123.fits")
    assert dp_id(named) == "ADP.2015-06-02T10:12:13.123"
    assert not is_raw_frame(named, dp_id(named))
    assert dp_id(make(cards, name="a.fits")) is None
