"""Whatever is done to a lake, it equals a dictionary, at every version, and so does who follows it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from schemas import Column, Kind, Schema, Schemas, Table
from schemas.arrow import HEALPIX
from store.lake import FeedIncomplete, Lake, clean_logs, compact, vacuum

TABLE = Table(
    schema_name="a",
    local_name="t",
    key=("k", "n"),
    columns=(
        Column(name="k", kind=Kind.TEXT),
        Column(name="n", kind=Kind.INT),
        Column(name="v", kind=Kind.LONG),
        Column(name="ra", kind=Kind.DOUBLE),
        Column(name="dec", kind=Kind.DOUBLE),
    ),
    position=("ra", "dec"),
)
DECLARED = Schemas([Schema(name="a", tables=(TABLE,))])
Key = tuple[str, int]
keys = st.tuples(st.sampled_from(["", "a", "a'b", "ü"]), st.integers(0, 2))
rows = st.dictionaries(keys, st.integers(), max_size=5).map(
    lambda found: {key: value % 2**63 for key, value in found.items()}
)


def arrow(found: dict[Key, int]) -> pa.Table:
    return pa.table(
        {
            "k": pa.array([k for k, _ in found], pa.string()),
            "n": pa.array([n for _, n in found], pa.int32()),
            "v": pa.array(found.values(), pa.int64()),
            HEALPIX: pa.array([v % 5 - 1 for v in found.values()], pa.int64()),
        }
    )


def by_key(found: pa.Table) -> dict[Key, int]:
    values = {(row["k"], row["n"]): row["v"] for row in found.to_pylist()}
    assert len(values) == found.num_rows
    return values


class LakeMachine(RuleBasedStateMachine):
    """A lake beside the dictionaries it must equal: the present one, and one per version."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.lake = Lake(self.root, DECLARED)
        self.rows: dict[Key, int] = {}
        self.history: dict[int, dict[Key, int]] = {0: {}}
        self.floor = 0
        self.followed: dict[Key, int] = {}
        self.follower = 0

    @override
    def teardown(self) -> None:
        if hasattr(self, "root"):
            self.read_every_version()
            shutil.rmtree(self.root)

    @rule(
        work=st.lists(
            st.one_of(
                st.tuples(st.just("append"), rows),
                st.tuples(st.just("replace"), rows),
                st.tuples(st.just("delete"), rows),
            ),
            max_size=3,
        ),
        commits=st.booleans(),
    )
    def write(self, work: list[tuple[str, dict[Key, int]]], *, commits: bool) -> None:
        wanted = dict(self.rows)
        with self.lake.writer("work") as writer:
            for method, found in work:
                if method == "append":
                    left_out = writer.append("a.t", arrow(found), dedupe=True)
                    assert by_key(left_out).keys() == found.keys() & wanted.keys()
                    wanted = found | wanted
                elif method == "replace":
                    assert writer.replace("a.t", arrow(found)) == len(found.keys() & wanted.keys())
                    wanted |= found
                else:
                    assert writer.delete("a.t", arrow(found)) == len(found.keys() & wanted.keys())
                    wanted = {key: value for key, value in wanted.items() if key not in found}
            if commits:
                writer.commit()
                self.rows = wanted
        self.remember()

    @rule()
    def compact(self) -> None:
        compact(self.lake)
        self.remember()

    @rule(share=st.floats(0, 1), logs=st.booleans())
    def clean(self, share: float, *, logs: bool) -> None:
        self.floor = max(self.floor, int(share * self.lake.version()))
        (clean_logs if logs else vacuum)(self.lake, self.floor)
        self.remember()

    @rule()
    def reopen(self) -> None:
        self.lake = Lake(self.root, DECLARED)

    @rule()
    def follow(self) -> None:
        try:
            for step in self.lake.changes(self.follower):
                for change in step.changes:
                    for row in change.removed_keys.to_pylist():
                        del self.followed[row["k"], row["n"]]
                    self.followed |= by_key(change.inserted)
                assert self.followed == self.history[step.version]
        except FeedIncomplete:
            assert self.follower < self.floor
            self.followed = dict(self.rows)
        self.follower = self.lake.version()
        assert self.followed == self.rows

    @rule()
    def read_every_version(self) -> None:
        for version in range(self.floor, self.lake.version() + 1):
            assert by_key(self.lake.read("a.t", version)) == self.history[version]
            assert self.lake.row_count("a.t", version) == len(self.history[version])

    def remember(self) -> None:
        for version in range(max(self.history) + 1, self.lake.version() + 1):
            self.history[version] = dict(self.rows)

    @invariant()
    def the_newest_version_is_the_dictionary(self) -> None:
        if hasattr(self, "root"):
            assert by_key(self.lake.read("a.t")) == self.rows


TestLake = LakeMachine.TestCase
TestLake.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLake = pytest.mark.slow(TestLake)
