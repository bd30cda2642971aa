"""What all requests of one serving process share."""

from __future__ import annotations

from dataclasses import dataclass

from archive.access import AccessPolicy
from archive.api.cursor import Cursors
from archive.settings import Settings
from store.lake import Lake
from store.port import Index, IndexStatus, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The parts of the application; ``archive.factory`` puts them together."""

    settings: Settings
    site: Site
    lake: Lake
    index: Index
    policy: AccessPolicy
    cursors: Cursors
    started_at: int
    """The lake's version when the process started."""

    def not_ready(self) -> str | None:
        """Say why requests should go elsewhere for now; None when the index has caught up."""
        status = self.index.status()
        return _lagging(status, self.started_at)

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
