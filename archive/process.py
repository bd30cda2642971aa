"""What all requests of one serving process share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from archive.access import AccessPolicy
from archive.api.cursor import Cursors
from archive.presence import servers
from archive.settings import Settings
from store.database import PackageStore
from store.lake import Lake
from store.port import Index, IndexStatus, Site
from vo.jobs import Jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The parts of the application; ``archive.factory`` puts them together."""

    settings: Settings
    site: Site
    lake: Lake
    index: Index
    policy: AccessPolicy
    cursors: Cursors
    jobs: Jobs
    packages: PackageStore
    secret: bytes
    """What the archive alone knows: key of digests and cursors."""
    started_at: int
    """The lake's version when the process started."""
    waits_for: Callable[[], str | None] = lambda: None
    """Why the follower does not go on, if it says so."""

    def not_ready(self) -> str | None:
        """Say why requests had better go elsewhere for now; None when the index has caught up.

        While the engine's servers are away the lake answers, more slowly and without what came since.
        """
        status = self.index.status()
        reason = _lagging(status, self.started_at)
        if reason is None and status.away is not None:
            return f"{status.away}; the lake answers at version {status.version} of {status.lake_version}"
        return reason

    def behind(self) -> str | None:
        """Say why the index does not show the lake's newest version, if something keeps it from that."""
        status = self.index.status()
        if status.version is None or status.version >= status.lake_version:
            return None
        return self.waits_for() or status.reason

    def wait_ready(self, seconds: float) -> None:
        """Wait until the index has caught up, or the time is over."""
        end = time.monotonic() + seconds
        while self.not_ready() and time.monotonic() < end:
            time.sleep(0.02)

    def worker_not_ready(self) -> str | None:
        """Say which other worker behind the same address has not caught up; None when all have.

        A client does not choose the worker that answers it, so one that lags makes the address not ready.
        """
        for server in servers(self.settings.run_root):
            if server.is_beside() and (server.version is None or server.version < self.started_at):
                return f"worker {server.pid} is still opening the index"
        return None

    def close(self) -> None:
        """Release what the parts hold."""
        self.index.close()


def _lagging(status: IndexStatus, wanted: int) -> str | None:
    if status.version is None:
        return status.reason or "the index is being built"
    if status.version < wanted:
        reason = f": {status.reason}" if status.reason else ""
        return f"the index shows version {status.version} of {wanted}{reason}"
    return None
