"""Followers say how far they are."""

from __future__ import annotations

from sqlalchemy import Engine

from store.database import FollowerStore


def test_the_latest_word_of_each_follower_counts(engine: Engine) -> None:
    store = FollowerStore(engine)
    store.beat("index", "host:1", 4)
    store.beat("mirror", "host:2", 9)
    first = store.all()[0]
    store.beat("index", "host:3", 5)
    states = store.all()
    assert [(state.name, state.holder, state.version) for state in states] == [
        ("index", "host:3", 5),
        ("mirror", "host:2", 9),
    ]
    assert states[0].heartbeat > first.heartbeat
    store.forget("mirror")
    assert [state.name for state in store.all()] == ["index"]
