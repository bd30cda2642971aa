"""What every answer carries."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from archive import context
from archive.app import create_app
from archive.metrics import Metrics
from archive.middleware import Gate
from archive.process import Process
from archive.supervise import SUPERVISOR
from tests.archive.conftest import Client, SmallArchive, add_rows, observation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

PATHS = [
    "/healthz",
    "/readyz",
    "/",
    "/nothing",
    "/api/v1/tables",
    "/api/v1/tables/ivoa.obscore/rows?limit=x",
    "/files/none",
    "/tap/sync?LANG=ADQL&QUERY=SELECT",
    "/tap/capabilities",
    "/scs/ivoa.obscore?RA=1&DEC=2&SR=0.1",
    "/metrics",
]


@pytest.mark.parametrize("path", PATHS)
def test_scripts_of_other_sites_may_read_every_answer(small: SmallArchive, path: str) -> None:
    reply = small.client.get(path, headers={"Origin": "https://elsewhere.example"})
    assert reply.headers.get_list("access-control-allow-origin") == ["*"]
    assert "X-Request-ID" in reply.headers["access-control-expose-headers"]
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_is_granted(small: SmallArchive, path: str) -> None:
    reply = small.client.request(
        "OPTIONS",
        path,
        headers={
            "Origin": "https://elsewhere.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert reply.status_code == 204
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert reply.headers["access-control-allow-headers"] == "content-type"


@pytest.mark.parametrize("path", PATHS)
def test_a_sane_request_id_is_kept(small: SmallArchive, path: str) -> None:
    assert small.client.get(path, headers={"X-Request-ID": "run-7/a"}).headers["x-request-id"] == "run-7/a"


@pytest.mark.parametrize("offered", ["", "x" * 129, "two words", "<script>", "a\tb", "é"])
def test_a_strange_request_id_is_replaced(small: SmallArchive, offered: str) -> None:
    given = small.client.get("/healthz", headers={"X-Request-ID": offered.encode()}).headers["x-request-id"]
    assert given != offered
    assert len(given) == 16


def test_requests_without_an_id_get_different_ones(small: SmallArchive) -> None:
    assert len({small.client.get("/healthz").headers["x-request-id"] for _ in range(5)}) == 5


def _failing(small: SmallArchive, *, started: bool) -> Client:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("secret of the house")

    return type(small.client)(Gate(app, metrics=Metrics(small.index)))


def test_a_failure_of_ours_is_told_without_its_insides(small: SmallArchive) -> None:
    reply = _failing(small, started=False).get("/")
    assert reply.status_code == 500
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["request_id"] == reply.headers["x-request-id"]
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "secret" not in reply.text


def test_so_is_a_failure_inside_the_application(small: SmallArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("secret of the house")

    monkeypatch.setattr("archive.files.catalogue.find", fail)
    reply = small.client.get("/files/any")
    assert reply.status_code == 500
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["request_id"] == reply.headers["x-request-id"]
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "secret" not in reply.text


def test_long_documents_are_compressed_when_the_client_can_read_that(small: SmallArchive) -> None:
    plain = small.client.get("/api/v1/tables/ivoa.obscore", headers={"Accept-Encoding": "identity"})
    packed = small.client.get("/api/v1/tables/ivoa.obscore", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    assert packed.json() == plain.json()


def test_short_answers_and_streams_are_not_compressed(small: SmallArchive) -> None:
    accepts = {"Accept-Encoding": "gzip"}
    assert "content-encoding" not in small.client.get("/healthz", headers=accepts).headers
    stream = small.client.get("/api/v1/tables/ivoa.obscore/rows?format=csv", headers=accepts)
    assert "content-encoding" not in stream.headers
    assert len(gzip.compress(stream.content)) < len(stream.content)


@pytest.mark.parametrize("path", [*PATHS, "/api/v1/docs", "/api/v1/openapi.json", "/tap/examples"])
def test_head_says_what_get_says_without_a_body(small: SmallArchive, path: str) -> None:
    of_request = {"x-request-id", "content-length"}
    got = small.client.get(path, headers={"Accept-Encoding": "identity"})
    head = small.client.head(path, headers={"Accept-Encoding": "identity"})
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert {k: v for k, v in head.headers.items() if k not in of_request} == {
        k: v for k, v in got.headers.items() if k not in of_request
    }


@pytest.mark.parametrize(
    "path",
    ["/tap/sync?LANG=ADQL&QUERY=SELECT+*+FROM+ivoa.obscore", "/api/v1/tables/ivoa.obscore/rows?format=csv"],
)
def test_head_of_a_long_answer_sends_no_rows(
    small: SmallArchive, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("vo.dali.router._WHOLE", 1000)
    reply = small.client.head(path)
    assert (reply.status_code, reply.content) == (200, b"")
    assert small.client.get(path).content


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/tap//capabilities", "/tap/capabilities"),
        ("/tap/availability/", "/tap/availability"),
        ("/tap/tables//ivoa.ObsCore/", "/tap/tables/ivoa.ObsCore"),
        ("/scs/ivoa.obscore/?RA=1&DEC=2&SR=0", "/scs/ivoa.obscore?RA=1&DEC=2&SR=0"),
    ],
)
def test_a_service_url_may_end_with_a_slash(small: SmallArchive, path: str, plain: str) -> None:
    reply = small.client.get(path)
    assert reply.status_code == 200
    assert len(reply.content) == len(small.client.get(plain).content)


@pytest.mark.parametrize(
    "path", ["/files//OBS.00004", "/files/OBS.00004/", "/api/v1//tables", "//tap/capabilities"]
)
def test_elsewhere_slashes_count(small: SmallArchive, path: str) -> None:
    assert small.client.get(f"http://archive.test{path}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/tap", 404, "NotFoundFault"),
        ("GET", "/tap/nothing", 404, "NotFoundFault"),
        ("GET", "/scs/ivoa.obscore/nothing", 404, "NotFoundFault"),
        ("PUT", "/tap/sync", 405, "UsageFault"),
        ("DELETE", "/scs/ivoa.obscore", 405, "UsageFault"),
    ],
)
def test_below_a_protocol_routing_errors_are_votables(
    small: SmallArchive, method: str, path: str, status: int, code: str
) -> None:
    reply = small.client.request(method, path)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/x-votable+xml"
    assert f'<INFO name="QUERY_STATUS" value="ERROR">{code}: ' in reply.text
    assert "/capabilities says what there is" in reply.text
    assert ("allow" in reply.headers) == (status == 405)


def test_what_depends_on_accept_says_so(small: SmallArchive) -> None:
    for path in (
        "/",
        "/api/v1",
        "/api/v1/tables/ivoa.obscore/rows",
        "/api/v1/tables/ivoa.obscore/rows?format=csv",
    ):
        assert "Accept" in small.client.get(path).headers["vary"].split(", ")
    packed = small.client.get("/api/v1/tables/ivoa.obscore/rows", headers={"Accept-Encoding": "gzip"})
    assert packed.headers.get_list("vary") == ["Accept, Accept-Encoding"]


def test_outside_of_a_request_there_is_no_id() -> None:
    assert context.request_id() == "-"


def test_metrics_count_requests_by_route_not_by_path(small: SmallArchive) -> None:
    for name in ("a", "b", "c"):
        small.client.get(f"/files/{name}")
        small.client.get(f"/made-up-{name}")
    text = small.client.get("/metrics").text
    assert 'route="/files/{identifier:path}",status="404"' in text
    assert "made-up" not in text
    assert "onedfs_index_version 2.0" in text


def test_readiness_waits_for_the_version_found_at_start(own: SmallArchive) -> None:
    assert own.client.get("/readyz").json() == {"status": "ready", "version": 2}
    add_rows(own.lake, "ivoa.ObsCore", [observation(900)])
    parts = {name: getattr(own.process, name) for name in Process.__slots__}
    later = Client(create_app(Process(**parts | {"started_at": own.lake.version()})))
    waiting = later.get("/readyz")
    assert waiting.status_code == 503
    assert "version 2 of 3" in waiting.json()["detail"]
    assert later.get("/healthz").status_code == 200
    own.refresh()
    assert later.get("/readyz").status_code == 200


def test_readiness_waits_for_the_other_workers_behind_the_same_address(own: SmallArchive) -> None:
    with another_worker(own.process.settings.run_root, supervisor=os.getpid()):
        waiting = own.client.get("/readyz")
        assert waiting.status_code == 503
        assert "worker" in waiting.json()["detail"]
    assert own.client.get("/readyz").status_code == 200
    with another_worker(own.process.settings.run_root, supervisor=os.getppid()):
        assert own.client.get("/readyz").status_code == 200


@contextmanager
def another_worker(run_root: Path, supervisor: int) -> Iterator[None]:
    """A worker of a server that has not opened the index yet, for as long as the context lasts."""
    script = (
        "import sys; from pathlib import Path; from archive.presence import Presence\n"
        "Presence(Path(sys.argv[1]), 'http://a', lambda: None); print('up', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(run_root)]
    environment = os.environ | {SUPERVISOR: str(supervisor)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()
