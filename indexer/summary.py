"""What became of the files or rows of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Outcome(StrEnum):
    """Every file and every loaded row has exactly one."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was quarantined: a file by its path below the root, a row by its number."""

    where: str
    code: str
    message: str


@dataclass(slots=True)
class Summary:
    """Counts of a run.

    Attributes
    ----------
    counts : how many files or rows had each outcome.
    reasons : why, of those quarantined; at most ``most_reasons`` are kept.
    notes : what the caller should know.
    version : lake version after the last batch.
    stopped : whether the run was asked to stop before its end.
    """

    counts: Counter[Outcome] = field(default_factory=Counter)
    reasons: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    version: int = 0
    stopped: bool = False
    most_reasons: int = 10_000

    @property
    def accepted(self) -> int:
        """New files or rows."""
        return self.counts[Outcome.ACCEPTED]

    @property
    def unchanged(self) -> int:
        """Those that were there already."""
        return self.counts[Outcome.UNCHANGED]

    @property
    def replaced(self) -> int:
        """New revisions of what was there."""
        return self.counts[Outcome.REPLACED]

    @property
    def quarantined(self) -> int:
        """Those refused, each with a reason."""
        return self.counts[Outcome.QUARANTINED]

    @property
    def total(self) -> int:
        """All of them."""
        return self.counts.total()

    def count(self, outcome: Outcome, number: int = 1) -> None:
        """Count an outcome."""
        self.counts[outcome] += number

    def quarantine(self, where: str, code: str, message: str) -> None:
        """Count a refusal and keep its reason."""
        self.count(Outcome.QUARANTINED)
        if len(self.reasons) < self.most_reasons:
            self.reasons.append(Reason(where, code, message))

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def add(self, other: Summary) -> None:
        """Add what became of another run's files."""
        self.counts += other.counts
        self.reasons += other.reasons[: self.most_reasons - len(self.reasons)]
        self.stopped = self.stopped or other.stopped
        self.version = max(self.version, other.version)
        for text in other.notes:
            self.note(text)

    def line(self) -> str:
        """Return the last line that commands print."""
        return ", ".join(f"{outcome} {self.counts[outcome]}" for outcome in Outcome)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; ``found`` is the number of files or rows seen so far."""

    found: int
    done: int
    what: str = ""


Report: TypeAlias = Callable[[Progress], None]
"""Called now and then while a run goes on."""
