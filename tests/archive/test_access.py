"""The access policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.access import AccessPolicy
from archive.problems import Problem

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = AccessPolicy(realm="archive.example", clock=lambda: NOW)
MOMENTS = st.timedeltas(timedelta(days=-9999), timedelta(days=9999)).map(lambda delta: NOW + delta)


@given(MOMENTS)
def test_bytes_are_public_from_the_release_on(release: datetime) -> None:
    for rights in (None, "proprietary"):
        assert POLICY.is_public(release, rights) == (release <= NOW)
        assert POLICY.is_public(release.replace(tzinfo=None), rights) == (release <= NOW)


def test_the_instant_itself_is_public() -> None:
    POLICY.require_bytes("X", NOW, None)
    with pytest.raises(Problem) as caught:
        POLICY.require_bytes("X", NOW + timedelta(microseconds=1), None)
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"] == 'Bearer realm="archive.example"'


def test_without_a_release_date_bytes_are_public_unless_their_record_withholds_them() -> None:
    POLICY.require_bytes("X", None, None)
    with pytest.raises(Problem, match="needs a release date and has none yet") as caught:
        POLICY.require_bytes("X", None, "proprietary")
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"] == 'Bearer realm="archive.example"'


@pytest.mark.parametrize("release", [None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)])
def test_anonymous_users_never_get_secure_bytes(release: datetime | None) -> None:
    with pytest.raises(Problem, match="is not given to anonymous users") as caught:
        POLICY.require_bytes("X", release, "secure")
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"] == 'Bearer realm="archive.example"'


def test_the_clock_is_that_of_the_wall() -> None:
    policy = AccessPolicy(realm="x")
    assert policy.is_public(datetime.now(UTC) - timedelta(seconds=5), None)
    assert not policy.is_public(datetime.now(UTC) + timedelta(seconds=60), None)
