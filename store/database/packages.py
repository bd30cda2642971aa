"""Packages of files that users asked for, and what was learnt of files while they were sent."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import BigInteger, Engine, LargeBinary, Table, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.database.base import Base, UtcDateTime, upsert

_AT_ONCE = 500
"""Values of one statement at most."""


class PackageRow(Base):
    """A package in the database."""

    __tablename__ = "package"

    id: Mapped[str] = mapped_column(primary_key=True)
    client: Mapped[str] = mapped_column(index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    expires: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class ContentCrcRow(Base):
    """The CRC-32 of a content."""

    __tablename__ = "content_crc"

    checksum: Mapped[str] = mapped_column(primary_key=True)
    crc32: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """A package as it is kept: what it holds, in a form of its owner's choice, and until when.

    ``client`` tells only whether two packages were asked for by the same client.
    """

    id: str
    client: str
    created: datetime
    expires: datetime
    content: bytes


def new_package_id() -> str:
    """Return an identifier that nobody guesses."""
    return secrets.token_hex(16)


class PackageStore:
    """Keeps packages until they expire, and the CRC-32 of contents by their SHA-256."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, package: StoredPackage, *, now: datetime) -> None:
        """Keep a package; those that expired before ``now`` are dropped."""
        with Session(self._engine) as session, session.begin():
            session.execute(delete(PackageRow).where(PackageRow.expires <= now))
            session.add(
                PackageRow(
                    id=package.id,
                    client=package.client,
                    created=package.created,
                    expires=package.expires,
                    content=package.content,
                )
            )

    def get(self, package_id: str) -> StoredPackage | None:
        """Return a package, expired or not; None when there is none of that id, or no more."""
        with Session(self._engine) as session:
            row = session.get(PackageRow, package_id)
            if row is None:
                return None
            return StoredPackage(row.id, row.client, row.created, row.expires, row.content)

    def load(self, client: str, *, now: datetime) -> tuple[int, int]:
        """Return how many packages are kept at a time: all, and those of one client."""
        kept = select(func.count()).select_from(PackageRow).where(PackageRow.expires > now)
        with Session(self._engine) as session:
            everybody = session.scalar(kept) or 0
            own = session.scalar(kept.where(PackageRow.client == client)) or 0
        return everybody, own

    def crcs(self, checksums: Collection[str]) -> dict[str, int]:
        """Return the CRC-32 of those contents of which it is known."""
        wanted = sorted(set(checksums))
        found: dict[str, int] = {}
        with Session(self._engine) as session:
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                rows = session.execute(
                    select(ContentCrcRow.checksum, ContentCrcRow.crc32).where(
                        ContentCrcRow.checksum.in_(some)
                    )
                )
                found.update((row.checksum, row.crc32) for row in rows)
        return found

    def learn(self, crcs: Mapping[str, int]) -> None:
        """Keep the CRC-32 of contents by their SHA-256."""
        if not crcs:
            return
        table = cast(Table, ContentCrcRow.__table__)
        rows = [{"checksum": checksum, "crc32": crc} for checksum, crc in sorted(crcs.items())]
        with self._engine.begin() as connection:
            statement = upsert(self._engine, table, key=["checksum"], update={"crc32": None})
            connection.execute(statement, rows)
