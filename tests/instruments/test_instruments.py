"""Each package against cards that its instrument really wrote."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from instruments import Mapped

MapReal = Callable[[str], Mapped]


def observation(mapped: Mapped) -> dict[str, Any]:
    (row,) = mapped.rows["ivoa.ObsCore"]
    return dict(row)


def raw_frame(mapped: Mapped) -> dict[str, Any]:
    (row,) = mapped.rows["dbo.raw"]
    return dict(row)


def test_muse_cube(map_real: MapReal) -> None:
    mapped = map_real("muse_cube")
    row = observation(mapped)
    assert (mapped.package, mapped.dp_id, mapped.category) == ("muse=1.0", None, "DATACUBE_FINAL")
    assert row["s_ra"] == pytest.approx(63.3558, abs=0.001)
    assert row["s_dec"] == pytest.approx(10.4663, abs=0.001)
    assert row["s_pixel_scale"] == pytest.approx(0.2, abs=1e-6)
    assert (row["s_xel1"], row["s_xel2"], row["em_xel"], row["t_xel"]) == (40, 40, 3681, -1)
    assert row["em_min"] == pytest.approx(474.93e-9, abs=1e-11)
    assert row["em_max"] == pytest.approx(935.05e-9, abs=1e-11)
    assert (row["dataproduct_type"], row["calib_level"]) == ("cube", 2)
    assert (row["target_name"], row["proposal_id"]) == ("Abell 478", "094.A-0859(A)")
    assert (row["facility_name"], row["instrument_name"]) == ("ESO-VLT-U4", "MUSE")
    assert (row["t_min"], row["t_exptime"]) == (56999.11732405, 900.0)
    assert row["t_max"] == pytest.approx(row["t_min"] + 900 / 86400)
    assert row["obs_id"] == "MUSE.2014-12-08T02:48:56.798"
    assert row["o_ucd"] == "phot.flux.density;em.wl"
    assert "dbo.raw" not in mapped.rows
    assert mapped.rows["phase3v2.provenance"][0]["source_dp_id"] == "MUSE.2014-12-08T02:48:56.798"


def test_isaac_raw_frame(map_real: MapReal) -> None:
    mapped = map_real("isaac")
    row, raw = observation(mapped), raw_frame(mapped)
    assert (mapped.package, mapped.dp_id) == ("isaac=1.0", "ISAAC.2006-04-13T06:32:38.944")
    assert (row["dataproduct_type"], row["calib_level"], row["obs_id"]) == ("image", 1, mapped.dp_id)
    assert row["s_region"].startswith("POLYGON ICRS 265.18")
    assert row["s_pixel_scale"] == pytest.approx(0.1484, abs=1e-4)
    assert row["t_exptime"] == 100.0
    assert row["t_max"] == pytest.approx(53838.2744304, abs=1e-7)
    assert (row["filter"], row["target_name"]) == ("NB_2.25", "PSR-J1740-3052")
    assert "em_min" not in row
    assert raw["ra_pnt"] == 265.20907
    assert raw["exp_start"] == datetime(2006, 4, 13, 6, 32, 38, 944100)  # noqa: DTZ001 - rows hold naive UTC
    assert (raw["exposure"], raw["det_dit"], raw["det_ndit"]) == (4.0, 4.0, 25)
    assert (raw["dp_cat"], raw["dp_type"], raw["dp_tech"]) == ("SCIENCE", "OBJECT", "IMAGE,JITTER")
    assert (raw["prog_id"], raw["prog_type"], raw["period"]) == ("077.D-0683(B)", 0, 77)
    assert (raw["ob_id"], raw["ob_name"], raw["tpl_seqno"]) == (223481, "PSR_J1740_JK", 3)
    assert (raw["tpl_id"], raw["tpl_nexp"], raw["tpl_expno"]) == ("ISAACSW_img_obs_AutoJitter", 8, 1)
    assert (raw["tel_airm_start"], raw["tel_alt"], raw["tel_az"]) == (1.186, 57.477, 289.334)
    assert (raw["filter_path"], raw["grat_path"], raw["ins_mode"]) == ("NB_2.25", "MR", "SWI1")
    assert (raw["origfile"], mapped.origfile) == ("ISAAC_SWI_SCI_0014.fits",) * 2
    assert "pi_coi" not in raw


def test_visir_raw_frame(map_real: MapReal) -> None:
    mapped = map_real("visir")
    row = observation(mapped)
    assert mapped.dp_id == "VISIR.2004-09-30T03:17:49.095"
    assert row["s_region"] == "POSITION ICRS 349.60397 -42.37058"
    assert row["t_exptime"] == pytest.approx(31.52)
    assert (row["t_max"] - row["t_min"]) * 86400 == pytest.approx(33.0, abs=0.1)
    assert row["target_name"] == "NGC-7582"
    raw = raw_frame(mapped)
    assert (raw["exposure"], raw["object"], raw["target"]) == (0.01, "OBJECT", "NGC-7582")
    assert "period" not in raw


def test_fors_spectrum_that_iraf_and_midas_made(map_real: MapReal) -> None:
    mapped = map_real("fors_spectrum")
    row = observation(mapped)
    assert (mapped.package, mapped.dp_id) == ("fors=1.0", None)
    assert (row["dataproduct_type"], row["em_xel"]) == ("spectrum", 2046)
    assert row["em_min"] == pytest.approx(363.434e-9, abs=1e-11)
    assert row["obs_id"] == "FORS.1999-05-13T00:10:47.309"
    assert row["target_name"] == "SN-1979Coff"
    assert "dbo.raw" not in mapped.rows


def test_fors_table(map_real: MapReal) -> None:
    mapped = map_real("fors_table")
    row = observation(mapped)
    assert "dataproduct_type" not in row
    assert (row["calib_level"], row["target_name"]) == (2, "PG0231+051")
    assert {source["role"] for source in mapped.rows["phase3v2.provenance"]} == {"raw", "calibration"}


def test_uves_spectrum(map_real: MapReal) -> None:
    row = observation(map_real("uves_spectrum"))
    assert (row["dataproduct_type"], row["calib_level"], row["em_xel"]) == ("spectrum", 2, 93260)
    assert row["em_min"] == pytest.approx(328.108e-9, abs=1e-11)
    assert (row["target_name"], row["s_ra"], row["s_dec"]) == ("SMC-X-1", 19.270941, -73.4436)
    assert row["obs_id"] == "UVES.2001-11-11T05:10:56.377"


def test_a_mask_with_the_header_of_its_flat_field_is_not_that_frame(map_real: MapReal) -> None:
    for name in ("uves_mask", "giraffe_mask"):
        mapped = map_real(name)
        assert mapped.dp_id is None
        assert "dbo.raw" not in mapped.rows
        assert "target_name" not in observation(mapped)
    assert observation(map_real("uves_mask"))["obs_id"] == "UVES.2000-04-17T22:56:48.841"


def test_emmi_image_that_midas_averaged(map_real: MapReal) -> None:
    mapped = map_real("emmi_reduced")
    row = observation(mapped)
    assert (mapped.package, mapped.dp_id) == ("emmi=1.0", None)
    assert (row["target_name"], row["filter"]) == ("9PTempel", "CN#835")
    assert row["instrument_name"] == "EMMI"
    assert not {"o_unit", "dataproduct_type"} & row.keys()


def test_vimos_with_an_absurd_wcs(map_real: MapReal) -> None:
    mapped = map_real("vimos")
    row = observation(mapped)
    assert (mapped.package, row["facility_name"], row["filter"]) == ("vimos=1.0", "ESO-VLT", "V")
    assert row["s_region"] == "POSITION ICRS 0.002555 0.0011"
    assert any(warning.startswith("WCS: ") for warning in mapped.warnings)


def test_hst_acs(map_real: MapReal) -> None:
    mapped = map_real("hst_acs")
    row = observation(mapped)
    assert (mapped.package, mapped.dp_id) == ("hst_acs=1.0", None)
    assert (row["instrument_name"], row["facility_name"]) == ("ACS/WFC", "HST")
    assert (row["obs_id"], row["target_name"], row["proposal_id"]) == ("j94f05bgq", "NGC104", "10368")
    assert (row["dataproduct_type"], row["calib_level"], row["filter"]) == ("image", 2, "F606W")
    assert (row["em_min"], row["em_max"]) == (pytest.approx(473.6e-9), pytest.approx(707.8e-9))
    assert row["t_max"] == pytest.approx(53436.29036114, abs=1e-8)
    assert row["s_dec"] == pytest.approx(-72.0517, abs=1e-3)


def test_digitised_sky_survey(map_real: MapReal) -> None:
    mapped = map_real("dss")
    row = observation(mapped)
    assert (mapped.package, row["dataproduct_type"]) == ("generic=1.0", "image")
    assert (row["t_min"], row["t_max"], row["t_exptime"]) == (47266.0, 47267.0, 240.0)
    assert "obs_creation_date" not in row
    assert "DATE 15/03/00 is before FITS" in mapped.warnings


def test_timmi2_that_says_nothing_true_of_its_place(map_real: MapReal) -> None:
    mapped = map_real("timmi2")
    row = observation(mapped)
    assert not {"s_ra", "s_dec", "s_region", "s_fov", "t_min", "t_max"} & row.keys()
    assert row["t_exptime"] == 0.1344
    assert "WCS: axis RA---TAN has no CRVAL1" in mapped.warnings


def test_xshooter_product(map_real: MapReal) -> None:
    mapped = map_real("xshooter_bad_pixels")
    row = observation(mapped)
    assert (mapped.package, row["instrument_name"], row["calib_level"]) == ("eso=1.0", "XSHOOTER", 2)
    assert row["obs_id"] == "XSHOO.2010-11-16T14:50:58.015"
    assert not {"facility_name", "target_name", "s_ra"} & row.keys()


def test_a_pointing_in_hours_is_found_out_by_the_wcs(map_real: MapReal) -> None:
    mapped = map_real("dfosc")
    raw = raw_frame(mapped)
    assert raw["ra"] == pytest.approx(286.19, abs=0.01)
    assert "ra_pnt" not in raw
    assert "far from the image's WCS" in " ".join(mapped.warnings)


def test_what_midas_writes_where_it_knows_nothing_is_nothing(map_real: MapReal) -> None:
    row = observation(map_real("midas_placeholders"))
    assert not {"s_ra", "t_min", "t_max", "t_exptime", "target_name"} & row.keys()


def test_a_uves_product_covers_the_wavelengths_it_says(observe: Callable[..., dict[str, Any]]) -> None:
    said = {"TELESCOP": "ESO-VLT-U2", "INSTRUME": "UVES", "PRODCATG": "SCIENCE.SPECTRUM"}
    table = {"XTENSION": "BINTABLE", "BITPIX": 8, "PCOUNT": 0, "GCOUNT": 1, "TFIELDS": 0, "NELEM": 3000}
    row = observe({**said, "WAVELMIN": 414.0, "WAVELMAX": 621.0}, table)
    assert (row["em_min"], row["em_max"]) == (pytest.approx(414e-9), pytest.approx(621e-9))
    assert row["em_xel"] == 3000
