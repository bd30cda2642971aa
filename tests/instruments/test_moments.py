from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments import FileHeaders
from instruments.moments import SECONDS_PER_DAY, exposure_time, start_time, time_columns

Make = Callable[..., FileHeaders]
MJD = 53838.27267296
TEXT = "2006-04-13T06:32:38.9441"


def test_start_is_mjd_obs_and_end_follows_from_the_exposure_time(make: Make) -> None:
    found = time_columns(make({"MJD-OBS": MJD, "DATE-OBS": TEXT, "EXPTIME": 240.0}))
    assert found == {"t_exptime": 240.0, "t_min": MJD, "t_max": MJD + 240.0 / SECONDS_PER_DAY}


@pytest.mark.parametrize(
    "date", [TEXT, "2006-04-13 06:32:38.944", "2006-04-13T06:32:38.944Z", "2006-04-13T06:32:38,944"]
)
def test_date_obs_alone_gives_the_start(date: str, make: Make) -> None:
    assert time_columns(make({"DATE-OBS": date}))["t_min"] == pytest.approx(MJD, abs=2e-8)


@pytest.mark.parametrize("date", ["2001-11-11", "11/11/01", "11/11/2001"])
def test_a_date_without_time_gives_the_bounds_of_its_day(date: str, make: Make) -> None:
    day = 15699.0 if date == "11/11/01" else 52224.0
    found = time_columns(make({"DATE-OBS": date, "EXPTIME": 10.0}))
    assert (found["t_min"], found["t_max"]) == (day, day + 1.0)


def test_a_time_of_day_may_stand_apart(make: Make) -> None:
    found = time_columns(make({"DATE-OBS": "2005-03-07", "TIME-OBS": "06:51:26"}))
    assert found["t_min"] == pytest.approx(53436.285717592)


def test_the_finer_of_two_statements_counts(make: Make) -> None:
    whole_day = make({"MJD-OBS": 53838.0, "DATE-OBS": TEXT})
    no_time = make({"MJD-OBS": MJD, "DATE-OBS": "2006-04-13"})
    single_precision = make({"MJD-OBS": 53838.2734375, "DATE-OBS": TEXT})
    for headers in (whole_day, no_time, single_precision):
        assert time_columns(headers)["t_min"] == pytest.approx(MJD, abs=2e-8)
        assert headers.all_warnings() == ()


def test_when_date_and_mjd_contradict_each_other_neither_counts(make: Make) -> None:
    headers = make({"MJD-OBS": 51929.23192, "DATE-OBS": "2001-01-20T04:24:40", "EXPTIME": 1.0})
    assert time_columns(headers) == {"t_exptime": 1.0}
    assert "contradict each other" in headers.all_warnings()[0]


@pytest.mark.parametrize("value", [-1.0, 1e12, "soon"])
def test_an_absurd_exposure_time_is_none(value: object, make: Make) -> None:
    assert "t_exptime" not in time_columns(make({"EXPTIME": value}))


def test_minutes_in_the_comment_are_heeded(make: Make) -> None:
    assert time_columns(make({"EXPOSURE": (4.0, "Exposure time minutes")})) == {"t_exptime": 240.0}
    assert time_columns(make({"EXPOSURE": (4.0, "seconds")})) == {"t_exptime": 4.0}


@pytest.mark.parametrize("cards", [{"NCOMBINE": 5}, {"EXPTIME": 36000.0}])
def test_combined_exposures_have_no_end_that_could_be_computed(cards: dict[str, object], make: Make) -> None:
    found = time_columns(make({"MJD-OBS": MJD, "EXPTIME": 900.0, **cards}))
    assert "t_max" not in found


def test_a_stated_end_counts(make: Make) -> None:
    assert time_columns(make({"MJD-OBS": MJD, "MJD-END": MJD + 0.5, "EXPTIME": 9.0}))["t_max"] == MJD + 0.5
    assert time_columns(make({"MJD-OBS": 53838.5, "DATE-END": "2006-04-13T18:00:00"}))["t_max"] == 53838.75


