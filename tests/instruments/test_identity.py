from collections.abc import Callable

import pytest

from instruments import FileHeaders, MappingRefused
from instruments.identity import archive_name, dp_id, is_processed, is_raw_frame, observation_id, stem

Make = Callable[..., FileHeaders]
RAW = {"ARCFILE": "MUSE.2014-12-08T02:48:56.798.fits", "DATE-OBS": "2014-12-08T02:48:56.798"}
NAME = "MUSE.2014-12-08T02:48:56.798"


@pytest.mark.parametrize("text", [NAME, f"{NAME}.fits", f"{NAME}.fits.fz", f"{NAME}.fits.Z", f" {NAME} "])
def test_archive_names_are_known_by_their_form(text: str) -> None:
    assert archive_name(text) == NAME


@pytest.mark.parametrize(
    "text",
    [None, "", "DATACUBE_FINAL.fits", "MUSE.2014-12-08.fits", "r.UVES.2001-11-11T05:10:56.377_0000.fits"],
)
def test_other_names_are_not_archive_names(text: str | None) -> None:
    assert archive_name(text) is None


def test_a_raw_frame_is_its_arcfile(make: Make) -> None:
    assert dp_id(make(RAW)) == NAME
    assert is_raw_frame(make(RAW), NAME)


def test_a_frame_from_the_telescope_is_raw_before_it_has_an_arcfile(make: Make) -> None:
    taken = {"ESO DPR CATG": "SCIENCE", "DATE-OBS": "2014-12-08T02:48:56.798"}
    assert dp_id(make(taken)) is None
    assert is_raw_frame(make(taken), None)
    assert not is_raw_frame(make({**taken, "DATE-OBS": None}), None)
    assert not is_raw_frame(make({**taken, "ESO PRO CATG": "MASTER_BIAS"}), None)
    assert not is_raw_frame(make({"DATE-OBS": taken["DATE-OBS"]}), None)


@pytest.mark.parametrize(
    "sign",
    [
        {"ESO PRO CATG": "DATACUBE_FINAL"},
        {"PRODCATG": "SCIENCE.CUBE.IFS"},
        {"PIPEFILE": "DATACUBE_FINAL.fits"},
        {"ESO PRO REC1 ID": "muse_scipost"},
        {"ORIGIN": "ESO-MIDAS"},
        {"ORIGIN": "NOAO-IRAF FITS Image Kernel July 2003"},
        {"IRAF-TLM": "04:27:54 (04/07/2005)"},
        {"SIMPLE": (True, "Written by IDL:  Fri Sep 14 10:37:42 2001")},
        {"BITPIX": 8},
        {"FLATCOR": "Sep 14 flat"},
        {"IMCMB001": "a.fits"},
    ],
)
def test_a_product_never_takes_its_raw_frames_id(sign: dict[str, object], make: Make) -> None:
    product = make({**RAW, **sign}, name="MUSE.2014-12-08T02:48:56.798.fits")
    assert is_processed(product)
    if "PRODCATG" not in sign:
        assert dp_id(product) is None
    assert dp_id(make({**RAW, **sign}, name="cube.fits")) is None
    assert observation_id(product, None) == NAME


@pytest.mark.parametrize("suffix", [".fits", ".fits.fz", ".fits.gz", ".fits.Z"])
def test_a_phase_3_product_is_its_arcfile_when_that_is_its_own_name(suffix: str, make: Make) -> None:
    cards = {"ARCFILE": "ADP.2016-06-02T10:12:13.123.fits", "PRODCATG": "SCIENCE.SPECTRUM"}
    assert dp_id(make(cards, name="ADP.2016-06-02T10:12:13.123" + suffix)) == "ADP.2016-06-02T10:12:13.123"
    assert dp_id(make(cards, name="ADP.2016-06-02T10_12_13.123" + suffix)) == "ADP.2016-06-02T10:12:13.123"
    assert dp_id(make(cards, name="spectrum" + suffix)) is None


def test_a_file_without_archive_name_gets_a_minted_id(make: Make) -> None:
    assert dp_id(make({})) is None
    assert dp_id(make({"ARCFILE": "somewhere.fits"})) is None


@pytest.mark.parametrize("key", ["DATE-OBS", "MJD-OBS"])
def test_a_raw_frame_whose_name_and_date_disagree_is_refused(key: str, make: Make) -> None:
    value = {"DATE-OBS": "2019-12-08T02:48:56", "MJD-OBS": 58825.1}[key]
    with pytest.raises(MappingRefused, match=f"ARCFILE {NAME} and {key}.* days apart") as refused:
        dp_id(make({"ARCFILE": NAME, key: value}))
    assert refused.value.code == "identity"


def test_products_share_the_observation_of_their_raw_frame(make: Make) -> None:
    by_pipefile = make({"PIPEFILE": "r.UVES.2001-11-11T05:10:56.377_0000.fits"})
    by_source = make({"ESO PRO REC1 RAW1 NAME": f"{NAME}.fits.fz"})
    assert observation_id(by_pipefile, None) == "UVES.2001-11-11T05:10:56.377"
    assert observation_id(by_source, None) == NAME


def test_a_file_that_names_no_observation_is_one_of_its_own(make: Make) -> None:
    here, there = make({}, path="a/image.fits"), make({}, path="b/image.fits")
    assert observation_id(here, None) == "a/image"
    assert observation_id(here, None) != observation_id(there, None)
    assert observation_id(make({}, path="Šumava/bild.fits"), None).isascii()


@pytest.mark.parametrize("name", ["x.fits", "x.fit.gz", "x.FITS.Z", "x.tfits", "x.mt", "x", "x.fits.fz"])
def test_suffixes_of_fits_and_compression_are_no_part_of_a_name(name: str) -> None:
    assert stem(name) == "x"
