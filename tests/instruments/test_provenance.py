from collections.abc import Callable

from instruments import FileHeaders
from instruments.provenance import provenance_rows

Make = Callable[..., FileHeaders]


def test_sources_stand_in_the_order_of_the_recipes(make: Make) -> None:
    cards = {
        "ESO PRO REC2 RAW1 NAME": "PIXTABLE_OBJECT_0001-01.fits",
        "ESO PRO REC2 RAW1 CATG": "PIXTABLE_OBJECT",
        "ESO PRO REC1 CAL1 NAME": "MASTER_BIAS-01.fits",
        "ESO PRO REC1 CAL1 CATG": "MASTER_BIAS",
        "ESO PRO REC1 RAW10 NAME": "MUSE.2014-12-08T03:48:56.798.fits",
        "ESO PRO REC1 RAW2 NAME": "MUSE.2014-12-08T02:48:56.798.fits.fz",
        "ESO PRO REC1 RAW2 CATG": "OBJECT",
    }
    assert provenance_rows(make(cards)) == [
        {
            "seq": 1,
            "source": "MUSE.2014-12-08T02:48:56.798.fits.fz",
            "role": "raw",
            "source_dp_id": "MUSE.2014-12-08T02:48:56.798",
            "category": "OBJECT",
        },
        {
            "seq": 2,
            "source": "MUSE.2014-12-08T03:48:56.798.fits",
            "role": "raw",
            "source_dp_id": "MUSE.2014-12-08T03:48:56.798",
        },
        {"seq": 3, "source": "MASTER_BIAS-01.fits", "role": "calibration", "category": "MASTER_BIAS"},
        {
            "seq": 4,
            "source": "PIXTABLE_OBJECT_0001-01.fits",
            "role": "product",
            "category": "PIXTABLE_OBJECT",
        },
    ]


def test_a_source_counts_once_and_numbers_have_no_gaps(make: Make) -> None:
    cards = {f"ESO PRO REC{step} CAL1 NAME": "flat.fits" for step in (1, 2)}
    cards["ESO PRO REC3 CAL1 NAME"] = "bias.fits"
    assert [(row["seq"], row["source"]) for row in provenance_rows(make(cards))] == [
        (1, "flat.fits"),
        (2, "bias.fits"),
    ]


def test_phase_3_lists_sources_as_provenance(make: Make) -> None:
    cards = {"PROV2": "ADP.2016-06-02T10:12:13.123.fits", "PROV1": "FORS2.2016-06-01T10:12:13.123.fits"}
    roles = [(row["source_dp_id"], row["role"]) for row in provenance_rows(make(cards))]
    assert roles == [("FORS2.2016-06-01T10:12:13.123", "raw"), ("ADP.2016-06-02T10:12:13.123", "product")]


def test_a_header_without_sources_has_none(make: Make) -> None:
    assert provenance_rows(make({"PROVENAN": "here", "ESO PRO REC1 ID": "x"})) == []
