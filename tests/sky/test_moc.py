"""MOCs in their three spellings, against mocpy."""

import io

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from mocpy import MOC

from sky.moc import (
    cells_by_order,
    degrade,
    from_ascii,
    from_fits,
    from_json,
    from_ranges,
    to_ascii,
    to_fits,
    to_json,
    union,
)
from sky.regions import MocRegion, RegionError, normalise

TOP = 12 << 58
mocs = st.lists(
    st.one_of(
        st.tuples(st.integers(0, TOP - 100), st.integers(1, 100)).map(
            lambda pair: (pair[0], pair[0] + pair[1])
        ),
        st.tuples(st.integers(0, 8), st.integers(0, 11)).map(
            lambda pair: (pair[1] << 58, (pair[1] << 58) + (1 << (2 * (29 - pair[0]))))
        ),
    ),
    min_size=1,
    max_size=6,
).map(lambda ranges: from_ranges(np.array(ranges)))


@given(mocs)
def test_every_spelling_reads_back_the_same(moc: MocRegion) -> None:
    assert from_ascii(to_ascii(moc)) == moc
    assert from_json(to_json(moc)) == moc
    assert from_fits(to_fits(moc)) == moc


@given(mocs)
def test_mocpy_reads_the_same_cells(moc: MocRegion) -> None:
    expected = [list(pair) for pair in moc.ranges]
    assert MOC.from_string(to_ascii(moc), "ascii").to_depth29_ranges.tolist() == expected
    assert MOC.from_string(to_json(moc), "json").to_depth29_ranges.tolist() == expected
    theirs = MOC.from_depth29_ranges(29, np.array(moc.ranges, dtype=np.uint64))
    assert from_ascii(theirs.to_string("ascii")) == moc
    assert from_fits(_bytes(theirs.serialize("fits"))) == moc


def _bytes(file: fits.HDUList) -> bytes:
    out = io.BytesIO()
    file.writeto(out)
    return out.getvalue()


@given(mocs)
def test_the_largest_cells_are_used(moc: MocRegion) -> None:
    for order, cells in cells_by_order(moc).items():
        whole = {cell // 4 for cell in cells if {cell // 4 * 4 + k for k in range(4)} <= set(cells)}
        assert not whole or order == 0
    assert sum(len(cells) << (2 * (29 - order)) for order, cells in cells_by_order(moc).items()) == sum(
        high - low for low, high in moc.ranges
    )


@given(mocs, mocs)
def test_a_union_holds_both(one: MocRegion, two: MocRegion) -> None:
    assert union(one, two) == union(two, one) == normalise(MocRegion(one.ranges + two.ranges))


@given(mocs, st.integers(0, 29))
def test_degraded_mocs_hold_the_whole(moc: MocRegion, order: int) -> None:
    assert union(degrade(moc, order), moc) == degrade(moc, order)


@pytest.mark.parametrize("text", ["", "MOC", "5", "3/1-", "3/5-1", "30/1", "1/48", "3/x", "-1/2", "3/1/2"])
def test_bad_ascii_is_refused(text: str) -> None:
    with pytest.raises(RegionError):
        from_ascii(text)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"3": 1}', '{"x": [1]}', '{"1": [48]}', '{"1": ["a"]}', "3"]
)
def test_bad_json_is_refused(text: str) -> None:
    with pytest.raises(RegionError):
        from_json(text)


def test_bad_fits_is_refused() -> None:
    for content in (b"", b"SIMPLE", _bytes(fits.HDUList([fits.PrimaryHDU()]))):
        with pytest.raises(RegionError):
            from_fits(content)


@pytest.mark.parametrize(
    ("ranges", "sound"),
    [
        ([0, TOP], True),
        ([7, 8], True),
        ([7, 7], False),
        ([8, 7], False),
        ([0, 5, 9, 9], False),
        ([-1, 7], False),
        ([7, TOP + 1], False),
    ],
)
def test_ranges_of_a_file_hold_cells_of_the_sphere(ranges: list[int], *, sound: bool) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("RANGE", "K", array=np.array(ranges))])
    table.header.update({"ORDERING": "RANGE", "MOCDIM": "SPACE"})
    content = _bytes(fits.HDUList([fits.PrimaryHDU(), table]))
    if sound:
        assert from_fits(content) == MocRegion((tuple(ranges),))
        return
    with pytest.raises(RegionError) as refused:
        from_fits(content)
    assert refused.value.code == "out-of-range"


def test_the_empty_moc_has_a_spelling() -> None:
    assert to_ascii(MocRegion(())) == "0/"
    assert from_ascii("0/") == MocRegion(())
    assert from_fits(to_fits(MocRegion(()))) == MocRegion(())
