"""Files that were refused, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast

from sqlalchemy import JSON, BigInteger, Engine, Select, Table, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.database.base import Base, UtcDateTime, upsert
from store.database.texts import kept_json, kept_text

MANY = 500
"""Paths asked for in one statement; databases limit parameters."""

_KEY = ("collection", "path", "root")


class QuarantineRow(Base):
    """A refused file in the database.

    Two roots of a collection may hold a file of the same path each, so that the root tells them apart.
    """

    __tablename__ = "quarantine"
    __table_args__ = (UniqueConstraint("collection", "path", "root"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    collection: Mapped[str]
    path: Mapped[str]
    root: Mapped[str]
    size: Mapped[int | None] = mapped_column(BigInteger)
    mtime: Mapped[int | None] = mapped_column(BigInteger)
    checksum: Mapped[str | None]
    code: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    first_seen: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A file that is refused now: where it is, what it was, and why.

    ``path`` is relative to ``root``, which is empty for what is no file; ``mtime`` is in nanoseconds;
    ``code`` is for programs and ``reason`` for people.
    """

    collection: str
    path: str
    root: str
    code: str
    reason: str
    size: int | None = None
    mtime: int | None = None
    checksum: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined(Refusal):
    """A file in quarantine: its number, when it was refused first and last, and how often."""

    id: int
    first_seen: datetime
    last_seen: datetime
    tries: int


class QuarantineStore:
    """Keeps refused files; one entry per collection, path and root, for any number of processes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, refusals: Iterable[Refusal]) -> None:
        """Enter refused files; one that is there already gets the new reason and one try more."""
        moment = datetime.now(UTC)
        rows = [_row(refusal, moment) for refusal in refusals]
        if not rows:
            return
        # In one order, so that processes that enter the same files wait for each other and never in a circle.
        rows.sort(key=lambda row: [row[name] for name in _KEY])
        table = cast(Table, QuarantineRow.__table__)
        kept = {"id", *_KEY, "first_seen", "tries"}
        update = {column.name: None for column in table.columns if column.name not in kept}
        statement = upsert(self._engine, table, key=_KEY, update={**update, "tries": table.c.tries + 1})
        with self._engine.begin() as connection:
            connection.execute(statement, rows)

    def clear(self, collection: str, paths: Iterable[str], root: str = "") -> int:
        """Forget files below a root that were accepted after all; returns how many were in quarantine."""
        cleared = 0
        with self._engine.begin() as connection:
            for some in _some(paths):
                statement = delete(QuarantineRow).where(
                    QuarantineRow.collection == kept_text(collection),
                    QuarantineRow.root == kept_text(root),
                    QuarantineRow.path.in_([kept_text(path) for path in some]),
                )
                cleared += connection.execute(statement).rowcount
        return cleared

    def get(self, number: int) -> Quarantined | None:
        """Return the entry of a number, None when there is none."""
        return next(iter(self._found(select(QuarantineRow).where(QuarantineRow.id == number))), None)

    def list(
        self,
        *,
        collection: str | None = None,
        code: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> Sequence[Quarantined]:
        """Return entries in the order of their numbers."""
        statement = select(QuarantineRow).order_by(QuarantineRow.id).limit(limit).offset(offset)
        if collection is not None:
            statement = statement.where(QuarantineRow.collection == kept_text(collection))
        if code is not None:
            statement = statement.where(QuarantineRow.code == code)
        return self._found(statement)

    def to_retry(self, numbers: Sequence[int] | None = None) -> Sequence[Quarantined]:
        """Return what to try again: the entries of these numbers, or all."""
        if numbers is None:
            return self.list()
        found = (self.get(number) for number in numbers)
        return [entry for entry in found if entry is not None]

    def counts(self) -> dict[str, int]:
        """Return how many files are refused for each code."""
        statement = select(QuarantineRow.code, func.count()).group_by(QuarantineRow.code)
        with self._engine.connect() as connection:
            return dict(connection.execute(statement.order_by(QuarantineRow.code)).all())

    def _found(self, statement: Select[QuarantineRow]) -> Sequence[Quarantined]:
        with Session(self._engine) as session:
            return [_entry(row) for row in session.scalars(statement)]


def _some(paths: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(paths)
    while some := list(islice(rest, MANY)):
        yield some


def _row(refusal: Refusal, moment: datetime) -> dict[str, Any]:
    return {
        "collection": kept_text(refusal.collection),
        "path": kept_text(refusal.path),
        "root": kept_text(refusal.root),
        "size": refusal.size,
        "mtime": refusal.mtime,
        "checksum": refusal.checksum,
        "code": refusal.code,
        "reason": kept_text(refusal.reason),
        "details": kept_json(refusal.details),
        "first_seen": moment,
        "last_seen": moment,
        "tries": 1,
    }


def _entry(row: QuarantineRow) -> Quarantined:
    return Quarantined(
        **{column.name: getattr(row, column.name) for column in QuarantineRow.__table__.columns}
    )
