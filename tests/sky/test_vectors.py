"""Angles and limits of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sky.vectors import TOLERANCE, at_most

limits = st.floats(-np.pi, np.pi)


@given(limits)
def test_the_band_around_a_limit_belongs_with_its_end(limit: float) -> None:
    assert at_most(limit, limit)
    assert at_most(limit + TOLERANCE, limit)
    assert not at_most(np.nextafter(limit + TOLERANCE, 9.0), limit)


def test_the_band_is_half_of_1e_10_degrees_wide_on_either_side() -> None:
    assert np.degrees(TOLERANCE) * 2.0 == 1e-10


def test_what_is_no_number_is_at_most_nothing() -> None:
    assert at_most(np.array([0.5, np.nan]), 1.0).tolist() == [True, False]
