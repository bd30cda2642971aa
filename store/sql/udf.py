"""Functions of the sky and of names that SQL can call; each works on whole Arrow columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType
from numpy.typing import NDArray

from schemas.names import name_keys
from sky import relations
from sky.footprints import ABSENT, Footprints
from sky.healpix import STORED_ORDER, cells, neighbourhoods
from sky.regions import Region, area, centroid
from sky.text import parse_region

Column: TypeAlias = pa.ChunkedArray
Bools: TypeAlias = NDArray[np.bool_]


def register(database: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to an engine; to be done before its configuration is locked."""
    text, number, truth = "VARCHAR", "DOUBLE", "BOOLEAN"
    functions: tuple[tuple[str, Callable[..., pa.Array], list[Any], str], ...] = (
        ("sky_in", _in, [number, number, text], truth),
        ("sky_point_in", _point_in, [number, number, text], truth),
        ("sky_meets", _against(relations.intersects), [text, text], truth),
        ("sky_within", _against(lambda region, rows: relations.within(rows, region)), [text, text], truth),
        ("sky_holds", _against(lambda region, rows: relations.contains(rows, region)), [text, text], truth),
        ("sky_intersects", _pairs(relations.intersects_pairs), [text, text], truth),
        ("sky_contains", _pairs(relations.contains_pairs), [text, text], truth),
        ("sky_area", _area, [text], number),
        ("sky_centre", _centre, [text], "DOUBLE[2]"),
        ("sky_near", _near, ["BIGINT", "BIGINT"], "BIGINT[]"),
        ("sky_cell", _cell, ["BIGINT", number, number], "BIGINT"),
        ("name_key", _name_key, [text], text),
    )
    for name, function, takes, gives in functions:
        database.create_function(
            name,
            function,
            takes,
            gives,
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )


@lru_cache(maxsize=256)
def _constant(text: str) -> Region:
    return parse_region(text)


def _numbers(column: Column) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _flags(values: Bools, missing: Bools) -> pa.Array:
    return pa.array(values, mask=missing)


def _only(column: Column) -> str | None:
    """Return the one text of a constant column."""
    return column[0].as_py() if len(column) else None


def _rows(column: Column) -> tuple[Footprints, Bools]:
    """Parse regions, each distinct text once; a text that is no region counts as missing."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    parsed = Footprints.from_text(encoded.dictionary)
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    if not len(parsed):
        parsed = Footprints.from_text([None])
    return parsed.take(np.maximum(codes, 0)), (codes < 0) | (parsed.kind[codes] == ABSENT)


def _in(ra: Column, dec: Column, region: Column) -> pa.Array:
    text = _only(region)
    lon, lat = _numbers(ra), _numbers(dec)
    if text is None:
        return pa.nulls(len(lon), pa.bool_())
    return _flags(relations.contains_points(_constant(text), lon, lat), ~np.isfinite(lon) | ~np.isfinite(lat))


def _point_in(ra: Column, dec: Column, region: Column) -> pa.Array:
    lon, lat = _numbers(ra), _numbers(dec)
    rows, missing = _rows(region)
    return _flags(
        relations.points_in_footprints(rows, lon, lat), missing | ~np.isfinite(lon) | ~np.isfinite(lat)
    )


def _against(relation: Callable[[Region, Footprints], Bools]) -> Callable[[Column, Column], pa.Array]:
    def function(texts: Column, constant: Column) -> pa.Array:
        text = _only(constant)
        if text is None:
            return pa.nulls(len(texts), pa.bool_())
        rows, missing = _rows(texts)
        return _flags(relation(_constant(text), rows), missing)

    return function


def _pairs(relation: Callable[[Footprints, Footprints], Bools]) -> Callable[[Column, Column], pa.Array]:
    def function(left: Column, right: Column) -> pa.Array:
        (first, first_missing), (second, second_missing) = _rows(left), _rows(right)
        return _flags(relation(first, second), first_missing | second_missing)

    return function


def _measured(texts: Column, measure: Callable[[Region], Any]) -> list[Any]:
    """Measure each region, None where there is none."""
    rows, missing = _rows(texts)
    regions = (None if gone else rows.region(row) for row, gone in enumerate(missing.tolist()))
    return [None if region is None else measure(region) for region in regions]


def _area(texts: Column) -> pa.Array:
    return pa.array(_measured(texts, area), pa.float64())


def _centre(texts: Column) -> pa.Array:
    points = _measured(texts, centroid)
    pairs = [None if point is None else [point.ra, point.dec] for point in points]
    return pa.array(pairs, pa.list_(pa.float64(), 2))


def _cell(order: Column, ra: Column, dec: Column) -> pa.Array:
    depth = _numbers(order)
    found = cells(_numbers(ra), _numbers(dec), STORED_ORDER)
    known = (depth >= 0) & (depth <= STORED_ORDER) & (found >= 0)
    shift = 2 * (STORED_ORDER - np.where(known, depth, STORED_ORDER)).astype(np.int64)
    return pa.array(found >> shift, mask=~known)


def _near(order: Column, cell: Column) -> pa.Array:
    """List the cells of a constant order around cells of order 29; none where there is no position."""
    numbers = cell.combine_chunks()
    if isinstance(numbers, pa.ChunkedArray):
        numbers = numbers.combine_chunks()
    known: NDArray[np.int64] = numbers.fill_null(-1).to_numpy(zero_copy_only=False)
    if not len(known):
        return pa.array([], pa.list_(pa.int64()))
    depth = int(order[0].as_py())
    around = neighbourhoods(np.maximum(known, 0) >> 2 * (STORED_ORDER - depth), depth)
    valid = (around >= 0) & (known >= 0)[:, None]
    offsets = np.concatenate(([0], np.cumsum(valid.sum(axis=1)))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(around[valid]))


def _name_key(names: Column) -> pa.Array:
    """Compute keys of names, each distinct name once."""
    encoded = names.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return name_keys(encoded.dictionary).take(encoded.indices)
