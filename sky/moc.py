"""Coverage maps (MOC 2.0): from cells and regions, to ASCII, JSON and FITS, and back."""

import io
import json
import re

import numpy as np
from astropy.io import fits

from sky.forms import ORDER_29_CELLS, MocRegion, RegionError, normalise
from sky.vectors import IntArray


def from_ranges(ranges: IntArray) -> MocRegion:
    """Join half-open order-29 ranges, shape (n, 2), in any order and overlapping, into one MOC."""
    pairs = ranges[np.argsort(ranges[:, 0], kind="stable")]
    if not len(pairs):
        return MocRegion(())
    reach = np.maximum.accumulate(pairs[:, 1])
    starts = np.flatnonzero(np.concatenate(([True], pairs[1:, 0] > reach[:-1])))
    ends = np.concatenate((starts[1:], [len(pairs)])) - 1
    return MocRegion(tuple(zip(pairs[starts, 0].tolist(), reach[ends].tolist(), strict=True)))


def from_cells(numbers: IntArray, order: int) -> MocRegion:
    """Return the MOC of some cells of an order."""
    shift = 2 * (29 - order)
    return from_ranges(np.stack((numbers << shift, (numbers + 1) << shift), axis=1))


def union(*mocs: MocRegion) -> MocRegion:
    """Join MOCs."""
    joined = [pair for moc in mocs for pair in moc.ranges]
    return from_ranges(np.asarray(joined, dtype=np.int64).reshape(-1, 2))


