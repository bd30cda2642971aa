"""What can go wrong, in the words of the IVOA services.

Fault
├── UsageFault          the request cannot be acted on
├── NotFoundFault       there is no such thing
├── AuthorizationFault  it is not for this caller
├── TransientFault      try again later
└── DefaultFault        our mistake
"""

from __future__ import annotations

from typing import ClassVar

from store.port import IndexNotReady, QueryError


class Fault(Exception):  # noqa: N818 - the word of the standards
    """A failure that the IVOA documents give a name to; the message is for the user.

    ``retry_after`` is in seconds.
    """

    code: ClassVar[str] = "DefaultFault"
    status: ClassVar[int] = 500
    retry_after: ClassVar[int | None] = None

    @property
    def text(self) -> str:
        """The code and the message, as error documents show them."""
        return f"{self.code}: {self}"


class UsageFault(Fault):
    """The request cannot be acted on."""

    code = "UsageFault"
    status = 400


class NotFoundFault(Fault):
    """There is no such table, collection or file."""

    code = "NotFoundFault"
    status = 404


class AuthorizationFault(Fault):
    """It is not for this caller."""

    code = "AuthorizationFault"
    status = 403


class TransientFault(Fault):
    """It would work later."""

    code = "TransientFault"
    status = 503
    retry_after = 5


class DefaultFault(Fault):
    """Our mistake; the log knows more."""


def fault_of(error: QueryError) -> Fault:
    """Name an engine's failure.

    A query that ran too long, or needs too much, would do so again: that is the caller's to change, so it
    is no ``TransientFault``.
    """
    if isinstance(error, IndexNotReady):
        return TransientFault(str(error))
    return UsageFault(str(error))
