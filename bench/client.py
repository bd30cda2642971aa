"""One client over one kept-alive connection; what it asks and how long the answers take."""

from __future__ import annotations

import csv
import io
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import httpx

from bench.expected import Digest, digest
from bench.sample import Position, Sample

COLUMNS = (
    "obs_publisher_did, obs_collection, obs_id, dataproduct_type, calib_level, access_url, access_format, "
    "access_estsize, target_name, s_ra, s_dec, s_fov, t_min, t_max, t_exptime, em_min, em_max, em_res_power, "
    "facility_name, instrument_name"
)
CONE = "1=CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', {}, {}, {}))"
INTERSECTS = "1=INTERSECTS(s_region, CIRCLE('ICRS', {}, {}, {}))"
RADII = (0.1, 1)
BINARY2 = "application/x-votable+xml;serialization=BINARY2"


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds from sending a request to the last byte of its answer."""

    p50: float
    p95: float
    count: int


def timing(seconds: Sequence[float]) -> Timing:
    """Summarise durations."""
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return Timing(round(statistics.median(ordered) * 1e3, 2), round(late * 1e3, 2), len(ordered))


class Client:
    """Asks a TAP and an SCS service."""

    def __init__(self, base: str, *, tap: str | None = None, table: str = "ivoa.obscore") -> None:
        self._base = base.rstrip("/")
        self._tap = (tap or f"{self._base}/tap").rstrip("/")
        self._table = table
        self._http = httpx.Client(timeout=120, headers={"Accept-Encoding": "identity"}, trust_env=False)

    def nothing(self) -> bytes:
        """Ask for an answer that takes no work."""
        return self._http.get(f"{self._base}/healthz").raise_for_status().content

    def scs(self, position: Position, radius: float) -> bytes:
        """Search a cone by SCS."""
        asked = {"RA": position[0], "DEC": position[1], "SR": radius, "MAXREC": 10000}
        return self._http.get(f"{self._base}/scs/{self._table}", params=asked).raise_for_status().content

    def adql(self, query: str, form: str = "text/csv", maxrec: int = 1_000_000) -> bytes:
        """Run a query by TAP."""
        asked = {
            "REQUEST": "doQuery",
            "LANG": "ADQL",
            "QUERY": query.replace("{table}", self._table),
            "RESPONSEFORMAT": form,
            "MAXREC": str(maxrec),
        }
        return self._http.post(f"{self._tap}/sync", data=asked).raise_for_status().content

    def identifiers(self, where: str) -> list[str]:
        """Find the rows that a condition selects; their identifiers."""
        rows = csv.reader(
            io.StringIO(self.adql(f"SELECT obs_publisher_did FROM {{table}} WHERE {where}").decode())
        )
        return [row[0] for row in list(rows)[1:]]

    def digests(self, sample: Sample, count: int = 20) -> dict[str, Digest]:
        """Summarise the answers to the searches whose expected digests are known."""
        found = {}
        for test, form in (("cone", CONE), ("intersects", INTERSECTS)):
            for radius in RADII:
                places = sample.positions(f"answers_{test}_{radius}", count)
                found[f"{test}_{radius}deg"] = digest(
                    self.identifiers(form.format(*place, radius)) for place in places
                )
        return found


def measured(requests: Iterable[Callable[[], object]], warm_up: int = 10) -> Timing:
    """Time each request after a few that do not count."""
    seconds = []
    for number, request in enumerate(requests):
        began = time.perf_counter()
        request()
        if number >= warm_up:
            seconds.append(time.perf_counter() - began)
    return timing(seconds)
