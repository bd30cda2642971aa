"""What Elasticsearch aggregates exactly, and how its answer is read as groups.

Exact are: the count of hits; ``terms`` across shards when it left nothing out; ``composite``; ``missing`` and
``value_count``; ``min`` and ``max``, which are doubles, of numbers that every double near them tells apart.
Texts longer than those that are indexed look like missing ones, so that there must be none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import schemas
from schemas import Kind
from schemas.arrow import arrow_schema, arrow_type
from schemas.elastic import field_name
from store.elastic.columns import Body
from store.elastic.gather import Inexact, as_array
from store.elastic.whole import CERTAIN, COUNT, Measure, Whole

MOST_GROUPS = 10_000
"""Groups that are read from Elasticsearch at most; of more, the lake's columns are read sooner."""

_EXACT = 2**53
"""Whole numbers below which every one is a double, and no other is rounded to it."""

_WHOLE = frozenset({Kind.SHORT, Kind.INT, Kind.LONG, Kind.TIMESTAMP})


def aggregations(whole: Whole) -> dict[str, Body]:
    """Return the aggregations that tell all groups of some hits."""
    measures = {f"m{place}": _measure(each) for place, each in enumerate(whole.measures)}
    texts = {column.name for column in (*whole.keys, *_measured(whole)) if column.kind is Kind.TEXT}
    found: dict[str, Body] = {
        f"long {name}": {"filter": {"term": {"_ignored": field_name(name)}}} for name in sorted(texts)
    }
    beside: Body = {"aggs": measures} if measures else {}
    chosen: Body
    match whole.keys:
        case ():
            return found | measures
        case (key,):
            name = field_name(key.name)
            chosen = {"field": name, "size": MOST_GROUPS}
            found["groups"] = {"terms": chosen, **beside}
            found["null"] = {"missing": {"field": name}, **beside}
        case _:
            sources = [
                {f"k{place}": {"terms": {"field": field_name(key.name), "missing_bucket": True}}}
                for place, key in enumerate(whole.keys)
            ]
            chosen = {"size": MOST_GROUPS, "sources": sources}
            found["groups"] = {"composite": chosen, **beside}
    return found


def _measured(whole: Whole) -> Iterator[schemas.Column]:
    return (measure.column for measure in whole.measures)


def _measure(measure: Measure) -> Body:
    name = field_name(measure.column.name)
    if measure.name == "count":
        return {"value_count": {"field": name}}
    if measure.column.kind is Kind.TEXT:
        order = "asc" if measure.name == "min" else "desc"
        return {"terms": {"field": name, "size": 1, "order": {"_key": order}}}
    return {measure.name: {"field": name}}


@dataclass
class _Groups:
    """Groups as they are read: values of keys and of measures, and how many rows each has."""

    keys: list[tuple[Any, ...]] = field(default_factory=list)
    measures: list[tuple[Any, ...]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, whole: Whole, key: tuple[Any, ...], count: int, bucket: Mapping[str, Any]) -> None:
        """Take a group over."""
        self.keys.append(key)
        self.counts.append(count)
        self.measures.append(
            tuple(_measured_value(each, bucket[f"m{place}"]) for place, each in enumerate(whole.measures))
        )


def groups(whole: Whole, hits: int, answer: Mapping[str, Any]) -> pa.Table:
    """Read the groups of so many hits from what :func:`aggregations` was answered with.

    Raises
    ------
    Inexact
        When it does not tell them exactly.
    """
    for name in answer:
        if name.startswith("long ") and answer[name]["doc_count"]:
            raise Inexact(f"texts of {name.removeprefix('long ')} are too long to be indexed")
    found = _Groups()
    match whole.keys:
        case ():
            found.add(whole, (), hits, answer)
        case (key,):
            terms = answer["groups"]
            if terms["sum_other_doc_count"] or terms["doc_count_error_upper_bound"]:
                raise Inexact(f"{key.name} has too many values")
            for bucket in terms["buckets"]:
                found.add(whole, (key_value(key, bucket["key"]),), bucket["doc_count"], bucket)
            if answer["null"]["doc_count"]:
                found.add(whole, (None,), answer["null"]["doc_count"], answer["null"])
        case keys:
            buckets = answer["groups"]["buckets"]
            if len(buckets) >= MOST_GROUPS:
                raise Inexact("there are too many groups")
            for bucket in buckets:
                values = (key_value(key, bucket["key"][f"k{place}"]) for place, key in enumerate(keys))
                found.add(whole, tuple(values), bucket["doc_count"], bucket)
    return _as_table(whole, found)


def key_value(column: schemas.Column, value: Any) -> Any:
    """Return the value that a group has, from the key of its bucket."""
    return bool(value) if column.kind is Kind.BOOLEAN and value is not None else value


def _measured_value(measure: Measure, answer: Mapping[str, Any]) -> Any:
    kind = measure.column.kind
    if measure.name != "count" and kind is Kind.TEXT:
        return answer["buckets"][0]["key"] if answer["buckets"] else None
    value = answer["value"]
    if value is None or measure.name == "count":
        return value
    if kind not in _WHOLE:
        return value
    if abs(value) >= _EXACT:
        raise Inexact(f"numbers of {measure.column.name} are too great for {measure.name.upper()}")
    return int(value)


def _as_table(whole: Whole, found: _Groups) -> pa.Table:
    columns = whole.columns(tested=False)
    values: list[Sequence[Any]] = [
        *([key[place] for key in found.keys] for place in range(len(whole.keys))),
        *([each[place] for each in found.measures] for place in range(len(whole.measures))),
        found.counts,
        [True] * len(found.counts),
    ]
    arrays = [as_array(column, list(each)) for column, each in zip(columns, values, strict=True)]
    return pa.table(arrays, schema=arrow_schema(columns))


def single_rows(whole: Whole, rows: pa.Table, *, tested: bool) -> pa.Table:
    """Return rows as groups of one row each; ``tested``: with the columns that they are tested by."""
    columns = whole.columns(tested=tested)
    made: dict[str, pa.ChunkedArray | pa.Array] = {name.lower(): rows[name] for name in rows.schema.names}
    for measure in whole.measures:
        values = rows[measure.column.name]
        there = pc.is_valid(values).cast(pa.int64())
        made[measure.field.name.lower()] = there if measure.name == "count" else values
    made[COUNT] = pa.array([1] * rows.num_rows, pa.int64())
    made[CERTAIN] = pa.array([None if tested else True] * rows.num_rows, pa.bool_())
    return pa.table([made[c.name.lower()].cast(arrow_type(c)) for c in columns], schema=arrow_schema(columns))
