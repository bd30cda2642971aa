from __future__ import annotations

import pytest

from schemas.words import delimited


@pytest.mark.parametrize("name", ["s_ra", "ObsCore", "x1"])
def test_a_regular_name_stands_as_it_is(name: str) -> None:
    assert delimited(name) == name


@pytest.mark.parametrize(
    ("name", "written"),
    [("size", '"size"'), ("Distance", '"Distance"'), ("_x", '"_x"'), ("B-V", '"B-V"'), ('a"b', '"a""b"')],
)
def test_any_other_name_is_quoted(name: str, written: str) -> None:
    assert delimited(name) == written
