"""Tables at public addresses.

Nothing else is reached: at every redirect each address that a host's name stands for must be public, and one
of these is connected to, so that the name cannot mean another one a moment later.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import tempfile
import time
from typing import BinaryIO
from urllib.parse import SplitResult, urljoin, urlsplit

from typing_extensions import override

from vo.uploads.limits import Unreadable, UploadLimits

SECONDS = 30.0
"""What fetching a table may take in all."""

_MOST_REDIRECTS = 5
_CHUNK = 2**16
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LONGEST = 2_000


def fetch(url: str, *, limits: UploadLimits) -> BinaryIO:
    """Return what a URL names, in a temporary file.

    Raises
    ------
    Unreadable
        When it may not be fetched, or is not there, or is too large or too slow.
    """
    end = time.monotonic() + SECONDS
    for _ in range(_MOST_REDIRECTS + 1):
        parts = _allowed(url)
        connection = _connection(parts, _public_address(parts), end)
        try:
            target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
            connection.request("GET", target, headers={"Accept-Encoding": "identity", "User-Agent": "onedfs"})
            answer = connection.getresponse()
            if answer.status in _REDIRECTS:
                url = urljoin(url, answer.headers.get("Location", ""))
                continue
            if answer.status != 200:
                raise Unreadable(f"{parts.hostname} answered {answer.status} for it")
            return _kept(answer, limits, end)
        except (OSError, http.client.HTTPException) as error:
            raise Unreadable(f"{parts.hostname} does not send it: {type(error).__name__}") from None
        finally:
            connection.close()
    raise Unreadable(f"its URL leads to more than {_MOST_REDIRECTS} others")


def _allowed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unreadable(f"{url[:60]!r} is no URL") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None or len(url) > _LONGEST:
        raise Unreadable(
            f"tables are read from http and https URLs of public addresses, not from {url[:60]!r}"
        )
    if port not in (None, _PORTS[parts.scheme]):
        raise Unreadable(f"tables are read from the usual port of {parts.scheme}, not from {port}")
    if any(ord(char) <= 32 or ord(char) > 126 for char in url):
        raise Unreadable("its URL has characters that must be escaped")
    return parts


def _public_address(parts: SplitResult) -> str:
    """Return an address of a host, all of whose addresses are public."""
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, _PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreadable(f"the host {host[:60]!r} is not known") from None
    addresses = [str(info[4][0]) for info in found]
    if not addresses or not all(map(is_public, addresses)):
        raise Unreadable(f"the host {host[:60]!r} is not a public one")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also when it is written inside another one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        teredo = found.teredo[1] if found.teredo else None
        for inner in (found.ipv4_mapped, found.sixtofour, teredo):
            if inner is not None:
                return is_public(str(inner))
        # 64:ff9b::/96 stands for IPv4 addresses behind a translator.
        if found in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


class _Connection(http.client.HTTPConnection):
    """A connection to a checked address, whatever its host's name means by now."""

    def __init__(
        self, host: str, address: str, port: int, timeout: float, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address = address
        self._context = context

    @override
    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def _connection(parts: SplitResult, address: str, end: float) -> _Connection:
    context = ssl.create_default_context() if parts.scheme == "https" else None
    return _Connection(parts.hostname or "", address, _PORTS[parts.scheme], _left(end), context)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise Unreadable(f"it did not come within {SECONDS:.0f} s")
    return left


def _kept(answer: http.client.HTTPResponse, limits: UploadLimits, end: float) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    size = 0
    try:
        while chunk := answer.read1(_CHUNK):
            _left(end)
            size += file.write(chunk)
            limits.check_bytes(size)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file
