"""Footprints of many rows as flat arrays, parsed in bulk; one bad row never harms another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sky import polygons
from sky.forms import MOST_VERTICES, Circle, Point, Polygon, Region, RegionError, normalise_delivered
from sky.text import parse_region, to_stcs
from sky.vectors import TOLERANCE, BoolArray, FloatArray, IntArray, lengths, unit_vectors

ABSENT, POINT, CIRCLE, POLYGON, OTHER = range(5)
"""Kinds of rows: nothing (or an error), a point, a circle, a polygon, and regions kept as objects."""

_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_QUICK: Final = rf"^(?i:(POLYGON|CIRCLE|POSITION) +(?:(?:ICRS|J2000) +)?){_NUMBER}(?: +{_NUMBER})+$"
_KINDS: Final = {"P": POLYGON, "C": CIRCLE, "O": POINT}


@dataclass(frozen=True, slots=True)
class Group:
    """Footprint polygons with the same number of vertices: ``rows`` (n,), ``vertices`` (n, k, 3)."""

    rows: IntArray
    vertices: FloatArray
    edges: polygons.Edges


@dataclass(frozen=True, eq=False)
class Footprints:
    """Regions of many rows.

    Attributes
    ----------
    kind : uint8 (n,), one of the kinds above.
    offsets : int64 (n + 1,), where each row's coordinates start in ``ra`` and ``dec``: the vertices
        of a polygon, the centre of a circle or point, nothing for other rows.
    radius : degrees (n,), NaN but for circles.
    objects : the regions of kind OTHER by row.
    errors : why a row that had a text has no region.
    mis_wound : rows, sorted, whose polygon was wound the wrong way and has been turned around.
    """

    kind: NDArray[np.uint8]
    offsets: IntArray
    ra: FloatArray
    dec: FloatArray
    radius: FloatArray
    objects: dict[int, Region] = field(default_factory=dict)
    errors: dict[int, RegionError] = field(default_factory=dict)
    mis_wound: IntArray = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def from_text(
        cls, texts: "Sequence[str | None] | NDArray[np.object_] | pa.Array | pa.ChunkedArray"
    ) -> "Footprints":
        """Parse the ``s_region`` of many rows; None and empty texts are rows without a region."""
        column = _as_arrow(texts)
        parts = [_parse_chunk(column.slice(start, _CHUNK)) for start in range(0, len(column), _CHUNK)]
        return _concatenate(parts)

    @classmethod
    def from_regions(cls, regions: Iterable[Region | None]) -> "Footprints":
        """Collect delivered regions, one per row; a region that is refused becomes an error of its row."""
        builder = _Builder()
        for region in regions:
            builder.add(region)
        return builder.build()

    def __len__(self) -> int:
        return len(self.kind)

    def region(self, row: int) -> Region | None:
        """Return one row's region, None where it has none."""
        kind = int(self.kind[row])
        start, end = int(self.offsets[row]), int(self.offsets[row + 1])
        if kind == POINT:
            return Point(float(self.ra[start]), float(self.dec[start]))
        if kind == CIRCLE:
            return Circle(float(self.ra[start]), float(self.dec[start]), float(self.radius[row]))
        if kind == POLYGON:
            return Polygon(tuple(zip(self.ra[start:end].tolist(), self.dec[start:end].tolist(), strict=True)))
        return self.objects.get(row)

    def take(self, indices: IntArray | Sequence[int]) -> "Footprints":
        """Select rows, in the given order."""
        rows = np.asarray(indices, dtype=np.int64)
        counts = np.diff(self.offsets)[rows]
        offsets = np.concatenate(([0], np.cumsum(counts)))
        source = np.repeat(self.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
        found: dict[int, list[int]] = {}
        if self.objects or self.errors:
            for place, row in enumerate(rows.tolist()):
                found.setdefault(row, []).append(place)
        return Footprints(
            self.kind[rows],
            offsets,
            self.ra[source],
            self.dec[source],
            self.radius[rows],
            {place: region for row, region in self.objects.items() for place in found.get(row, ())},
            {place: error for row, error in self.errors.items() for place in found.get(row, ())},
            np.flatnonzero(np.isin(rows, self.mis_wound)),
        )

    def to_text(self) -> list[str | None]:
        """Write every row as STC-S (:func:`sky.text.to_stcs`)."""
        regions = (self.region(row) for row in range(len(self)))
        return [None if region is None else to_stcs(region) for region in regions]

    def rows_of(self, kind: int) -> IntArray:
        """Return the rows of one kind, sorted."""
        return np.flatnonzero(self.kind == kind)

    @cached_property
    def polygon_groups(self) -> list[Group]:
        """Sort the polygons by their number of vertices."""
        rows = self.rows_of(POLYGON)
        counts = np.diff(self.offsets)[rows]
        groups = []
        for count in np.unique(counts).tolist():
            chosen = rows[counts == count]
            places = self.offsets[chosen][:, None] + np.arange(count)
            vertices = unit_vectors(self.ra[places], self.dec[places])
            groups.append(Group(chosen, vertices, polygons.Edges.of(vertices)))
        return groups

    def centres(self, rows: IntArray) -> FloatArray:
        """Return the first coordinate of rows (the centre of circles and points) as unit vectors (n, 3)."""
        places = self.offsets[rows]
        return unit_vectors(self.ra[places], self.dec[places])


_CHUNK = 100_000


def _as_arrow(texts: Iterable[str | None] | pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(texts, pa.ChunkedArray):
        return texts.cast(pa.string()).combine_chunks()
    if isinstance(texts, pa.Array):
        return texts.cast(pa.string())
    return pa.array(list(texts), type=pa.string())


def _parse_chunk(texts: pa.Array) -> Footprints:
    builder = _Builder(len(texts))
    quick = pc.fill_null(pc.match_substring_regex(texts, _QUICK), fill_value=False)
    rows = np.flatnonzero(quick.to_numpy(zero_copy_only=False))
    if len(rows):
        builder.add_quick(rows, texts.take(pa.array(rows)))
    done = builder.kind != ABSENT
    for row in np.flatnonzero(~done).tolist():
        text = texts[row].as_py()
        if text is not None and text.strip():
            builder.parse(row, text)
    return builder.build()


class _Builder:
    """Collects rows in any order, then lays them out."""

    def __init__(self, rows: int = 0) -> None:
        self.kind = np.zeros(rows, np.uint8)
        self._count = np.zeros(rows, np.int64)
        self._radius = np.full(rows, np.nan)
        self._pieces: list[tuple[IntArray, FloatArray, FloatArray]] = []
        self._objects: dict[int, Region] = {}
        self._errors: dict[int, RegionError] = {}
        self._mis_wound: list[IntArray] = []

    def add(self, region: Region | None) -> None:
        """Append one row."""
        row = len(self.kind)
        self.kind = np.append(self.kind, np.uint8(ABSENT))
        self._count = np.append(self._count, 0)
        self._radius = np.append(self._radius, np.nan)
        if region is not None:
            self._accept(row, region)

    def parse(self, row: int, text: str) -> None:
        """Read one row by the complete grammar."""
        try:
            region = parse_region(text)
        except RegionError as error:
            self._errors[row] = error
            return
        self._accept(row, region)

    def _accept(self, row: int, region: Region) -> None:
        try:
            sound, mis_wound = normalise_delivered(region)
        except RegionError as error:
            self._errors[row] = error
            return
        if mis_wound:
            self._mis_wound.append(np.array([row]))
        where = np.array([row])
        match sound:
            case Point():
                self._lay(POINT, where, np.array([[sound.ra]]), np.array([[sound.dec]]))
            case Circle():
                self._radius[row] = sound.radius
                self._lay(CIRCLE, where, np.array([[sound.ra]]), np.array([[sound.dec]]))
            case Polygon():
                corners = np.array(sound.vertices)
                self._lay(POLYGON, where, corners[None, :, 0], corners[None, :, 1])
            case _:
                self.kind[row] = OTHER
                self._objects[row] = sound

    def add_quick(self, rows: IntArray, texts: pa.Array) -> None:
        """Take rows that hold one shape, an ICRS frame or none, and numbers."""
        words = pc.utf8_split_whitespace(texts)
        starts = words.offsets.to_numpy().astype(np.int64)
        flat = words.flatten()
        shape = pc.utf8_length(flat.take(pa.array(starts[:-1]))).to_numpy()
        second = pc.utf8_slice_codeunits(flat.take(pa.array(starts[:-1] + 1)), 0, 1)
        framed = pc.is_in(second, pa.array(["I", "i", "J", "j"])).to_numpy(zero_copy_only=False)
        first = starts[:-1] + 1 + framed
        counts = starts[1:] - first
        is_number = np.ones(len(flat), dtype=np.bool_)
        is_number[starts[:-1]] = False
        is_number[(starts[:-1] + 1)[framed]] = False
        numbers = pc.cast(flat.filter(pa.array(is_number)), pa.float64()).to_numpy()
        begins = np.concatenate(([0], np.cumsum(counts)[:-1]))
        forms = shape.astype(np.int64) << 32 | counts
        for form in np.unique(forms).tolist():
            chosen, length, count = np.flatnonzero(forms == form), form >> 32, form & 0xFFFFFFFF
            table = numbers[begins[chosen][:, None] + np.arange(count)]
            self._take_table(length, rows[chosen], table)

    def _take_table(self, length: int, rows: IntArray, table: FloatArray) -> None:
        if length == len("POLYGON") and table.shape[1] % 2 == 0 and table.shape[1] >= 6:
            self._take_polygons(rows, table[:, 0::2], table[:, 1::2])
        elif (length == len("CIRCLE") and table.shape[1] == 3) or (
            length == len("POSITION") and table.shape[1] == 2
        ):
            sound = _in_range(table[:, :1], table[:, 1:2])
            if table.shape[1] == 3:
                sound = sound & (table[:, 2] >= 0.0) & (table[:, 2] <= 180.0)
                self._radius[rows[sound]] = table[sound, 2]
            kind = CIRCLE if table.shape[1] == 3 else POINT
            self._lay(kind, rows[sound], _wrapped(table[sound, :1]), table[sound, 1:2])

    def _take_polygons(self, rows: IntArray, ra: FloatArray, dec: FloatArray) -> None:
        """Accept sound polygons; the rest stays for the complete reader, which names the trouble."""
        if ra.shape[1] > MOST_VERTICES:
            return
        good = _in_range(ra, dec)
        rows, ra, dec = rows[good], _wrapped(ra[good]), dec[good]
        vertices = unit_vectors(ra, dec)
        steps = lengths(vertices - np.roll(vertices, 1, axis=1))
        closed = (steps[:, 0] <= TOLERANCE) & (steps[:, 1:] > TOLERANCE).all(axis=1)
        if closed.any() and ra.shape[1] > 3:
            self._take_polygons(rows[closed], ra[closed, :-1], dec[closed, :-1])
        distinct = (steps > TOLERANCE).all(axis=1)
        rows, ra, dec, vertices = rows[distinct], ra[distinct], dec[distinct], vertices[distinct]
        edges = polygons.Edges.of(vertices)
        simple = polygons.plainly_convex(vertices, edges)
        doubtful = np.flatnonzero(~simple)
        simple[doubtful] = polygons.verdicts(vertices[doubtful], edges[doubtful]) == polygons.SOUND
        wrong = polygons.beyond_hemisphere(edges) & simple
        self._mis_wound.append(rows[wrong])
        # Reversed, with the first vertex in its place.
        order = np.concatenate(([0], np.arange(ra.shape[1] - 1, 0, -1)))
        ra[wrong], dec[wrong] = ra[wrong][:, order], dec[wrong][:, order]
        self._lay(POLYGON, rows[simple], ra[simple], dec[simple])

    def _lay(self, kind: int, rows: IntArray, ra: FloatArray, dec: FloatArray) -> None:
        self.kind[rows] = kind
        self._count[rows] = ra.shape[1]
        self._pieces.append((rows, ra, dec))

    def build(self) -> Footprints:
        """Lay the rows out in order."""
        offsets = np.concatenate(([0], np.cumsum(self._count)))
        flat_ra, flat_dec = np.empty(offsets[-1]), np.empty(offsets[-1])
        for rows, ra, dec in self._pieces:
            places = offsets[rows][:, None] + np.arange(ra.shape[1])
            flat_ra[places], flat_dec[places] = ra, dec
        wrong = np.sort(np.concatenate([np.empty(0, np.int64), *self._mis_wound]))
        return Footprints(
            self.kind, offsets, flat_ra, flat_dec, self._radius, self._objects, self._errors, wrong
        )


def _in_range(ra: FloatArray, dec: FloatArray) -> BoolArray:
    fine: BoolArray = np.all((np.abs(dec) <= 90.0) & (ra >= -360.0) & (ra <= 720.0), axis=1)
    return fine


def _wrapped(ra: FloatArray) -> FloatArray:
    turned = ra % 360.0
    return np.where(turned >= 360.0, 0.0, turned) + 0.0


def _concatenate(parts: list[Footprints]) -> Footprints:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return _Builder().build()
    rows = np.cumsum([0] + [len(part) for part in parts])
    flat = np.cumsum([0] + [len(part.ra) for part in parts])
    shifted = list(zip(rows.tolist(), flat.tolist(), parts, strict=False))
    return Footprints(
        np.concatenate([part.kind for part in parts]),
        np.concatenate([np.zeros(1, np.int64)] + [part.offsets[1:] + start for _, start, part in shifted]),
        np.concatenate([part.ra for part in parts]),
        np.concatenate([part.dec for part in parts]),
        np.concatenate([part.radius for part in parts]),
        {row + first: region for first, _, part in shifted for row, region in part.objects.items()},
        {row + first: error for first, _, part in shifted for row, error in part.errors.items()},
        np.concatenate([part.mis_wound + first for first, _, part in shifted]),
    )
