"""A wrong URL, key or authority is told at once and in one line; nothing is tried again and again."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from schemas import load_schemas
from store.elastic import Cluster, ElasticFollower, advice_on, version_in
from store.lake import Lake
from store.port import EngineAway
from tests.support.elasticsearch.cluster import free_ports


class Stranger(ThreadingHTTPServer):
    """Answers every request with one status, as Elasticsearch does or as something else, and counts them."""

    daemon_threads = True

    def __init__(self, status: int, *, product: bool) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.status, self.product = status, product
        self.connections = 0

    def verify_request(self, *_: object) -> bool:
        self.connections += 1
        return True

    def handle_error(self, *_: object) -> None:
        """A client that does not trust us goes away in the middle of a word."""


class Answering(BaseHTTPRequestHandler):
    server: Stranger

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        if self.server.product:
            self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering(
    status: int, *, product: bool = True, tls: trustme.CA | None = None
) -> Iterator[tuple[Stranger, str]]:
    server = Stranger(status, product=product)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server, f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told(cluster: Cluster, folder: Path) -> str:
    """What is said of a cluster; the same whoever asks."""
    follower = ElasticFollower(Lake(folder / "lake", load_schemas()), cluster)
    with pytest.raises(EngineAway) as rebuilt:
        follower.rebuild()
    follower.close()
    with pytest.raises(EngineAway) as asked:
        version_in(cluster)
    assert str(rebuilt.value) == str(asked.value)
    assert advice_on(cluster) == [str(asked.value)]
    assert len(str(asked.value).splitlines()) == 1
    return str(asked.value)


@pytest.mark.parametrize(
    ("status", "product", "words"),
    [
        (401, True, "Elasticsearch answered 401: no reason given; give a valid API key by ONEDFS_ELASTIC"),
        (403, True, "the API key lacks a privilege"),
        (200, False, "what answers is not Elasticsearch; see ONEDFS_ELASTICSEARCH_URL"),
        (404, False, "what answers is not Elasticsearch; see ONEDFS_ELASTICSEARCH_URL"),
        (503, True, "Elasticsearch answered 503"),
    ],
)
def test_an_answer_of_refusal_is_told_after_one_request(
    tmp_path: Path, status: int, words: str, *, product: bool
) -> None:
    with answering(status, product=product) as (server, url):
        assert words in told(Cluster((url,)), tmp_path)
        assert server.connections <= 3, "three asked"


def test_a_certificate_of_another_authority_is_told_after_a_few_looks(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with answering(200, tls=trustme.CA()) as (server, url):
        said = told(Cluster((url,), ca_file=tmp_path / "other.pem"), tmp_path)
        assert said.startswith("Elasticsearch cannot be trusted: certificate verify failed")
        assert "ONEDFS_ELASTICSEARCH_CA_FILE" in said
        assert server.connections <= 6, "three looked, twice each"


def test_a_port_where_nobody_listens_is_told(tmp_path: Path) -> None:
    urls = tuple(f"http://127.0.0.1:{port}" for port in free_ports(2))
    assert told(Cluster(urls), tmp_path) == "Elasticsearch does not answer: Connection refused"
