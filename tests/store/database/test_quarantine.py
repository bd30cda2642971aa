"""The quarantine: every refused file once, with its latest reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine

from store.database import QuarantineStore, Refusal


@pytest.fixture
def store(engine: Engine) -> QuarantineStore:
    return QuarantineStore(engine)


def refusal(path: str, **more: Any) -> Refusal:
    values = {"collection": "eso", "root": "/data", "code": "truncated", "reason": "It ends early."}
    return Refusal(path=path, **{**values, **more})


def test_an_entry_says_all_that_was_said(store: QuarantineStore) -> None:
    told = refusal(
        "ä/b.fits", size=2**40, mtime=1_700_000_000_123_456_789, checksum="c", details={"hdu": [1, 2]}
    )
    store.put([told])
    (entry,) = store.list()
    assert {name: getattr(entry, name) for name in Refusal.__slots__} == {
        name: getattr(told, name) for name in Refusal.__slots__
    }
    assert entry.tries == 1
    assert entry.first_seen == entry.last_seen
    assert entry.first_seen.utcoffset() is not None
    assert store.get(entry.id) == entry


def test_a_file_refused_again_keeps_its_number_and_gets_the_new_reason(store: QuarantineStore) -> None:
    store.put([refusal("a")])
    (first,) = store.list()
    store.put([refusal("a", code="empty", reason="It is empty."), refusal("b")])
    again = store.get(first.id)
    assert again is not None
    assert (again.code, again.tries, again.first_seen) == ("empty", 2, first.first_seen)
    assert again.last_seen > first.last_seen
    assert [entry.path for entry in store.list()] == ["a", "b"]


def test_the_same_path_in_two_collections_is_two_files(store: QuarantineStore) -> None:
    store.put([refusal("a"), refusal("a", collection="hst")])
    assert store.clear("eso", ["a", "never-there"], "/data") == 1
    assert [entry.collection for entry in store.list()] == ["hst"]


def test_the_same_path_below_two_roots_is_two_files(store: QuarantineStore) -> None:
    store.put([refusal("a"), refusal("a", root="/disk"), refusal("a", root="/disk")])
    assert [(entry.root, entry.tries) for entry in store.list()] == [("/data", 1), ("/disk", 2)]
    assert store.clear("eso", ["a"], "/disk") == 1
    assert [entry.root for entry in store.list()] == ["/data"]


def test_lists_are_narrowed_and_paged(store: QuarantineStore) -> None:
    store.put([refusal(str(n), code="empty" if n % 2 else "truncated") for n in range(10)])
    assert [entry.path for entry in store.list(code="empty", limit=2, offset=1)] == ["3", "5"]
    assert list(store.list(collection="hst")) == []
    assert store.counts() == {"empty": 5, "truncated": 5}


def test_many_paths_are_cleared_at_once(store: QuarantineStore) -> None:
    paths = [str(number) for number in range(1_300)]
    store.put([refusal(path) for path in paths])
    assert store.clear("eso", iter([*paths[1:], "other"]), "/data") == 1_299
    assert [entry.path for entry in store.list()] == ["0"]


def test_what_to_retry_is_all_or_the_named_numbers(store: QuarantineStore) -> None:
    store.put([refusal(path) for path in "abc"])
    numbers = [entry.id for entry in store.list()]
    assert [entry.path for entry in store.to_retry()] == ["a", "b", "c"]
    assert [entry.path for entry in store.to_retry([numbers[2], 999])] == ["c"]


def test_nothing_to_enter_is_fine(store: QuarantineStore) -> None:
    store.put([])
    assert (store.list(), store.get(1), store.counts()) == ([], None, {})


@pytest.mark.parametrize("word", ["a\x00b", "caf\udce9", "\U0001f52d", "'; DROP TABLE quarantine; --", "%s"])
def test_any_text_is_kept_in_some_form(store: QuarantineStore, word: str) -> None:
    told = refusal(f"{word}/x.fits", reason=word, details={"value": word, "list": [word, 1.5, None]})
    store.put([told])
    store.put([told])
    (entry,) = store.list()
    assert entry.tries == 2
    assert not set(entry.reason) & {"\x00", "\udce9"}
    assert entry.details == {"value": entry.reason, "list": [entry.reason, 1.5, None]}
    assert store.clear("eso", [told.path], "/data") == 1


def test_numbers_that_json_does_not_have_are_kept_as_words(store: QuarantineStore) -> None:
    store.put([refusal("a", details={"value": float("nan"), "values": [float("inf"), -float("inf"), 1.0]})])
    (entry,) = store.list()
    assert entry.details == {"value": "nan", "values": ["inf", "-inf", 1.0]}


@pytest.mark.slow
def test_writers_of_the_same_files_in_other_orders_do_not_block_each_other(store: QuarantineStore) -> None:
    paths = [str(number) for number in range(200)]

    def write(turn: int) -> None:
        for _ in range(10):
            store.put([refusal(path) for path in (paths if turn % 2 else reversed(paths))])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert {entry.tries for entry in store.list()} == {40}
