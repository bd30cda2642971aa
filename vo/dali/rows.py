"""The rows of an answer, cut at a limit, and how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

import schemas
from store.port import Answer, QueryError
from vo.dali.faults import Fault, fault_of
from vo.dali.limits import RowLimit


@dataclass(frozen=True, slots=True)
class Ending:
    """How the rows ended; ``text`` is for the user."""

    status: Literal["OK", "OVERFLOW", "ERROR"]
    text: str = ""


class Rows:
    """The rows of an answer, to be read once.

    The engine is asked for one row more than the limit; that row is never shown, and its coming is what
    OVERFLOW means. The first batch is read at once, so that a query that fails at its start raises here.
    A failure after that ends the rows, and ``ending`` says so. A limit of 0 shows no row and always
    overflows (DALI 1.1, section 3.4.4).

    Raises
    ------
    Fault
        When the query fails before its first rows.
    """

    def __init__(self, answer: Answer, limit: RowLimit) -> None:
        self.columns: tuple[schemas.Column, ...] = answer.columns
        self.version = answer.version
        self.notes: tuple[str, ...] = (*limit.warnings, *answer.notes)
        self.ending: Ending | None = None
        self.failure: Fault | None = None
        self._answer = answer
        self._limit = limit
        self._left = limit.rows
        self._first = self._pull(first=True)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches, none of them empty; then ``ending`` is set."""
        try:
            batch = self._first
            self._first = None
            while batch is not None:
                yield batch
                batch = self._pull()
        finally:
            self.close()

    def close(self) -> None:
        """Stop the query; harmless when it has ended."""
        self._answer.close()

    def _pull(self, *, first: bool = False) -> pa.RecordBatch | None:
        """Return the next rows to show, or None at the end."""
        if self.ending is not None:
            return None
        if self._limit.rows == 0:
            self._end(Ending("OVERFLOW", self._limit.overflow))
            return None
        try:
            batch = self._next_batch()
        except QueryError as error:
            fault: Fault = fault_of(error)
            self.failure = fault
            self._end(Ending("ERROR", fault.text))
            if first:
                raise fault from error
            return None
        if batch is None:
            self._end(Ending("OK"))
            return None
        shown = batch.slice(0, self._left)
        self._left -= shown.num_rows
        if shown.num_rows < batch.num_rows:
            self._end(Ending("OVERFLOW", self._limit.overflow))
        return shown if shown.num_rows else None

    def _next_batch(self) -> pa.RecordBatch | None:
        for batch in self._answer.batches:
            if batch.num_rows:
                return batch
        return None

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        self._answer.close()
