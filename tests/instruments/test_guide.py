import re
from collections.abc import Callable
from pathlib import Path

import pytest

from instruments import FileHeaders, Packages, load_packages

GUIDE = Path(__file__).parents[2] / "docs" / "adding-an-instrument.md"


@pytest.fixture
def site(tmp_path: Path) -> Packages:
    """Build the guide's package as it is printed."""
    blocks = re.findall(r"```(yaml|python)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    folder = tmp_path / "instruments" / "sofi"
    folder.mkdir(parents=True)
    for kind, text in blocks:
        (folder / {"yaml": "package.yaml", "python": "functions.py"}[kind]).write_text(text, encoding="utf-8")
    return load_packages([tmp_path / "instruments"])


def test_the_guides_package_maps_a_header(site: Packages, make: Callable[..., FileHeaders]) -> None:
    headers = make(
        {
            "ORIGIN": "ESO-LASILLA",
            "TELESCOP": "ESO-NTT",
            "INSTRUME": "SOFI",
            "ARCFILE": "SOFI.2012-01-02T03:04:05.678.fits",
            "DATE-OBS": "2012-01-02T03:04:05.678",
            "EXPTIME": 2.0,
            "ESO DPR CATG": "SCIENCE",
            "ESO DPR TECH": "IMAGE",
            "ESO DET DIT": 2.0,
            "ESO DET NDIT": 30,
            "ESO INS FILT1 NAME": "Js",
            "ESO INS WLEN MIN": 1.16,
        }
    )
    mapped = site.map(headers, "la_silla")
    (row,), (raw,) = mapped.rows["ivoa.ObsCore"], mapped.rows["dbo.raw"]
    assert mapped.package == "sofi=1.0"
    assert mapped.dp_id == "SOFI.2012-01-02T03:04:05.678"
    assert (row["instrument_name"], row["t_exptime"], row["obs_collection"]) == ("SOFI", 60.0, "la_silla")
    assert row["em_min"] == pytest.approx(1.16e-6)
    assert raw["lambda_min"] == pytest.approx(1160.0)


def test_the_guides_package_brings_its_column(site: Packages) -> None:
    assert site.schemas.table("dbo.raw").column("sofi_objective").facet