def test_an_end_before_the_start_or_too_early_for_the_exposure_is_left_out(make: Make) -> None:
    backwards = make({"MJD-OBS": MJD, "MJD-END": MJD - 0.1})
    too_short = make({"MJD-OBS": MJD, "MJD-END": MJD + 0.001, "EXPTIME": 381600.0})
    for headers in (backwards, too_short):
        assert "t_max" not in time_columns(headers)
        assert "its end is left out" in headers.all_warnings()[0]


@pytest.mark.parametrize("value", [0.0, 1e9, "yesterday", "2006-13-45", "0000-00-00T00:00:00", "31/12/2300"])
def test_a_date_that_cannot_be_is_left_out(value: object, make: Make) -> None:
    headers = make({"DATE-OBS": value, "MJD-OBS": value})
    assert "t_min" not in time_columns(headers)


@given(mjd=st.floats(34000, 80000), exposure=st.floats(0, 1e5), end=st.floats(20000, 80000) | st.none())
def test_no_observation_ends_before_it_begins(
    mjd: float, exposure: float, end: float | None, make: Make
) -> None:
    found = time_columns(make({"MJD-OBS": mjd, "EXPTIME": exposure, "MJD-END": end}))
    assert found.get("t_max", found["t_min"]) >= found["t_min"]


@pytest.mark.parametrize(
    ("scale", "behind"),
    [("TAI", 32.0), ("TT", 64.184), ("TDB", 64.184), ("ET", 64.184), ("GPS", 13.0), ("UTC", 0.0)],
)
@pytest.mark.parametrize("said", [{"DATE-OBS": "2000-01-02T00:00:00"}, {"MJD-OBS": 51545.00000001}])
def test_times_of_other_scales_become_utc(
    scale: str, behind: float, said: dict[str, Any], make: Make
) -> None:
    start = start_time(make({**said, "TIMESYS": scale}))
    assert start is not None
    assert (51545.0 - start.mjd) * 86_400.0 == pytest.approx(behind, abs=0.01)


def test_a_date_that_says_utc_is_utc_whatever_the_scale_of_others(make: Make) -> None:
    start = start_time(make({"DATE-OBS": "2000-01-02T00:00:00Z", "TIMESYS": "TDB"}))
    assert start is not None
    assert start.mjd == 51545.0


def test_local_time_is_no_time(make: Make) -> None:
    headers = make({"DATE-OBS": "2000-01-02T00:00:00", "TIMESYS": "LOCAL"})
    assert start_time(headers) is None
    assert "DATE-OBS: local time is not known by its relation to UTC" in headers.all_warnings()


def test_a_comment_that_says_utc_counts_before_the_scale_of_others(make: Make) -> None:
    start = start_time(make({"DATE-OBS": ("2000-01-02T00:00:00", "start (UTC)"), "TIMESYS": "TT"}))
    assert start is not None
    assert start.mjd == 51545.0


@pytest.mark.parametrize("date", [None, "01/01/50"])
def test_the_equinox_b1950_is_no_time_of_an_observation(date: str | None, make: Make) -> None:
    assert start_time(make({"MJD-OBS": 33281.92313, "DATE-OBS": date})) is None


@pytest.mark.parametrize(
    ("comment", "seconds"),
    [
        ("[d] time on source", 172_800.0),
        ("[h]", 7200.0),
        ("[ms] dwell", 0.002),
        ("[min]", 120.0),
        ("[s]", 2.0),
    ],
)
def test_exposure_times_are_in_the_unit_of_their_comment(comment: str, seconds: float, make: Make) -> None:
    assert exposure_time(make({"EXPOSURE": (2.0, comment)})) == pytest.approx(seconds)


def test_high_energy_files_give_the_time_of_one_frame_as_exptime(make: Make) -> None:
    cards = {"EXPTIME": 0.4, "EXPOSURE": 18_000.0}
    assert exposure_time(make({**cards, "HDUCLASS": "OGIP"})) == 18_000.0
    assert exposure_time(make(cards)) == 0.4
