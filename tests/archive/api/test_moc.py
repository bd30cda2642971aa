"""Coverage maps: what the rows of a search cover, against an independent library."""

from __future__ import annotations

import io
from typing import Any

import astropy.units as u
import healpy
import numpy as np
import pytest
from astropy.coordinates import Latitude, Longitude
from mocpy import MOC

from tests.archive.conftest import Row, SmallArchive

MOCS = "/api/v1/tables/ivoa.obscore/moc"
DENSITY = "/api/v1/tables/ivoa.obscore/density"
ORDER = 6


def covered(rows: list[Row], margin: float = 0.0) -> MOC:
    """Join the footprints, circles of 2 degrees, a little larger or smaller, at the order of the tests."""
    parts = [
        MOC.from_cone(
            Longitude(row["s_ra"] * u.deg),
            Latitude(row["s_dec"] * u.deg),
            radius=(2.0 + margin) * u.deg,
            max_depth=11,
        )
        for row in rows
        if row["s_region"]
    ]
    return parts[0].union(*parts[1:]).degrade_to_order(ORDER)


def served(small: SmallArchive, **parameters: Any) -> MOC:
    reply = small.client.get(MOCS, params={"order": ORDER, **parameters})
    assert reply.status_code == 200, reply.text
    return MOC.from_json(reply.json())


@pytest.mark.parametrize(
    ("parameters", "holds"),
    [
        ({}, lambda _: True),
        ({"where.dataproduct_type": "cube"}, lambda row: row["dataproduct_type"] == "cube"),
        (
            {"where.calib_level": "2..3", "q": "NGC"},
            lambda row: row["calib_level"] >= 2 and "NGC" in row["target_name"],
        ),
    ],
)
def test_a_map_holds_the_footprints_of_the_rows_that_match(
    small: SmallArchive, parameters: dict[str, str], holds: Any
) -> None:
    rows = [row for row in small.observations if holds(row)]
    found = served(small, **parameters)
    eighth = np.degrees(np.sqrt(4 * np.pi / 12)) / 2**ORDER / 8
    assert covered(rows, -eighth).difference(found).empty()
    assert found.difference(covered(rows, eighth)).empty()


def test_each_form_tells_the_same(small: SmallArchive) -> None:
    found = served(small)
    as_fits = small.client.get(MOCS, params={"order": ORDER, "format": "fits"})
    assert as_fits.headers["content-type"] == "application/fits"
    assert MOC.from_fits(io.BytesIO(as_fits.content)) == found
    as_text = small.client.get(MOCS, params={"order": ORDER}, headers={"Accept": "text/plain"})
    assert MOC.from_str(as_text.text) == found
    assert (
        small.client.get(MOCS, params={"order": ORDER}, headers={"Accept": "application/fits"}).content[:6]
        == b"SIMPLE"
    )


@pytest.mark.parametrize("form", ["fits", "json", "ascii"])
def test_nothing_covers_nothing(small: SmallArchive, form: str) -> None:
    reply = small.client.get(MOCS, params={"target": "nothing of that name", "format": form})
    assert reply.status_code == 200
    read = {
        "fits": lambda: MOC.from_fits(io.BytesIO(reply.content)),
        "json": lambda: MOC.from_json(reply.json()),
        "ascii": lambda: MOC.from_str(reply.text),
    }
    assert read[form]().empty()


@pytest.mark.parametrize("parameters", [{"order": "15"}, {"order": "-1"}, {"format": "png"}, {"limit": "3"}])
def test_a_wrong_parameter_is_a_problem(small: SmallArchive, parameters: dict[str, str]) -> None:
    reply = small.client.get(MOCS, params=parameters)
    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert next(iter(parameters)) in reply.json()["errors"][0]["message"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("order", [0, 4, 9])
def test_healpy_reads_the_density(small: SmallArchive, tmp_path: Any, order: int) -> None:
    told = small.client.get(DENSITY, params={"order": order}).json()
    path = tmp_path / "map.fits"
    path.write_bytes(small.client.get(DENSITY, params={"order": order, "format": "fits"}).content)
    found, header = healpy.read_map(path, nest=None, h=True, partial=True)
    cards = dict(header)
    assert (cards["ORDERING"], cards["COORDSYS"], cards["NSIDE"]) == ("NESTED", "C", 2**order)
    kept = {int(cell): int(found[cell]) for cell in np.flatnonzero(found > 0)}
    assert kept == dict(told["cells"])
