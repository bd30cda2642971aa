"""A product never takes its raw frame's id, whichever is ingested first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

NAME = "FORS2.2014-12-08T02:48:56.798"


def raw_frame() -> fits.PrimaryHDU:
    """Return a frame as the observatory writes it."""
    hdu = fits.PrimaryHDU(np.arange(600, dtype=np.int16).reshape(20, 30))
    hdu.header["ORIGIN"] = "ESO-PARANAL"
    hdu.header["DATE-OBS"] = "2014-12-08T02:48:56.798"
    hdu.header["ARCFILE"] = f"{NAME}.fits"
    hdu.header["HIERARCH ESO DPR CATG"] = "SCIENCE"
    hdu.header["HIERARCH ESO DET WIN1 NX"] = 30
    hdu.header["HIERARCH ESO DET WIN1 NY"] = 20
    return hdu


def as_float(hdu: fits.PrimaryHDU) -> None:
    hdu.data = hdu.data.astype(np.float32)


def trimmed(hdu: fits.PrimaryHDU) -> None:
    hdu.data = hdu.data[2:-1, 3:-4]


def collapsed(hdu: fits.PrimaryHDU) -> None:
    hdu.data = hdu.data.sum(axis=0, dtype=np.int32)


def noted(hdu: fits.PrimaryHDU) -> None:
    hdu.data = hdu.data - 3
    hdu.header["HISTORY"] = "overscan subtracted"


def changed(hdu: fits.PrimaryHDU) -> None:
    hdu.data = hdu.data + 1


SHAPES: list[tuple[Callable[[fits.PrimaryHDU], None], str]] = [
    (as_float, "a.fits"),
    (trimmed, "a.fits"),
    (trimmed, f"copy/{NAME}.fits"),
    (collapsed, "spectrum.fits"),
    (noted, f"copy/{NAME}.fits"),
    (changed, "reduced.fits"),
    (changed, f"{NAME}_corrected.fits"),
    (changed, f"reduced/{NAME}.fits"),
]


@pytest.mark.parametrize("first", ["raw", "product"])
@pytest.mark.parametrize("raw_name", [f"{NAME}.fits", "frame.fits", f"{NAME}.fits.gz"])
def test_in_either_order_the_raw_frame_alone_has_its_id(
    archive: Any, tmp_path: Path, raw_name: str, first: str
) -> None:
    raws, products = tmp_path / "raws", tmp_path / "work"
    raws.mkdir()
    raw_frame().writeto(raws / raw_name)
    for number, (change, name) in enumerate(SHAPES):
        target = products / str(number) / name
        target.parent.mkdir(parents=True)
        hdu = raw_frame()
        change(hdu)
        hdu.header["VERSION"] = number  # the same content at another path would be an alias
        hdu.writeto(target)
    for folder in (raws, products) if first == "raw" else (products, raws):
        summary = archive.ingest(folder)
        assert summary.quarantined == 0
    assert archive.ids("dbo.raw") == [NAME]
    by_path = {row["path"]: row["dp_id"] for row in archive.rows("archive.files", "path", "dp_id")}
    assert len(by_path) == 1 + len(SHAPES)
    assert [path for path, dp_id in by_path.items() if dp_id == NAME] == [raw_name]


@pytest.mark.parametrize("first", ["raw", "product"])
def test_a_datasum_tells_a_changed_copy_of_the_same_name(archive: Any, tmp_path: Path, first: str) -> None:
    raws, copies = tmp_path / "raws", tmp_path / "copies"
    for folder, added in ((raws, 0), (copies, 1)):
        folder.mkdir()
        hdu = raw_frame()
        hdu.add_datasum(when="updated 2014-12-08T02:49:00")
        stated = hdu.header["DATASUM"], hdu.header.comments["DATASUM"]
        hdu.data = hdu.data + added
        hdu.header["DATASUM"] = stated
        hdu.writeto(folder / f"{NAME}.fits")
    for folder in (raws, copies) if first == "raw" else (copies, raws):
        archive.ingest(folder, collection=folder.name)
    by_place = {
        row["collection"]: row["dp_id"] for row in archive.rows("archive.files", "collection", "dp_id")
    }
    assert by_place["raws"] == NAME
    assert by_place["copies"] != NAME
