"""How far each follower of the lake is, for ``onedfs status`` and for clean-up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import BigInteger, Engine, Table, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.database.base import Base, UtcDateTime, upsert


class FollowerRow(Base):
    """A follower in the database."""

    __tablename__ = "follower"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    heartbeat: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class FollowerState:
    """A follower: its name, the process that is it, the lake version it has applied, and when it said so.

    ``reason`` says why it does not go on; None while it does.
    """

    name: str
    holder: str
    version: int
    heartbeat: datetime
    reason: str | None = None


class FollowerStore:
    """Keeps what followers say of themselves."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def beat(self, name: str, holder: str, version: int, reason: str | None = None) -> None:
        """Say that a follower lives, has applied a version, and why it does not go on, if so."""
        table = cast(Table, FollowerRow.__table__)
        update = dict.fromkeys(["holder", "version", "heartbeat", "reason"])
        row = {
            "name": name,
            "holder": holder,
            "version": version,
            "heartbeat": datetime.now(UTC),
            "reason": reason,
        }
        with self._engine.begin() as connection:
            connection.execute(upsert(self._engine, table, key=["name"], update=update), row)

    def forget(self, name: str, holder: str) -> None:
        """Drop a follower that is no more; another process that has taken its place stays."""
        with self._engine.begin() as connection:
            connection.execute(
                delete(FollowerRow).where(FollowerRow.name == name, FollowerRow.holder == holder)
            )

    def all(self) -> list[FollowerState]:
        """Return all followers by name."""
        with Session(self._engine) as session:
            rows = session.scalars(select(FollowerRow).order_by(FollowerRow.name))
            return [
                FollowerState(row.name, row.holder, row.version, row.heartbeat, row.reason) for row in rows
            ]
