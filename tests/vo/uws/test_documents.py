from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from store.jobs import Failure, Job, Phase, Result, StoredFile
from vo.uws.documents import job_document, jobs_document, parameters_document, results_document

URL = "http://archive.example/tap/async/j1"
NOW = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
JOB = Job(
    id="j1",
    service="tap",
    owner=None,
    client="c",
    run_id="my <run>",
    phase=Phase.PENDING,
    created=NOW,
    queued=None,
    started=None,
    ended=None,
    destruction=NOW + timedelta(days=7),
    execution_duration=600.0,
    parameters=(("QUERY", "SELECT 'a<b\x01'"), ("t", StoredFile("given-1", "t.xml", "text/xml"))),
)
DONE = replace(
    JOB, phase=Phase.COMPLETED, started=NOW, ended=NOW, result=Result("result", "text/csv", "r.csv", 7)
)
FAILED = replace(
    JOB, phase=Phase.ERROR, started=NOW, ended=NOW, failure=Failure("no <memory>", transient=True)
)


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    folder = "uk/ac/starlink/ttools/taplint/"
    with zipfile.ZipFile("/usr/share/java/starlink-ttools.jar") as jar:
        (name,) = [name for name in jar.namelist() if name.startswith(f"{folder}UWS-v1.1")]
        text, xlink = jar.read(name), jar.read(f"{folder}xlink.xsd")
        xml = jar.read(f"{folder}xmlnamespace.xsd")

    class Resolver(etree.Resolver):
        def resolve(self, system_url: str, public_id: str | None, context: Any) -> Any:
            del public_id
            return self.resolve_string(
                xml if "xml.xsd" in system_url else xlink, context, base_url=system_url
            )

    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Resolver())
    return etree.XMLSchema(etree.fromstring(text, parser))


@pytest.mark.parametrize("job", [JOB, DONE, FAILED, replace(JOB, owner="me", run_id=None)])
def test_documents_are_as_the_schema_says(schema: etree.XMLSchema, job: Job) -> None:
    for document in (
        job_document(job, URL),
        jobs_document([job], "http://archive.example/tap/async"),
        jobs_document([], "http://archive.example/tap/async"),
        parameters_document(job, URL),
        results_document(job, URL),
    ):
        schema.assertValid(etree.fromstring(document))


def _texts(document: bytes) -> dict[str, str | None]:
    return {etree.QName(node).localname: node.text for node in etree.fromstring(document)}


def test_a_job_says_what_it_is_and_what_is_unknown() -> None:
    node = etree.fromstring(job_document(JOB, URL))
    assert node.get("version") == "1.1"
    told = _texts(job_document(JOB, URL))
    assert (told["jobId"], told["runId"], told["phase"], told["executionDuration"]) == (
        "j1",
        "my <run>",
        "PENDING",
        "600",
    )
    assert (told["creationTime"], told["destruction"]) == (
        "2026-03-01T12:00:00.500Z",
        "2026-03-08T12:00:00.500Z",
    )
    nil = "{http://www.w3.org/2001/XMLSchema-instance}nil"
    assert {etree.QName(each).localname for each in node if each.get(nil)} == {
        "ownerId",
        "quote",
        "startTime",
        "endTime",
    }


def test_files_are_referred_to_and_results_are_named_result() -> None:
    parameters = list(etree.fromstring(parameters_document(DONE, URL)))
    assert [each.get("id") for each in parameters] == ["QUERY", "t"]
    assert parameters[0].text == "SELECT 'a<b'"
    assert (parameters[1].get("byReference"), parameters[1].text) == ("true", f"{URL}/parameters/given-1")
    (result,) = etree.fromstring(results_document(DONE, URL))
    assert result.get("id") == "result"
    assert result.get("{http://www.w3.org/1999/xlink}href") == f"{URL}/results/result"
    assert list(etree.fromstring(results_document(JOB, URL))) == []


def test_a_failed_job_has_a_summary() -> None:
    (summary,) = etree.fromstring(job_document(FAILED, URL)).iter("{*}errorSummary")
    assert (summary.get("type"), summary.get("hasDetail")) == ("transient", "true")
    assert summary[0].text == "no <memory>"
