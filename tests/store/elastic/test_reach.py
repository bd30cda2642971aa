"""Who waited for a cluster that does not answer is not made to wait again at once."""

from __future__ import annotations

import pytest
from elastic_transport import ApiError, ApiResponseMeta, ConnectionTimeout, HttpHeaders, NodeConfig

from store.elastic.client import EngineError
from store.elastic.reach import SEARCH_SECONDS, Reach


class Hands:
    """A clock that goes only when it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def reach(hands: Hands) -> Reach:
    return Reach(hands)


def answered(status: int) -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "nowhere", 9200))
    return ApiError("no", meta, {"error": {"type": "x", "reason": "why"}})


def test_at_first_the_cluster_is_asked(reach: Reach) -> None:
    assert (reach.trouble, reach.away) == (None, None)


def test_while_the_state_cannot_be_read_nothing_is_asked(reach: Reach, hands: Hands) -> None:
    reach.looked("nobody is there")
    hands.now += 3600
    assert reach.trouble == reach.away == "nobody is there"
    reach.looked(None)
    assert reach.trouble is None


@pytest.mark.parametrize("error", [ConnectionTimeout("late"), answered(503), answered(429)])
@pytest.mark.parametrize("seconds", [None, SEARCH_SECONDS, 60.0])
def test_after_a_search_that_was_not_answered_it_rests_a_while(
    reach: Reach, hands: Hands, error: ConnectionTimeout | ApiError, seconds: float | None
) -> None:
    reach.failed(error, seconds)
    assert reach.trouble is not None
    assert reach.away is None, "it is there, and the service ready"
    reach.looked(None)
    assert reach.trouble is not None
    hands.now += 5.0
    assert reach.trouble is None


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ConnectionTimeout("late"), 0.5),
        (answered(400), None),
        (answered(404), None),
        (EngineError("x"), None),
    ],
    ids=["it was given little time", "it was wrong", "its index is gone", "a shard is missing"],
)
def test_what_says_nothing_of_the_cluster_is_not_held_against_it(
    reach: Reach, error: ConnectionTimeout | ApiError | EngineError, seconds: float | None
) -> None:
    reach.failed(error, seconds)
    assert reach.trouble is None
