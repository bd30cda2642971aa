"""Pixels become few and grey, and keep their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.previews.stretch import sampled, stretched


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40))
def test_a_flat_plane_stays_flat_and_fits(rows: int, columns: int, longest: int) -> None:
    small = sampled(np.full((rows, columns), 7, np.int16), longest)
    assert max(small.shape) <= longest
    assert np.all(small == 7)


def test_a_plane_that_fits_is_kept_as_it_is() -> None:
    plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(sampled(plane, 4), plane)


def test_pixels_without_value_do_not_spoil_their_neighbours() -> None:
    plane = np.array([[1.0, np.nan], [3.0, np.inf]])
    assert sampled(plane, 1).tolist() == [[2.0]]
    assert np.isnan(sampled(np.full((4, 4), np.nan), 2)).all()


@pytest.mark.parametrize("shape", [(4,), (0, 3), (2, 2, 2)])
def test_what_is_no_plane_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="plane"):
        sampled(np.zeros(shape), 4)


def test_brighter_is_never_darker_and_the_whole_range_is_used() -> None:
    grey = stretched(np.linspace(-5, 900, 4096, dtype=np.float32).reshape(64, 64)).ravel()
    assert np.all(np.diff(grey.astype(int)) >= 0)
    assert (grey[0], grey[-1]) == (0, 255)


def test_one_bright_pixel_does_not_hide_the_sky() -> None:
    plane = np.random.default_rng(1).normal(100, 5, (64, 64)).astype(np.float32)
    plane[3, 3] = 1e9
    assert stretched(plane).std() > 20


def test_no_value_is_black_and_one_value_is_grey() -> None:
    assert not stretched(np.full((2, 2), np.nan, np.float32)).any()
    assert stretched(np.array([[5, np.nan]], np.float32)).tolist() == [[128, 0]]
