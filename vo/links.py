"""What is known of a data product's links, as the archive tells the protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of a data product, or why there is none (DataLink 1.1, section 3.2); length in bytes.

    Exactly one of ``access_url`` and ``error_message`` is set. ``open`` says whether anyone may follow it.
    """

    semantics: str
    access_url: str | None = None
    error_message: str | None = None
    description: str | None = None
    content_type: str | None = None
    content_length: int | None = None
    content_qualifier: str | None = None
    local_semantics: str | None = None
    open: bool = True


class Linker(Protocol):
    """Knows the links of data products."""

    def links(self, identifiers: Sequence[str]) -> Sequence[Sequence[Link]]:
        """Return the links of each identifier, in their order; at least one of each, which may be an error.

        Raises
        ------
        QueryError
            When the index does not answer.
        """
        ...


class Unlinked:
    """Knows no data product: what an archive has that keeps rows only."""

    def links(self, identifiers: Sequence[str]) -> Sequence[Sequence[Link]]:
        """Return an error for each identifier."""
        return [[not_found(identifier)] for identifier in identifiers]


def not_found(identifier: str) -> Link:
    """Return what is said of an identifier that names nothing here."""
    return Link(
        semantics="#this", error_message=f"NotFoundFault: there is no data product {identifier[:200]}"
    )
