"""Whose certificates tests and what they start believe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

_NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_FOUND = {name: os.environ[name] for name in _NAMES if name in os.environ}


@contextmanager
def nobody_else() -> Iterator[None]:
    """Believe only authorities that are named.

    Tests speak to servers of their own. The list of all authorities of the world, which would be read for
    each request that has no connection yet, takes longer than most answers.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", os.devnull)
        yield


def of_children(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment whose processes believe whom this one did when it began."""
    return {name: value for name, value in environment.items() if name not in _NAMES} | _FOUND