def degrade(moc: MocRegion, order: int) -> MocRegion:
    """Cover a MOC with whole cells of ``order``."""
    size = 1 << (2 * (29 - order))
    widened = [(low // size * size, -(-high // size) * size) for low, high in moc.ranges]
    return from_ranges(np.asarray(widened, dtype=np.int64).reshape(-1, 2))


def cells_by_order(moc: MocRegion) -> dict[int, list[int]]:
    """List the largest cells that make up a MOC, by order, ascending."""
    found: dict[int, list[int]] = {}
    for low, high in moc.ranges:
        at = low
        while at < high:
            # The largest cell that starts here and ends in time.
            shift = min(29, ((at & -at).bit_length() - 1) // 2 if at else 29)
            while at + (1 << (2 * shift)) > high:
                shift -= 1
            found.setdefault(29 - shift, []).append(at >> (2 * shift))
            at += 1 << (2 * shift)
    return {order: sorted(found[order]) for order in sorted(found)}


def to_ascii(moc: MocRegion, order: int = 0) -> str:
    """Write MOC ASCII (MOC 2.0 section 4.3.2): ``3/1-5 7 10/``; the empty MOC is ``0/``.

    ``order`` is told even where all cells are larger.
    """
    by_order: dict[int, list[int]] = cells_by_order(moc)
    if not by_order or max(by_order) < order:
        by_order[order] = []
    return " ".join(f"{order}/{' '.join(_runs(cells))}" for order, cells in by_order.items())


def _runs(cells: list[int]) -> list[str]:
    if not cells:
        return []
    numbers = np.asarray(cells, dtype=np.int64)
    breaks = np.flatnonzero(np.diff(numbers) > 1) + 1
    parts = np.split(numbers, breaks)
    return [str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts]


def from_ascii(text: str) -> MocRegion:
    """Read MOC ASCII, with or without the keyword MOC, with blanks or commas.

    Raises
    ------
    RegionError
        If the text is not a space MOC, or names cells that do not exist.
    """
    body = re.sub(r"^\s*MOC\b", "", text, flags=re.IGNORECASE).replace(",", " ")
    ranges: list[tuple[int, int]] = []
    order: int | None = None
    for word in body.split():
        found = re.fullmatch(r"(?:s?(\d{1,2})/)?(?:(\d{1,19})(?:-(\d{1,19}))?)?", word, flags=re.IGNORECASE)
        if found is None:
            raise RegionError("syntax", f"{word!r} is not part of a MOC")
        order = int(found[1]) if found[1] else order
        if order is None or order > 29:
            raise RegionError("syntax", "a MOC starts with its order, 0 to 29, as in 3/1-5")
        if found[2]:
            ranges.append(_cell_range(order, int(found[2]), int(found[3] or found[2])))
    if order is None:
        raise RegionError("syntax", "the MOC is empty")
    moc = normalise(MocRegion(tuple(ranges)))
    assert isinstance(moc, MocRegion)  # noqa: S101 - normalise keeps the type
    return moc


def _cell_range(order: int, first: int, last: int) -> tuple[int, int]:
    shift = 2 * (29 - order)
    if last < first or (last + 1) << shift > ORDER_29_CELLS:
        raise RegionError("out-of-range", f"cells {first}-{last} do not exist at order {order}")
    return first << shift, (last + 1) << shift


def to_json(moc: MocRegion, order: int | None = None) -> str:
    """Write MOC JSON: ``{"3": [1, 2]}``; ``order`` is told even where all cells are larger."""
    by_order = cells_by_order(moc)
    if order is not None:
        by_order.setdefault(order, [])
    return json.dumps({str(each): by_order[each] for each in sorted(by_order)})


def from_json(text: str) -> MocRegion:
    """Read MOC JSON.

    Raises
    ------
    RegionError
        If the text is not a MOC, or names cells that do not exist.
    """
    try:
        content = json.loads(text)
        pairs = [
            _cell_range(int(order), int(cell), int(cell))
            for order, cells in content.items()
            for cell in cells
        ]
    except (AttributeError, TypeError, ValueError) as error:
        if isinstance(error, RegionError):
            raise
        raise RegionError("syntax", "the text is not MOC JSON") from error
    return from_ranges(np.asarray(pairs, dtype=np.int64).reshape(-1, 2))


def to_fits(moc: MocRegion, order: int = 0) -> bytes:
    """Write a MOC as a FITS file (MOC 2.0 section 4.3.1, NUNIQ: what every client reads).

    ``order`` is the resolution that it tells, where all cells are larger.
    """
    by_order = cells_by_order(moc)
    unique = [np.asarray(cells, np.int64) + (4 << (2 * order)) for order, cells in by_order.items()]
    packed = np.concatenate([np.empty(0, np.int64), *unique])
    table = fits.BinTableHDU.from_columns([fits.Column("UNIQ", "K", array=packed)])
    cards = {
        "MOCVERS": "2.0",
        "MOCDIM": "SPACE",
        "PIXTYPE": "HEALPIX",
        "ORDERING": "NUNIQ",
        "COORDSYS": "C",
        "MOCORD_S": max((*by_order, order)),
        "MOCORDER": max((*by_order, order)),
    }
    table.header.update(cards)
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(out)
    return out.getvalue()


def from_fits(content: bytes) -> MocRegion:
    """Read a space MOC from a FITS file, as NUNIQ or as ranges.

    Raises
    ------
    RegionError
        If the file is not FITS, or holds no space MOC.
    """
    try:
        with fits.open(io.BytesIO(content)) as file:
            header, numbers = file[1].header, np.asarray(file[1].data.field(0), np.int64)
    except (OSError, IndexError, AttributeError, TypeError, ValueError) as error:
        raise RegionError("syntax", "the file is not a FITS MOC") from error
    if str(header.get("MOCDIM", "SPACE")).strip() != "SPACE":
        raise RegionError("unsupported", "only MOCs of space are regions")
    if str(header.get("ORDERING", "NUNIQ")).strip() == "RANGE":
        return _sound(numbers.reshape(-1, 2))
    if (numbers < 4).any():
        raise RegionError("out-of-range", "the MOC holds numbers that are no cells")
    order = (np.frexp(numbers.astype(np.float64))[1] - 1) // 2 - 1
    order = order - (numbers < (np.int64(4) << (2 * order)))
    shift = 2 * (29 - order)
    cells = numbers - (np.int64(4) << (2 * order))
    return _sound(np.stack((cells << shift, (cells + 1) << shift), axis=1))


def _sound(ranges: IntArray) -> MocRegion:
    if len(ranges) and (
        (ranges < 0).any() or (ranges > ORDER_29_CELLS).any() or (ranges[:, 0] >= ranges[:, 1]).any()
    ):
        raise RegionError("out-of-range", "the MOC holds numbers that are no cells")
    return from_ranges(ranges)
