"""One process holds the lease at a time, and another has it soon after that one is gone."""

from __future__ import annotations

import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from store.elastic.lease import Lease, LeaseLost, _where
from store.elastic.names import Names
from store.elastic.state import prepare, write_document

pytestmark = pytest.mark.slow

_NUMBERS = itertools.count()

New = Callable[..., Lease]


class Hands:
    """A clock that goes only when it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def names(client: Elasticsearch) -> Names:
    found = Names(f"lease{next(_NUMBERS)}")
    prepare(client, found)
    return found


@pytest.fixture
def new(client: Elasticsearch, names: Names) -> Iterator[New]:
    made: list[Lease] = []

    def lease(**options: Any) -> Lease:
        made.append(Lease(client, names, **options))
        return made[-1]

    yield lease
    for one in made:
        one.release()


def test_preparing_twice_is_harmless(client: Elasticsearch, names: Names) -> None:
    prepare(client, names)


def test_one_of_two_has_it(new: New) -> None:
    one, other = new(), new()
    assert one.acquire()
    assert not other.acquire()
    assert one.acquire()
    assert (one.held, other.held) == (True, False)
    one.require()
    with pytest.raises(LeaseLost):
        other.require()


def test_who_lets_go_is_followed_at_once(new: New) -> None:
    one, other = new(), new()
    assert one.acquire()
    assert not other.acquire()
    one.release()
    assert other.acquire()
    assert not one.held
    assert not one.acquire()


def test_of_many_at_once_one_gets_it(new: New) -> None:
    leases = [new() for _ in range(8)]
    found: list[bool] = []
    threads = [threading.Thread(target=lambda lease=lease: found.append(lease.acquire())) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 7 + [True]


def test_a_holder_that_renews_keeps_it_for_many_terms(new: New) -> None:
    one, other = new(term=1.0), new(term=1.0)
    assert one.acquire()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert not other.acquire()
        time.sleep(0.05)
    assert one.held


def test_it_is_taken_over_after_a_term_without_renewal_by_the_waiting_one_s_clock(new: New) -> None:
    hands = Hands()
    one, other = new(term=3600.0), new(term=10.0, clock=hands)
    assert one.acquire()
    assert not other.acquire()
    hands.now += 9
    assert not other.acquire()
    hands.now += 1
    assert other.acquire()


def test_a_holder_stops_before_anybody_takes_over(new: New) -> None:
    hands = Hands()
    one = new(term=3600.0, clock=hands)
    assert one.acquire()
    hands.now += 0.7 * 3600
    assert one.held
    hands.now += 0.1 * 3600
    assert not one.held


def test_a_holder_that_was_replaced_learns_of_it(new: New, client: Elasticsearch, names: Names) -> None:
    one = new(term=1.0)
    assert one.acquire()
    found = client.get(index=names.state, id="lease")
    place = (found["_seq_no"], found["_primary_term"])
    while write_document(client, names.state, "lease", {"holder": "another"}, place) is None:
        found = client.get(index=names.state, id="lease")
        place = (found["_seq_no"], found["_primary_term"])
    end = time.monotonic() + 60
    while one.held:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert not one.acquire()


def written_by(client: Elasticsearch, names: Names, process: int, where: str) -> None:
    """Leave the lease of another process."""
    holder = {"holder": "another", "process": process, "where": where}
    assert write_document(client, names.state, "lease", holder, None) is not None


def dead() -> int:
    """The number of a process that was."""
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


def test_of_a_process_that_died_on_the_same_machine_it_is_taken_at_once(
    new: New, client: Elasticsearch, names: Names
) -> None:
    written_by(client, names, dead(), _where())
    assert new(term=3600.0).acquire()


def test_of_one_that_lives_or_ran_elsewhere_it_is_not(new: New, client: Elasticsearch, names: Names) -> None:
    written_by(client, names, os.getppid(), _where())
    assert not new(term=3600.0).acquire()
    client.delete(index=names.state, id="lease")
    written_by(client, names, dead(), "elsewhere")
    assert not new(term=3600.0).acquire()
