"""The way to the cluster, and which of its failures pass."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from elastic_transport import ApiError, ConnectionError, ConnectionTimeout, TlsError, TransportError  # noqa: A004
from elasticsearch import Elasticsearch, UnsupportedProductError
from elasticsearch.serializer import OrjsonSerializer

LOG = logging.getLogger(__name__)

REQUEST_SECONDS = 30.0
"""Time for one request, seconds."""

SOON_SECONDS = 2.5
"""Time for a request that somebody waits for, seconds."""

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of a request that may succeed when it is sent again."""


_NOT_FOUND = 404

_ADVICE = {
    401: "; give a valid API key by ONEDFS_ELASTICSEARCH_API_KEY",
    403: "; the API key lacks a privilege, see docs/operation.md",
}
"""What an operator can do about an answer."""

_TLS_CAUSE = re.compile(r"SSL: \w+\] (.+?) \(_ssl")
_SYSTEM_CAUSE = re.compile(r"\[Errno -?\d+\] ([^()\[\]'\"]+)")

_TLS_ADVICE = (
    "; name the certificate of the authority that signed the cluster's by ONEDFS_ELASTICSEARCH_CA_FILE, "
    "and the nodes in ONEDFS_ELASTICSEARCH_URL as their certificates do"
)


class EngineError(Exception):
    """The cluster could not do what was asked; the message is for the operator.

    EngineError
    ├── WriteFailed   documents could not be written within the time allowed
    ├── LeaseLost     another process keeps the index up to date now
    ├── Stopped       this process was told to end
    ├── OtherArchive  what is there under our names is of another archive
    └── Superseded    another process changed the state first
    """


@dataclass(frozen=True)
class Cluster:
    """Where Elasticsearch is and what of it is ours.

    ``prefix`` begins the names of all our indices. ``replicas`` are copies of each shard beside the first, as
    far as there are nodes for them.
    """

    hosts: tuple[str, ...]
    api_key: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    prefix: str = "onedfs"
    replicas: int = 1
    rows_per_shard: int = 5_000_000


def open_client(cluster: Cluster, **options: Any) -> Elasticsearch:
    """Open a client of the cluster; it connects when it is first used.

    Threads may share it. ``options`` are those of ``Elasticsearch``.
    """
    # It tells of every request, and of each that fails with a stack; what matters is told by who asked.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    chosen: dict[str, Any] = {
        "serializer": OrjsonSerializer(),
        "request_timeout": REQUEST_SECONDS,
        # A node that dies is followed within seconds: its shards by their copies, the master by another.
        "max_retries": 8,
        "retry_backoff_base": 0.05,
        "retry_backoff_cap": 2.0,
        "retry_on_status": (502, 503, 504),
        "dead_node_backoff_factor": 0.5,
        "max_dead_node_backoff": 5.0,
    }
    if cluster.api_key is not None:
        chosen["api_key"] = cluster.api_key
    if cluster.ca_file is not None:
        chosen["ca_certs"] = str(cluster.ca_file)
    return Elasticsearch(list(cluster.hosts), **(chosen | options))


def soon(cluster: Cluster) -> dict[str, Any]:
    """Return the options of a client that asks each node once and tells at once what is wrong."""
    return {"request_timeout": SOON_SECONDS, "max_retries": len(cluster.hosts), "retry_on_status": ()}


def is_passing(error: Exception) -> bool:
    """Whether what failed may succeed when it is tried again."""
    if isinstance(error, ApiError):
        return error.meta.status in PASSING
    return isinstance(error, ConnectionError | ConnectionTimeout) and not isinstance(error, TlsError)


Found = TypeVar("Found")


def patiently(call: Callable[[], Found], *, patience: float, pause: float = 1.0) -> Found:
    """Call until it succeeds; what passes is waited for, up to ``patience`` seconds in all.

    Raises
    ------
    ApiError, TransportError
        What failed last, when it does not pass or did not in time.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return call()
        except (ApiError, TransportError) as error:
            if not is_passing(error) or time.monotonic() > end:
                raise
            LOG.info("trying again in %.0f s: %s", pause, in_words(error))
        time.sleep(pause)


def is_other_product(error: ApiError) -> bool:
    """Whether something answered that is not Elasticsearch, as a URL of another service does."""
    named = "x-elastic-product" in error.meta.headers
    return isinstance(error, UnsupportedProductError) or (error.meta.status == _NOT_FOUND and not named)


def in_words(error: Exception) -> str:
    """Say in one line what the cluster answered, or that it did not."""
    if isinstance(error, ApiError) and is_other_product(error):
        return "what answers is not Elasticsearch; see ONEDFS_ELASTICSEARCH_URL"
    if isinstance(error, ApiError):
        said = f"Elasticsearch answered {error.meta.status}: {reason_of(_cause(error.body))}"
        return said + _ADVICE.get(error.meta.status, "")
    if isinstance(error, TlsError):
        return f"Elasticsearch cannot be trusted: {_tls_cause(error)}{_TLS_ADVICE}"
    if isinstance(error, TransportError):
        return f"Elasticsearch does not answer: {_transport_cause(error)}"
    return f"{type(error).__name__}: {error}" if not str(error) else str(error)


def _transport_cause(error: TransportError) -> str:
    """Return what the operating system says, without the calls and addresses that it came through."""
    if isinstance(error, ConnectionTimeout):
        return "it takes too long"
    text = _one_line(str(error))
    found = _SYSTEM_CAUSE.search(text)
    return found[1].strip() if found else text


def _tls_cause(error: TlsError) -> str:
    """Return what the library of TLS says, without the calls that it came through."""
    text = _one_line(str(error.message))
    found = _TLS_CAUSE.search(text)
    return found[1] if found else text


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cause(body: Any) -> Any:
    return body.get("error", body) if isinstance(body, dict) else body


def reason_of(error: Any) -> str:
    """Return the reasons of an error in an answer, from the outermost to its cause."""
    found: list[str] = []
    while isinstance(error, dict):
        text = str(error.get("reason") or error.get("type") or "")
        if text and text not in found:
            found.append(text)
        error = error.get("caused_by")
    if isinstance(error, str):
        found.append(error)
    return ": ".join(found) or "no reason given"
