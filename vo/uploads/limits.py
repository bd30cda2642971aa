"""How large a table may be that users bring."""

from __future__ import annotations

from dataclasses import dataclass

from vo.dali import UsageFault

MOST_ELEMENTS = 100_000
"""Elements of a value whose size is declared at most."""


class Unreadable(UsageFault):
    """A file that is not the table it should be; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """Bytes of a request, and rows and columns of each table."""

    bytes: int = 100_000_000
    rows: int = 1_000_000
    columns: int = 2_000

    def check_bytes(self, count: int) -> None:
        """Raise ``Unreadable`` where a file is too large."""
        if count > self.bytes:
            raise Unreadable(f"it is larger than {self.bytes} bytes")

    def check_columns(self, count: int) -> None:
        """Raise ``Unreadable`` where there are too many columns, or none."""
        if count > self.columns:
            raise Unreadable(f"it has more than {self.columns} columns")
        if not count:
            raise Unreadable("it has no columns")

    def check_rows(self, count: int, row_bytes: int = 0) -> None:
        """Raise ``Unreadable`` where there are too many rows, or rows are declared too wide for so many."""
        if count > self.rows:
            raise Unreadable(f"it has more than {self.rows} rows")
        if count * row_bytes > 2 * self.bytes:
            raise Unreadable(
                f"its values are declared to take {row_bytes} bytes in each row, too many for {count} rows"
            )
