"""Followers say how far they are."""

from __future__ import annotations

from sqlalchemy import Engine

from store.database import FollowerStore


def test_the_latest_word_of_each_follower_counts(engine: Engine) -> None:
    store = FollowerStore(engine)
    store.beat("index", "host:1", 4)
    store.beat("mirror", "host:2", 9)
    first = store.all()[0]
    store.beat("index", "host:3", 5, "the disk is full")
    states = store.all()
    assert [(state.name, state.holder, state.version, state.reason) for state in states] == [
        ("index", "host:3", 5, "the disk is full"),
        ("mirror", "host:2", 9, None),
    ]
    assert states[0].heartbeat > first.heartbeat
    store.forget("mirror", "host:2")
    assert [state.name for state in store.all()] == ["index"]


def test_who_ends_takes_nobody_else_s_word_away(engine: Engine) -> None:
    store = FollowerStore(engine)
    store.beat("index", "host:1", 4)
    store.beat("index", "host:2", 4)
    store.forget("index", "host:1")
    assert [state.holder for state in store.all()] == ["host:2"]
