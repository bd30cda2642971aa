"""Results are shown aligned, kept in the file at once, and compared with what was published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import promises, published, rows
from bench.client import Client
from bench.crowd import Rate
from bench.lines import Parties, Questions
from bench.measure import Measured, Timing
from bench.report import Report, time_table
from bench.sample import Sample

MEASURED = [
    Measured("SCS 0.1 deg", "ours", Timing(8.0, 12.0, 10, 345.0)),
    Measured("SCS 0.1 deg", "theirs", Timing(32.0, 164.0, 10, 345.0)),
    Measured("TAP COUNT(*)", "ours", None, 5, "HTTP 503"),
]


def test_a_table_has_a_line_for_each_question_and_tells_of_failures() -> None:
    head, scs, count, failed = time_table(MEASURED)
    assert head.split() == ["rows", "ours", "theirs"]
    assert scs.split() == ["SCS", "0.1", "deg", "345", "8.00", "/", "12.00", "32.00", "/", "164.00"]
    assert count.split() == ["TAP", "COUNT(*)", "failed"]
    assert "HTTP 503" in failed
    assert head.index("theirs") + len("theirs") == len(scs)


def test_the_file_has_what_is_known_so_far(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.json"
    report = Report(file)
    report.note("rows", 10, "10 rows")
    assert json.loads(file.read_text())["facts"] == {"rows": 10}
    report.time("Questions", MEASURED)
    report.promise("SCS", 2.5, 3.0, "x")
    report.promise("COUNT", 7.0, 3.0, " ms")
    report.promise("unknown", None, 3.0)
    kept = json.loads(file.read_text())
    assert kept["timings"]["Questions"][0]["timing"]["p50"] == 8.0
    assert [promise["kept"] for promise in kept["promises"]] == [True, False]
    assert "MISSED COUNT: 7.00 ms, at most 3 ms" in capsys.readouterr().out


def test_factors_say_how_many_times_faster_somebody_is() -> None:
    rates = [Rate("SCS 0.1 deg", "ours", 8, seconds=1.0, lasted=[0.01] * 123)]
    found = published.factors(MEASURED, rates)
    assert found == {
        ("SCS 0.1 deg", "ours"): 4.0,
        ("SCS 0.1 deg", "theirs"): 1.0,
        ("8 clients: SCS 0.1 deg", "ours"): 10.0,
    }


def test_every_published_line_is_one_that_is_asked(tmp_path: Path) -> None:
    rows.write(tmp_path / "rows.parquet", 100)
    parties = Parties({"ours": Client("http://127.0.0.1:1")})
    questions = Questions(Sample(tmp_path / "rows.parquet"), parties, 3)
    asked = {line.name for line in (*questions.quick(), *questions.dumps())}
    asked |= {f"8 clients: {name}" for name in questions.crowds()}
    assert published.published().keys() <= asked


def test_growth_is_what_the_archive_adds_to_that_of_the_machine() -> None:
    report = Report()

    def times(title: str, **found: float) -> None:
        report.timings[title] = [
            Measured("SCS 0.1 deg", party.replace("_", ", "), Timing(p50, p50, 10))
            for party, p50 in found.items()
        ]

    times(promises.QUICK, embedded=10.0, elasticsearch=20.0)
    times(promises.AFTER, embedded=15.0, elasticsearch=50.0, embedded_before=20.0)
    # The machine takes twice as long as it did for what has not changed.
    assert promises.grown(report, "SCS 0.1 deg", "embedded") == 0.75
    assert promises.grown(report, "SCS 0.1 deg", "elasticsearch") == 1.25
    assert promises.grown(report, "unknown", "embedded") is None


def test_bounds_are_those_of_the_bare_engine(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    found = {"elasticsearch": 11.0, "bare elasticsearch": 4.0}
    report.timings[promises.QUICK] = [
        *(Measured("SCS 0.1 deg", party, Timing(p50, p50, 10)) for party, p50 in found.items()),
        *(Measured("TAP COUNT(*)", party, Timing(p50 + 3, p50 + 3, 10)) for party, p50 in found.items()),
        Measured("no-op", "elasticsearch", Timing(1.0, 1.0, 10)),
    ]
    promises.beside_bare(report)
    told = {promise["name"]: (promise["found"], promise["bound"]) for promise in report.promises}
    assert told == {
        "SCS 0.1 deg, beside the bare query": (2.75, 3.0),
        "TAP COUNT(*), no-op + 2x bare + 5 ms": (14.0, 20.0),
    }
    assert capsys.readouterr().out.count("kept") == 2
