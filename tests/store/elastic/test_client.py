"""Which failures of a cluster pass, how they are told, and what our indices are called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import certifi
import pytest
from elastic_transport import (
    ApiError,
    ApiResponseMeta,
    ConnectionError,  # noqa: A004
    ConnectionTimeout,
    HttpHeaders,
    NodeConfig,
    TlsError,
)
from hypothesis import given
from hypothesis import strategies as st

from schemas import Column, Kind, Table, load_schemas
from store.elastic import Cluster, Names, open_client
from store.elastic.client import in_words, is_passing, patiently
from store.elastic.names import fingerprint

NODE = NodeConfig("http", "nowhere", 9200)


def answered(status: int, body: Any = None) -> ApiError:
    return ApiError("no", ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NODE), body)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        *((answered(status), True) for status in (408, 429, 500, 502, 503, 504)),
        *((answered(status), False) for status in (400, 401, 403, 404, 409, 413)),
        (ConnectionError("gone"), True),
        (ConnectionTimeout("slow"), True),
        (TlsError("a wrong certificate"), False),
        (ValueError("ours"), False),
    ],
    ids=lambda value: str(getattr(getattr(value, "meta", None), "status", type(value).__name__)),
)
def test_what_passes_is_told_from_what_does_not(error: Exception, *, passes: bool) -> None:
    assert is_passing(error) == passes


def test_reasons_are_told_in_one_line_down_to_the_cause() -> None:
    cause = {"type": "illegal_argument_exception", "reason": "min is greater than max"}
    body = {"error": {"type": "x", "reason": "failed to parse field [@border]", "caused_by": cause}}
    assert in_words(answered(400, body)) == (
        "Elasticsearch answered 400: failed to parse field [@border]: min is greater than max"
    )
    assert in_words(answered(401)) == (
        "Elasticsearch answered 401: no reason given; give a valid API key by ONEDFS_ELASTICSEARCH_API_KEY"
    )
    assert in_words(answered(403)).endswith("; the API key lacks a privilege, see docs/operation.md")
    assert in_words(answered(503, {"error": "busy"})) == "Elasticsearch answered 503: busy"
    refused = ConnectionError("x", errors=(OSError("refused"),))
    assert in_words(refused).startswith("Elasticsearch does not answer: ")
    assert "refused" in in_words(refused)
    told = OSError("HTTPConnection(host='a', port=9): Failed to connect: [Errno 111] Connection refused")
    assert in_words(ConnectionError("x", errors=(told,))) == (
        "Elasticsearch does not answer: Connection refused"
    )
    assert in_words(ConnectionTimeout("x")) == "Elasticsearch does not answer: it takes too long"
    assert in_words(ValueError()) == "ValueError: "
    assert in_words(answered(404, {"detail": "no such page"})) == (
        "what answers is not Elasticsearch; see ONEDFS_ELASTICSEARCH_URL"
    )


def test_a_certificate_that_is_not_trusted_is_told_once_with_what_to_do() -> None:
    cause = (
        "HTTPSConnectionPool(host='a', port=9200): Max retries exceeded (Caused by SSLError("
        "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
        "self-signed certificate in certificate chain (_ssl.c:992)')))"
    )
    told = in_words(TlsError(cause, errors=(OSError("x"), OSError("y"))))
    assert told.startswith(
        "Elasticsearch cannot be trusted: certificate verify failed: "
        "self-signed certificate in certificate chain;"
    )
    assert "ONEDFS_ELASTICSEARCH_CA_FILE" in told
    assert in_words(TlsError("wrong\nversion")).startswith("Elasticsearch cannot be trusted: wrong version;")


def test_a_cluster_does_not_show_its_key() -> None:
    assert "opaque" not in repr(Cluster(("http://a:9200",), api_key="opaque"))


def test_what_passes_is_waited_for() -> None:
    errors: list[Exception] = [answered(503), ConnectionTimeout("slow")]

    def call() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert patiently(call, patience=60, pause=0) == "done"


@pytest.mark.parametrize(("error", "patience"), [(answered(403), 60), (answered(503), -1)])
def test_what_does_not_pass_in_time_is_raised(error: ApiError, patience: float) -> None:
    calls = []

    def call() -> None:
        calls.append(1)
        raise error

    with pytest.raises(ApiError) as raised:
        patiently(call, patience=patience, pause=0)
    assert raised.value is error
    assert len(calls) == 1


def test_the_client_shows_its_key_to_the_cluster_s_own_nodes() -> None:
    cluster = Cluster(
        ("https://a.example:9200", "https://b.example:9200"), api_key="opaque", ca_file=Path(certifi.where())
    )
    with open_client(cluster) as client:
        nodes = client.transport.node_pool.all()
        assert {(node.config.host, node.config.ca_certs) for node in nodes} == {
            ("a.example", certifi.where()),
            ("b.example", certifi.where()),
        }
        assert client._headers["authorization"] == "ApiKey opaque"


@pytest.mark.parametrize("prefix", ["", "Archive", "a-b", "1a", "a*", "_a", "é"])
def test_a_prefix_that_could_overlap_another_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="expected lower-case"):
        Names(prefix)


def table(schema: str, name: str, *columns: Column) -> Table:
    columns = columns or (Column(name="id", kind=Kind.INT),)
    return Table(schema_name=schema, local_name=name, key=("id",), columns=columns)


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_table_has_names_that_elasticsearch_takes(schema: str, name: str) -> None:
    found = Names("onedfs").index(table(schema, name), 12)
    assert found == found.lower()
    assert not set(found) & set('\\/*?"<>| ,#:')
    assert len(found.encode()) <= 255
    assert found.startswith("onedfs-")
    assert found.endswith("-12")
    assert found.count("-") == 4


NAME = st.text(min_size=1, max_size=4) | st.sampled_from(["a", "a-b", "a_b", "A-b", "state", "a.b"])


@given(NAME, NAME, NAME, NAME)
def test_two_tables_never_share_an_alias(schema: str, name: str, other_schema: str, other: str) -> None:
    names = Names("onedfs")
    same = (schema.lower(), name.lower()) == (other_schema.lower(), other.lower())
    assert (names.alias(table(schema, name)) == names.alias(table(other_schema, other))) == same
    assert names.alias(table(schema, name)) != names.state


def test_the_fingerprint_changes_with_what_documents_hold_and_with_nothing_else() -> None:
    plain = table("s", "t", Column(name="id", kind=Kind.INT), Column(name="v", kind=Kind.TEXT))
    described = table(
        "s",
        "t",
        Column(name="id", kind=Kind.INT, description="x"),
        Column(name="V", kind=Kind.TEXT, ucd="meta"),
    )
    other = table("s", "t", Column(name="id", kind=Kind.INT), Column(name="v", kind=Kind.DOUBLE))
    assert fingerprint(plain) == fingerprint(described) != fingerprint(other)
    found = [fingerprint(declared) for declared in load_schemas()]
    assert len(set(found)) == len(found)
    assert json.dumps(found).isascii()
