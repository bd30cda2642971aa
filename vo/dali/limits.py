"""How many rows an answer has."""

from __future__ import annotations

from dataclasses import dataclass

from vo.dali.faults import UsageFault


@dataclass(frozen=True, slots=True)
class RowLimit:
    """The number of rows an answer may have, and how to say where that number comes from."""

    rows: int
    reason: str
    lowered_from: int | None = None

    @property
    def overflow(self) -> str:
        """The text of the INFO that says rows are missing."""
        return f"More rows match than the {self.rows} shown: {self.reason}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the caller must be told whatever the number of rows."""
        if self.lowered_from is None:
            return ()
        return (f"MAXREC={self.lowered_from} exceeds the limit of this service; {self.rows} is used",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the service grants: rows without and with MAXREC, and seconds for a query from its arrival."""

    default_rows: int
    hard_rows: int
    seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.default_rows <= self.hard_rows:
            raise ValueError("default_rows must be positive and not exceed hard_rows")

    def rows(self, maxrec: str | None) -> RowLimit:
        """Read a MAXREC value (DALI 1.1, section 3.4.4).

        Raises
        ------
        UsageFault
            When it is not a non-negative integer.
        """
        if maxrec is None or not maxrec.strip():
            return RowLimit(
                self.default_rows, f"default limit of the service; ask with MAXREC, up to {self.hard_rows}"
            )
        text = maxrec.strip()
        if not (text.isascii() and text.isdigit()):
            raise UsageFault(f"MAXREC must be a non-negative integer, not {maxrec[:40]!r}")
        asked = int(text) if len(text) < 20 else 10**19
        if asked > self.hard_rows:
            return RowLimit(self.hard_rows, "hard limit of the service", lowered_from=asked)
        return RowLimit(asked, f"MAXREC={asked}")
