"""One client over one kept-alive connection; what it asks."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import httpx

from bench.expected import Digest, Position, Search, digests
from bench.refusal import error_of

COLUMNS = (
    "obs_publisher_did, obs_collection, obs_id, dataproduct_type, calib_level, access_url, access_format, "
    "access_estsize, target_name, s_ra, s_dec, s_fov, t_min, t_max, t_exptime, em_min, em_max, em_res_power, "
    "facility_name, instrument_name"
)
CONE = "1=CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', {}, {}, {}))"
INTERSECTS = "1=INTERSECTS(s_region, CIRCLE('ICRS', {}, {}, {}))"
RADII = (0.1, 1)
VOTABLE = "application/x-votable+xml"
BINARY2 = "application/x-votable+xml;serialization=BINARY2"
TABLE = "ivoa.obscore"
MOST_ROWS = 10_000
"""Rows of an answer at most, where rows are what is asked for."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that can be sent by whoever: method, URL, and the body as a form."""

    method: str
    url: str
    form: bytes | None = None


class Client:
    """Asks the TAP, SCS and JSON services of one server.

    ``tap`` and ``scs`` are the full URLs of another server's; what has no URL cannot be asked.
    """

    def __init__(self, base: str | None = None, *, tap: str | None = None, scs: str | None = None) -> None:
        self.base = None if base is None else base.rstrip("/")
        self._tap = (tap or f"{self.base}/tap").rstrip("/")
        self.cones = scs or (f"{self.base}/scs/{TABLE}" if self.base else None)
        self._http = httpx.Client(timeout=120, headers={"Accept-Encoding": "identity"}, trust_env=False)

    def nothing(self) -> bytes:
        """Ask for an answer that takes no work."""
        return self._http.get(f"{self.base}/healthz").raise_for_status().content

    def scs_request(self, position: Position, radius: float) -> Request:
        """Write a cone search by SCS."""
        asked = {"RA": position[0], "DEC": position[1], "SR": radius, "MAXREC": MOST_ROWS}
        base = self.cones or ""
        # The URL of a cone search ends in ? or &, or has no parameters (Simple Cone Search 1.03, 2.1).
        joint = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
        return Request("GET", f"{base}{joint}{urlencode(asked)}")

    def adql_request(self, query: str, form: str = "text/csv", maxrec: int = 1_000_000) -> Request:
        """Write a query by TAP."""
        asked = {
            "REQUEST": "doQuery",
            "LANG": "ADQL",
            "QUERY": query.replace("{table}", TABLE),
            "RESPONSEFORMAT": form,
            "MAXREC": str(maxrec),
        }
        return Request("POST", f"{self._tap}/sync", urlencode(asked).encode())

    def scs(self, position: Position, radius: float) -> bytes:
        """Search a cone by SCS."""
        return self._send(self.scs_request(position, radius))

    def adql(self, query: str, form: str = "text/csv", maxrec: int = 1_000_000) -> bytes:
        """Run a query by TAP."""
        return self._send(self.adql_request(query, form, maxrec))

    def search(self, **asked: str | float) -> bytes:
        """Search by the JSON API."""
        return self._send(Request("GET", f"{self.base}/api/v1/tables/{TABLE}/rows?{urlencode(asked)}"))

    def scs_columns(self) -> list[str]:
        """Return the lower-case names of the columns of a cone search's answer."""
        found = re.findall(rb"<FIELD[^>]*?\bname=\"([^\"]+)\"", self.scs((0.0, 0.0), 0.0))
        return [name.decode().lower() for name in found]

    def identifiers(self, where: str) -> list[str]:
        """Find the rows that a condition selects; their identifiers."""
        text = self.adql(f"SELECT obs_publisher_did FROM {{table}} WHERE {where}").decode()
        rows = list(csv.reader(io.StringIO(text)))
        return [row[0] for row in rows if row[0] != "obs_publisher_did"]

    def digests(self, searches: Sequence[Search]) -> dict[str, Digest]:
        """Summarise the answers to searches whose expected digests are known, by kind."""
        form = {"cone": CONE, "intersects": INTERSECTS}
        return digests(
            searches,
            (self.identifiers(form[each.test].format(*each.position, each.radius)) for each in searches),
        )

    def _send(self, request: Request) -> bytes:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if request.form else None
        answer = self._http.request(request.method, request.url, content=request.form, headers=headers)
        content = answer.raise_for_status().content
        error = error_of(content)
        if error is not None:
            raise ValueError(f"status {answer.status_code}, but an error: {error}")
        return content


def host_of(url: str) -> tuple[str, int, str]:
    """Split a URL into host, port, and path with query."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return parts.hostname or "127.0.0.1", parts.port or 80, f"{parts.path}{query}"
