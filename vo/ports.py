"""What the protocols need from the archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import schemas
from store.port import Index, QueryError, Site
from vo.dali import Limits, fault_of
from vo.jobs import Jobs
from vo.links import Linker, Unlinked
from vo.uploads.limits import UploadLimits
from vo.uploads.request import Fetch


def _no_request() -> str:
    return "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The index to ask, the limits to keep, and what answers say about where they come from.

    ``request_id`` returns the id of the request in work; ``linker`` knows the links of data
    products; ``jobs`` keeps what is to be answered later, where that is wanted; ``fetch`` opens
    tables that come with a query by their URL, where that is allowed.
    """

    index: Index
    site: Site
    limits: Limits
    request_id: Callable[[], str] = _no_request
    linker: Linker = field(default_factory=Unlinked)
    jobs: Jobs | None = None
    uploads: UploadLimits = field(default_factory=UploadLimits)
    fetch: Fetch | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def declarations(self) -> schemas.Schemas:
        """Return the declarations in force.

        Raises
        ------
        Fault
            When the index is not ready.
        """
        try:
            with self.index.snapshot() as snapshot:
                return snapshot.schemas
        except QueryError as error:
            raise fault_of(error) from error

    def url(self, path: str) -> str:
        """Return the public URL of a path of the service, which begins with a slash."""
        return self.site.public_url.rstrip("/") + path
