"""Numbers for Prometheus."""

from __future__ import annotations

import os
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from typing_extensions import override

from store.port import Index

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class _IndexGauges(Collector):
    def __init__(self, index: Index) -> None:
        self._index = index

    @override
    def collect(self) -> Iterator[Metric]:
        """Read the index's state when Prometheus asks."""
        status = self._index.status()
        applied = -1 if status.version is None else status.version
        yield GaugeMetricFamily("onedfs_index_version", "Lake version that the index shows", value=applied)
        yield GaugeMetricFamily("onedfs_lake_version", "Newest lake version", value=status.lake_version)


class Metrics:
    """The metrics of one process; with several workers their sum, through a shared folder."""

    def __init__(self, index: Index) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "onedfs_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "onedfs_request_seconds",
            "Time to answer, seconds",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._gauges = _IndexGauges(index)
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            self._registry.register(self._gauges)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        shown = method if method in _METHODS else "other"
        self._requests.labels(shown, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def exposition(self) -> bytes:
        """Return the numbers in Prometheus' text format."""
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        shared.register(self._gauges)
        return generate_latest(shared)
