"""Packages are kept until they expire; checksums of contents stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from store.database import PackageStore, StoredPackage, new_package_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def package(name: str, *, client: str = "a", days: float = 7) -> StoredPackage:
    return StoredPackage(name, client, NOW, NOW + timedelta(days=days), b"\x00content")


def test_a_package_is_what_was_kept(engine: Engine) -> None:
    store = PackageStore(engine)
    store.add(package("one"), now=NOW)
    assert store.get("one") == package("one")
    assert store.get("two") is None


def test_what_expired_is_dropped_with_the_next_package(engine: Engine) -> None:
    store = PackageStore(engine)
    store.add(package("old", days=1), now=NOW)
    store.add(package("other", client="b"), now=NOW)
    later = NOW + timedelta(days=2)
    assert store.load("a", now=NOW) == (2, 1)
    assert store.load("a", now=later) == (1, 0)
    assert store.get("old") is not None
    store.add(package("new"), now=later)
    assert store.get("old") is None


def test_checksums_are_learnt_once_or_again(engine: Engine) -> None:
    store = PackageStore(engine)
    many = {f"{number:064x}": number for number in range(1200)}
    store.learn(many)
    store.learn({f"{7:064x}": 2**32 - 1})
    store.learn({})
    assert store.crcs([*many, "unknown"]) == many | {f"{7:064x}": 2**32 - 1}


def test_identifiers_are_not_guessed() -> None:
    found = {new_package_id() for _ in range(100)}
    assert len(found) == 100
    assert {len(name) for name in found} == {32}
