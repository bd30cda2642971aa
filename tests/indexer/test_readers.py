"""Reader processes may die or hang; each costs the one file that it was reading."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from indexer.errors import FileRefused, IngestError
from indexer.readers import ReaderPool, read_here


@dataclass(frozen=True)
class Word:
    text: str
    seconds: float = 60.0


def read(word: Word) -> str:
    match word.text:
        case "die":
            os._exit(1)
        case "hang":
            time.sleep(60)
        case "fail":
            raise ZeroDivisionError("by zero")
        case "refuse":
            raise FileRefused("code", "A reason.")
        case "stop":
            raise IngestError("storage", "The disk is full.")
        case "late":
            time.sleep(0.3)
    return word.text.upper()


def prepare() -> Callable[[Word], str]:
    return read


def cannot_prepare() -> Callable[[Word], str]:
    raise IngestError("package", "A package is wrong.")


def told(result: str | FileRefused) -> str:
    return result if isinstance(result, str) else result.code


@pytest.mark.slow
def test_results_keep_the_order_of_the_jobs_whatever_happens_to_processes() -> None:
    words = ["late", "a", "die", "b", "fail", *"cdefgh", "refuse", "hang", "i", "die", *"jkl"]
    jobs = [Word(text, 1.0 if text == "hang" else 60.0) for text in words]
    expected = {"die": "reader-died", "fail": "reader-failed", "refuse": "code", "hang": "too-slow"}
    with ReaderPool[Word, str](prepare, 2) as pool:
        found = [(job.text, told(result)) for job, result in pool.results(jobs)]
    assert found == [(text, expected.get(text, text.upper())) for text in words]


@pytest.mark.slow
def test_what_concerns_the_whole_run_stops_it() -> None:
    with ReaderPool[Word, str](prepare, 1) as pool, pytest.raises(IngestError, match="disk is full"):
        list(pool.results([Word("a"), Word("stop"), Word("b")]))
    with ReaderPool[Word, str](cannot_prepare, 1) as pool, pytest.raises(IngestError, match="is wrong"):
        list(pool.results([Word("a")]))


def test_reading_here_gives_the_same_results() -> None:
    found = [told(result) for _, result in read_here(prepare, map(Word, ["a", "fail", "refuse"]))]
    assert found == ["A", "reader-failed", "code"]
    with pytest.raises(IngestError):
        list(read_here(prepare, [Word("stop")]))


def late_to_prepare() -> Callable[[Word], str]:
    time.sleep(0.5)
    return read


@pytest.mark.slow
def test_a_process_that_starts_when_the_run_is_over_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with ReaderPool[Word, str](late_to_prepare, 1) as pool:
        time.sleep(0.1)
        processes = [reader.process for reader in pool._readers]
        for reader in pool._readers:
            reader.pipe.close()
        for process in processes:
            process.join(30)
    assert [process.exitcode for process in processes] == [0]
    assert capfd.readouterr().err == ""
