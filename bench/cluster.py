"""The Elasticsearch of a run: one that is there already, or a node of its own."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archive.settings import Settings
from store.elastic import Cluster, open_client
from tests.support.elasticsearch.cluster import one_node
from tests.support.elasticsearch.home import CannotPrepareError, find_jdk, prepared

_HEAPS = ((200_000, "512m"), (2_000_000, "1g"))
_LARGEST_HEAP = "4g"


def missing() -> str | None:
    """Say why no Elasticsearch can be had; None when one can."""
    if Settings().elasticsearch_hosts:
        return None
    try:
        find_jdk()
        if shutil.which("mvn") is None:
            return "there is no Maven (mvn)"
        prepared()
    except CannotPrepareError as error:
        return str(error)
    return None


def heap_for(rows: int) -> str:
    """Return the heap of a node with so many rows."""
    return next((heap for most, heap in _HEAPS if rows <= most), _LARGEST_HEAP)


@contextmanager
def running(folder: Path, rows: int, heap: str | None = None) -> Iterator[tuple[Cluster, str]]:
    """Give a cluster for about so many rows, and what it is; ours on it are gone in the end."""
    settings = Settings()
    key = settings.elasticsearch_api_key
    if settings.elasticsearch_hosts:
        cluster = Cluster(
            settings.elasticsearch_hosts,
            api_key=None if key is None else key.get_secret_value(),
            ca_file=settings.elasticsearch_ca_file,
            prefix=f"bench_{uuid.uuid4().hex[:8]}",
            replicas=settings.elasticsearch_replicas,
        )
        try:
            yield cluster, f"the cluster of {', '.join(cluster.hosts)}"
        finally:
            delete_all(cluster)
        return
    size = heap or heap_for(rows)
    with one_node(folder / "elasticsearch", heap=size, java=()) as node:
        yield Cluster((node.url,), prefix="bench", replicas=0), f"one node, heap {size}"


def delete_all(cluster: Cluster) -> None:
    """Delete the indices of a run."""
    with open_client(cluster) as client:
        names = list(client.indices.get(index=f"{cluster.prefix}*", expand_wildcards="all"))
        if names:
            client.indices.delete(index=names)
