"""The state is replaced entirely or not at all, and by one writer of many."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from elastic_transport import ConnectionTimeout
from elasticsearch import Elasticsearch

from store.elastic import Names, State, StateDocument, TableIndex
from store.elastic.state import Stored, Superseded, prepare

pytestmark = pytest.mark.slow

_NUMBERS = itertools.count()


@pytest.fixture
def names(client: Elasticsearch) -> Names:
    found = Names(f"state{next(_NUMBERS)}")
    prepare(client, found)
    return found


@pytest.fixture
def document(client: Elasticsearch, names: Names) -> StateDocument:
    return StateDocument(client, names)


def state(version: int) -> State:
    return State(version, {"sky.obs": TableIndex("x-1", 5, 1)}, "2026-01-01T00:00:00.000+00:00")


def test_there_is_none_before_the_first(client: Elasticsearch, document: StateDocument) -> None:
    assert document.read() is None
    assert StateDocument(client, Names("nobody")).read() is None


def test_what_is_written_is_read_at_once(document: StateDocument) -> None:
    first = document.write(state(1), None)
    assert document.read() == first == Stored(state(1), first.seq_no, first.primary_term)
    second = document.write(state(2), first)
    assert document.read() == second


def test_who_read_before_another_wrote_is_refused(document: StateDocument) -> None:
    first = document.write(state(1), None)
    document.write(state(2), first)
    for over in (first, None):
        with pytest.raises(Superseded):
            document.write(state(3), over)
    read = document.read()
    assert read is not None
    assert read.state == state(2)


def test_of_many_writers_one_succeeds(document: StateDocument) -> None:
    first = document.write(state(0), None)
    done: list[int] = []

    def write(version: int) -> None:
        try:
            document.write(state(version), first)
        except Superseded:
            return
        done.append(version)

    threads = [threading.Thread(target=write, args=(version,)) for version in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read = document.read()
    assert read is not None
    assert read.state is not None
    assert done == [read.state.version]


def test_a_write_whose_answer_was_lost_is_known_as_one_s_own(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = StateDocument(client, names)
    first = document.write(state(1), None)
    index = client.index

    def lost(**words: Any) -> Any:
        index(**words)
        raise ConnectionTimeout("slow")

    with monkeypatch.context() as patch:
        patch.setattr(client, "index", lost)
        second = document.write(state(2), first)
    assert document.read() == second


def test_a_write_that_did_not_come_through_is_not(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = StateDocument(client, names)
    first = document.write(state(1), None)

    def lost(**_: Any) -> Any:
        raise ConnectionTimeout("slow")

    with monkeypatch.context() as patch:
        patch.setattr(client, "index", lost)
        with pytest.raises(ConnectionTimeout):
            document.write(state(2), first)
    assert document.read() == first


def test_a_state_of_another_format_can_be_replaced(
    document: StateDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.write(state(1), None)
    monkeypatch.setattr("store.elastic.state.FORMAT", 99)
    read = document.read()
    assert read is not None
    assert read.state is None
    assert document.write(state(2), read).state == state(2)
