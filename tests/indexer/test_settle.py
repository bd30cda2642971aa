"""Claims of one batch are settled one after the other; the last record of an id is what the lake keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from indexer.settle import Claim, OnRecord, decide
from indexer.summary import Outcome

CLAIM = Claim(
    place=("night", "a.fits"),
    location="/night/a.fits",
    holding="reference",
    size=2880,
    mtime=1,
    checksum="00",
    own_id=None,
    content_type="application/fits",
    file_name="a.fits",
    release_date=datetime(2030, 1, 1),  # noqa: DTZ001 - naive UTC
)


def test_a_file_touched_in_the_batch_that_brings_it_keeps_all_that_is_known_of_it() -> None:
    known = OnRecord()
    first = decide(CLAIM, known)
    again = decide(replace(CLAIM, mtime=2), known)
    assert (first.outcome, again.outcome) == (Outcome.ACCEPTED, Outcome.UNCHANGED)
    assert first.record is not None
    assert again.record == {**first.record, "mtime": 2}
    assert again.record["content_type"] == "application/fits"
    assert again.record["release_date"] == CLAIM.release_date


def test_a_file_that_is_as_recorded_changes_nothing() -> None:
    known = OnRecord()
    decide(CLAIM, known)
    assert decide(CLAIM, known).record is None
