"""What a run found, as aligned text while it goes on and as JSON in the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.crowd import Rate
from bench.measure import Measured, Timing


class Report:
    """Keeps results and shows each at once; the file is written anew each time, so that nothing is lost."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.facts: dict[str, Any] = {}
        self.timings: dict[str, list[Measured]] = {}
        self.rates: list[Rate] = []
        self.promises: list[dict[str, Any]] = []

    def say(self, text: str = "") -> None:
        """Show a line of text."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def note(self, name: str, value: Any, text: str) -> None:
        """Keep a fact and show it in words."""
        self.facts[name] = value
        self.say(text)
        self._write()

    def time(self, title: str, measured: Sequence[Measured]) -> None:
        """Keep and show a table of times."""
        self.timings[title] = list(measured)
        self.say(f"\n{title}: ms, median and 95 % of requests that took turns")
        for line in time_table(measured):
            self.say(line)
        self._write()

    def crowd(self, rates: Sequence[Rate]) -> None:
        """Keep and show how many requests a crowd got answered."""
        self.rates += rates
        self.say(f"\n{rates[0].clients if rates else 0} clients at once: requests per second, median ms")
        rows = [
            [rate.line, rate.party, f"{rate.per_second:.1f}/s", f"{rate.p50:.1f}", _failures(rate.failures)]
            for rate in rates
        ]
        for line in aligned(rows, left=2):
            self.say(line)
        self._write()

    def promise(self, name: str, found: float | None, bound: float, unit: str = "") -> None:
        """Show whether a bound is kept."""
        if found is None:
            return
        kept = found <= bound
        self.promises.append({"name": name, "found": found, "bound": bound, "unit": unit, "kept": kept})
        self.say(f"{'kept  ' if kept else 'MISSED'} {name}: {found:.2f}{unit}, at most {bound:g}{unit}")
        self._write()

    def found(self, title: str, line: str, party: str) -> Timing | None:
        """Return a time of an earlier table."""
        for each in self.timings.get(title, []):
            if (each.line, each.party) == (line, party):
                return each.timing
        return None

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "facts": self.facts,
            "timings": {title: [asdict(each) for each in rows] for title, rows in self.timings.items()},
            "crowds": [
                {
                    "line": rate.line,
                    "party": rate.party,
                    "clients": rate.clients,
                    "requests_per_second": rate.per_second,
                    "p50": rate.p50,
                    "failures": rate.failures,
                }
                for rate in self.rates
            ],
            "promises": self.promises,
        }

    def _write(self) -> None:
        if self._file is not None:
            draft = self._file.with_name(f"{self._file.name}.part")
            draft.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")
            draft.replace(self._file)


def time_table(measured: Iterable[Measured]) -> list[str]:
    """Return a line for each question, a column for each party."""
    cells: dict[str, dict[str, Measured]] = {}
    parties: dict[str, None] = {}
    for each in measured:
        cells.setdefault(each.line, {})[each.party] = each
        parties.setdefault(each.party)
    rows = [["", "rows", *parties]]
    for line, found in cells.items():
        counts = [each.timing.rows for each in found.values() if each.timing and each.timing.rows is not None]
        rows.append(
            [line, f"{counts[0]:.0f}" if counts else "", *(_cell(found.get(name)) for name in parties)]
        )
    failed = [
        f"! {each.party}, {each.line}: {each.failures} failed: {each.reason}"
        for found in cells.values()
        for each in found.values()
        if each.failures
    ]
    return [*aligned(rows), *failed]


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Align columns: the first ones at the left, the others at the right."""
    if not rows:
        return []
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _cell(each: Measured | None) -> str:
    if each is None:
        return ""
    if each.timing is None:
        return "failed"
    return f"{each.timing.p50:.2f} / {each.timing.p95:.2f}"


def _failures(number: int) -> str:
    return f"{number} failed" if number else ""
