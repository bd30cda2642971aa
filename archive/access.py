"""Who may have the bytes of a file. Every route that sends bytes asks here, and nowhere else.

A file with a release date is public from that instant on (UTC, the instant included); before it, an
anonymous user gets 401 with a challenge. A file without one is public unless its record says that it is
withheld until it has one. One whose record says ``secure`` is for users who say who they are, from its
release on: there are no accounts yet, so that nobody gets it. Metadata and headers are public always.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from archive.problems import Problem
from store.served import PROPRIETARY, SECURE, is_held


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The rule for anonymous users, with the clock it reads and the realm of its challenge."""

    realm: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def is_public(self, release_date: datetime | None, rights: str | None) -> bool:
        """Whether anyone may have the bytes now; a date without time zone is UTC.

        ``rights`` is the word that the file's record stores.
        """
        if release_date is not None and release_date.tzinfo is None:
            release_date = release_date.replace(tzinfo=UTC)
        return rights != SECURE and not is_held(rights, release_date, self.clock())

    def require_bytes(self, dp_id: str, release_date: datetime | None, rights: str | None) -> None:
        """Let the request pass when the user may have the file's bytes; see ``is_public``.

        Raises
        ------
        Problem
            401 with a challenge when the data are not public, or not yet.
        """
        if self.is_public(release_date, rights):
            return
        challenge = {"WWW-Authenticate": f'Bearer realm="{self.realm}"'}
        if rights == SECURE:
            text = f"{dp_id} is secure: it is not given to anonymous users"
            raise Problem(401, text, kind="secure", headers=challenge, data_rights=SECURE)
        when = (
            None if release_date is None else release_date.replace(tzinfo=None).isoformat(timespec="seconds")
        )
        until = "it needs a release date and has none yet" if when is None else f"until {when} UTC"
        raise Problem(
            401,
            f"{dp_id} is proprietary{': ' if when is None else ' '}{until}",
            kind="proprietary",
            headers=challenge,
            release_date=when,
            data_rights=PROPRIETARY,
        )
