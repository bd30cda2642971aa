"""The processes of docker-compose.yml work together, started by hand with its commands and settings."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pyvo
import trustme

from tests.deploy.conftest import Deployment
from tests.support.elasticsearch.cluster import free_ports
from tests.support.processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROWS = 60
COUNT = "SELECT COUNT(*) AS n FROM ivoa.obscore WHERE s_ra BETWEEN 9 AND 71 AND instrument_name = 'MUSE'"
CONE = "SELECT obs_id FROM ivoa.obscore WHERE 1=CONTAINS(POINT('ICRS',s_ra,s_dec),CIRCLE('ICRS',20,0,2.5))"


@pytest.fixture(scope="module")
def loaded(deployment: Deployment) -> Deployment:
    """The deployment with some rows, loaded as an operator does."""
    lines = ["dp_id,obs_collection,obs_id,calib_level,instrument_name,s_ra,s_dec"]
    lines += [f"D{number},night,O{number},2,MUSE,{10 + number},0" for number in range(ROWS)]
    rows = deployment.folder / "rows.csv"
    rows.write_text("\n".join(lines) + "\n")
    done = deployment.run("load", rows, "--table", "ivoa.ObsCore", "--workers", 0)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"accepted {ROWS}, unchanged 0, replaced 0, quarantined 0"
    assert done.stderr.splitlines()[-1] == "visible"
    return deployment


def tap(client: httpx.Client, query: str) -> list[str]:
    """Ask TAP; returns the lines of its CSV without the head."""
    found = client.post("/tap/sync", data={"LANG": "ADQL", "QUERY": query, "FORMAT": "csv"})
    assert found.status_code == 200, found.text
    return found.text.split()[1:]


def test_every_protocol_answers_through_the_proxy(loaded: Deployment) -> None:
    with loaded.client() as client:
        assert tap(client, COUNT) == [str(ROWS)]
        assert sorted(tap(client, CONE)) == [f"O{number}" for number in (10, 11, 12, 8, 9)]
        found = client.get(
            "/scs/ivoa.obscore", params={"RA": 20, "DEC": 0, "SR": 2.5, "RESPONSEFORMAT": "csv"}
        )
        assert found.status_code == 200
        assert len(found.text.split()) - 1 == 5
        reply = client.get(
            "/api/v1/tables/ivoa.obscore/rows", params={"where.instrument_name": "MUSE"}
        ).json()
        assert (reply["total"], len(reply["rows"])) == (ROWS, ROWS)


def test_addresses_in_answers_are_those_of_the_proxy(loaded: Deployment) -> None:
    with loaded.client() as client:
        told = client.get("/tap/capabilities").text
    assert f"{loaded.url}/tap" in told
    assert not any(f"127.0.0.1:{port}" in told for port in loaded.api.values())


def test_a_client_of_the_vo_finds_its_way(loaded: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(loaded.trusted))
    table = pyvo.dal.TAPService(f"{loaded.url}/tap").search(CONE).to_table()
    assert len(table) == 5


def test_plain_http_is_sent_to_https_and_numbers_stay_inside(loaded: Deployment) -> None:
    moved = httpx.get(f"{loaded.plain_url}/tap/sync?x=1")
    assert (moved.status_code, moved.headers["location"]) == (301, f"{loaded.url}/tap/sync?x=1")
    with loaded.client() as client:
        assert client.get("/metrics").status_code == 404
    port = loaded.api["api-1"]
    assert "onedfs_requests_total" in httpx.get(f"http://127.0.0.1:{port}/metrics").text


def test_the_replicas_log_who_asked_and_not_what_the_client_claims(loaded: Deployment) -> None:
    with loaded.client(local_address="127.0.0.9") as client:
        claimed = {"X-Forwarded-For": "192.0.2.7", "X-Request-ID": "whose-request-is-this"}
        assert client.get("/tap/tables", headers=claimed).status_code == 200

    def told() -> list[str]:
        logs = "".join((loaded.folder / f"{name}.log").read_text() for name in loaded.api)
        return [line for line in logs.splitlines() if "whose-request-is-this" in line]

    # The line is written after the answer was sent.
    [line] = wait_until(told, "the request is logged", 30)
    assert '"client":"127.0.0.9"' in line


def test_each_service_needs_no_more_than_its_key_may_do(loaded: Deployment) -> None:
    with loaded.client() as client:
        tap(client, CONE)
    asked = loaded.asked()
    assert [words for words in asked if words[1] and words[0] in ("401", "403")] == []
    assert {"reader", "writer"} <= {words[1] for words in asked}
    assert any(words[1] == "reader" and words[3].endswith("/_search") for words in asked)


def test_what_is_refused_is_kept_in_postgresql(loaded: Deployment, tmp_path: Path) -> None:
    bad = tmp_path / "bad.fits"
    bad.write_bytes(b"SIMPLE  = no")
    done = loaded.run("ingest", bad, "--workers", 0)
    assert done.stdout.splitlines()[-1].endswith("quarantined 1"), done.stderr
    with psycopg.connect(loaded.postgres.url("onedfs")) as connection:
        assert connection.execute("SELECT path FROM quarantine").fetchall() == [("bad.fits",)]
    assert not (loaded.folder / "data" / "onedfs.sqlite").exists()


def test_one_follower_leads_and_servers_start_none(loaded: Deployment) -> None:
    status = json.loads(loaded.run("index", "status", "--json").stdout)
    assert (status["engine"], len(status["servers"])) == ("elasticsearch", 2)
    assert status["follower"]
    for service in loaded.running:
        words = Path(f"/proc/{service.process.pid}/cmdline").read_bytes().split(b"\0")
        assert (b"--no-follower" in words) == service.name.startswith("api-")


def test_when_a_replica_is_killed_the_other_answers(loaded: Deployment) -> None:
    service = next(one for one in loaded.running if one.name == "api-1")
    with loaded.client() as client:
        service.kill()
        for _ in range(6):
            assert tap(client, COUNT) == [str(ROWS)]
            assert client.get("/readyz").status_code == 200
        service.start()
        loaded.wait_ready("api-1")
        assert tap(client, COUNT) == [str(ROWS)]


def test_while_the_database_is_away_answers_go_on_and_commands_say_so(loaded: Deployment) -> None:
    loaded.postgres.stop()
    try:
        with loaded.client() as client:
            assert tap(client, COUNT) == [str(ROWS)]
        assert "Connection refused" in one_line(loaded.run("migrate"))
    finally:
        loaded.postgres.start()
    assert loaded.run("quarantine", "list").returncode == 0
    wait_until(lambda: _follower(loaded), "a follower says that it lives", 60)
    assert "Traceback" not in (loaded.folder / "follower.log").read_text()


def _follower(loaded: Deployment) -> Any:
    return json.loads(loaded.run("index", "status", "--json").stdout)["follower"]


def one_line(done: Any) -> str:
    """Return what a command that failed said."""
    assert done.returncode == 1, done.stdout + done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("onedfs: ")
    return str(line)


def test_a_wrong_key_is_told_in_one_line_that_helps(loaded: Deployment) -> None:
    wrong = "bm90LXRoZS1vbmU6YXQtYWxs"
    told = one_line(loaded.run("index", "rebuild", ONEDFS_ELASTICSEARCH_API_KEY=wrong))
    assert "answered 401: unable to authenticate" in told
    assert "ONEDFS_ELASTICSEARCH_API_KEY" in told
    assert wrong not in told


def test_a_key_that_may_not_write_is_told_in_one_line_that_helps(loaded: Deployment) -> None:
    told = one_line(loaded.run("index", "rebuild", ONEDFS_ELASTICSEARCH_API_KEY=loaded.hidden["reader"]))
    assert "answered 403: action is unauthorized" in told
    assert "docs/operation.md" in told


def test_another_authority_is_told_in_one_line_that_helps(loaded: Deployment, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    trustme.CA().cert_pem.write_to_path(other)
    told = one_line(loaded.run("index", "rebuild", ONEDFS_ELASTICSEARCH_CA_FILE=str(other)))
    assert "cannot be trusted: certificate verify failed" in told
    assert "ONEDFS_ELASTICSEARCH_CA_FILE" in told


def test_a_wrong_password_of_the_database_is_told_in_one_line(loaded: Deployment) -> None:
    told = one_line(loaded.run("migrate", ONEDFS_DATABASE_PASSWORD="not-the-one"))  # noqa: S106 - a wrong one
    assert "password authentication failed" in told
    assert "not-the-one" not in told


def test_a_server_that_is_refused_says_why_it_is_not_ready(loaded: Deployment, tmp_path: Path) -> None:
    wrong = "d3Jvbmc6d3Jvbmc="
    service = loaded.service("api-1", ONEDFS_ELASTICSEARCH_API_KEY=wrong)
    port = free_ports(1)[0]
    service.command[service.command.index("--port") + 1] = str(port)
    service.log = tmp_path / "refused.log"
    service.start()

    def reason() -> str:
        try:
            found = httpx.get(f"http://127.0.0.1:{port}/readyz")
        except httpx.HTTPError:
            return ""
        assert found.status_code == 503
        return str(found.json()["detail"])

    try:
        assert "give a valid API key by ONEDFS_ELASTICSEARCH_API_KEY" in wait_until(reason, "it serves", 120)
    finally:
        service.kill()
    told = service.log.read_text()
    assert "Traceback" not in told
    assert wrong not in told


def test_no_secret_is_shown(loaded: Deployment) -> None:
    shown = loaded.run("settings").stdout + loaded.run("settings", "--json").stdout
    shown += loaded.logs()
    for name, secret in loaded.hidden.items():
        assert secret not in shown, name


def test_the_proxy_s_certificate_is_checked_by_clients(loaded: Deployment) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(loaded.url, verify=ssl.create_default_context())
