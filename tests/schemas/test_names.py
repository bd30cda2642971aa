"""Spellings of one name have one key; names of different objects have different ones."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.names import name_key, name_keys

SAME = [
    ("NGC 253", "ngc253", "NGC-253", "NGC_253", " Ngc  0253 ", "\uff2e\uff27\uff23\u3000253", "NGC\u2013253"),
    ("PKS 1226-023", "pks1226-023", "PKS_1226 - 023", "PKS 1226\u2212023"),
    ("PKS 0528+134", "pks0528 + 134", "PKS-0528+134"),
    ("Cen A", "CenA", "cen-a", "CEN_A"),
    ("3C 273", "3c273", "3C-273"),
    ("M 31", "M31", "m-031", "M\u00a031"),
    ("\u00e9toile", "E\u0301TOILE"),
]


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_spellings_of_a_name_have_one_key(names: tuple[str, ...]) -> None:
    assert len({name_key(name) for name in names}) == 1


DIFFERENT = [
    *(names[0] for names in SAME),
    *("NGC 2530", "NGC 25", "NGC 253A", "PKS 1226+023", "BD+12 1234", "BD+121 234", "BD-12 1234"),
    *("J0528-0023", "J0528-23", "v0.05", "v0.5", "M 0"),
]


def test_names_of_different_objects_have_different_keys() -> None:
    for one, other in itertools.combinations(DIFFERENT, 2):
        assert name_key(one) != name_key(other)


def test_what_is_missing_has_no_key_and_a_name_of_separators_an_empty_one() -> None:
    assert name_keys(pa.array([None, " - ", "", "A"])).to_pylist() == [None, "", "", "a"]
    assert name_keys(pa.array([], pa.string())).to_pylist() == []


def test_half_of_a_character_is_part_of_no_stored_name() -> None:
    assert name_key("M \ud83d") == "m?"


@given(name=st.text("aB0129 _-+.%\u00e9\u2212", max_size=12))
def test_a_key_is_its_own_key_and_that_of_other_case(name: str) -> None:
    key = name_key(name)
    assert name_key(key) == key
    assert name_key(name.upper()) == key
    assert name_key(f"  {name}_") == key


@given(names=st.lists(st.none() | st.text(max_size=8)))
def test_keys_of_many_are_those_of_each(names: list[str | None]) -> None:
    keys = name_keys(pa.array(names, pa.string())).to_pylist()
    assert keys == [None if name is None else name_key(name) for name in names]
