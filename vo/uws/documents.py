"""The documents of UWS 1.1: a job, its parts, a list of jobs (appendix A, the schema)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from store.jobs import Failure, Job, Phase
from vo.xml import XSI, Element, child, document, root

NAMESPACE = "http://www.ivoa.net/xml/UWS/v1.0"
"""The XML namespace, which UWS 1.1 kept."""

_XLINK = "http://www.w3.org/1999/xlink"
_NAMESPACES: dict[str | None, str] = {"uws": NAMESPACE, "xlink": _XLINK, "xsi": XSI}
_VERSION = "1.1"


def moment_text(moment: datetime) -> str:
    """Write a time of a job: civil time, UTC, to the millisecond (DALI 1.1, section 3.3.3)."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def job_document(job: Job, url: str) -> bytes:
    """Return the document of a job whose resources are below a URL."""
    node = root(_uws("job"), _NAMESPACES, version=_VERSION)
    _text(node, "jobId", job.id)
    if job.run_id is not None:
        _text(node, "runId", job.run_id)
    _text(node, "ownerId", job.owner)
    _text(node, "phase", job.phase)
    _text(node, "quote", None)
    _text(node, "creationTime", moment_text(job.created))
    for name, moment in (("startTime", job.started), ("endTime", job.ended)):
        _text(node, name, None if moment is None else moment_text(moment))
    _text(node, "executionDuration", str(round(job.execution_duration)))
    _text(node, "destruction", moment_text(job.destruction))
    _fill_parameters(child(node, _uws("parameters")), job, url)
    _fill_results(child(node, _uws("results")), job, url)
    if job.phase is Phase.ERROR:
        _add_error(node, job.failure or Failure("the job failed"))
    return document(node)


def parameters_document(job: Job, url: str) -> bytes:
    """Return the parameters of a job alone."""
    node = root(_uws("parameters"), _NAMESPACES)
    _fill_parameters(node, job, url)
    return document(node)


def results_document(job: Job, url: str) -> bytes:
    """Return the results of a job alone."""
    node = root(_uws("results"), _NAMESPACES)
    _fill_results(node, job, url)
    return document(node)


def jobs_document(jobs: Iterable[Job], base: str) -> bytes:
    """Return a list of jobs, below a URL."""
    node = root(_uws("jobs"), _NAMESPACES, version=_VERSION)
    for job in jobs:
        found = child(node, _uws("jobref"), id=job.id)
        found.set(f"{{{_XLINK}}}type", "simple")
        found.set(f"{{{_XLINK}}}href", f"{base}/{job.id}")
        _text(found, "phase", job.phase)
        if job.run_id is not None:
            _text(found, "runId", job.run_id)
        if job.owner is not None:
            _text(found, "ownerId", job.owner)
        _text(found, "creationTime", moment_text(job.created))
    return document(node)


def _uws(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _text(parent: Element, name: str, text: str | None) -> Element:
    """Add an element with a text; without one it is said to be unknown."""
    node = child(parent, _uws(name), text)
    if text is None:
        node.set(f"{{{XSI}}}nil", "true")
    return node


def _fill_parameters(node: Element, job: Job, url: str) -> None:
    for name, value in job.parameters:
        if isinstance(value, str):
            child(node, _uws("parameter"), value, id=name)
        else:
            child(node, _uws("parameter"), f"{url}/parameters/{value.copy}", id=name, byReference="true")


def _fill_results(node: Element, job: Job, url: str) -> None:
    if job.phase is Phase.COMPLETED and job.result is not None:
        found = child(node, _uws("result"), id="result")
        found.set("mime-type", job.result.media_type)
        found.set("size", str(job.result.size))
        found.set(f"{{{_XLINK}}}type", "simple")
        found.set(f"{{{_XLINK}}}href", f"{url}/results/result")


def _add_error(parent: Element, failure: Failure) -> None:
    kind = "transient" if failure.transient else "fatal"
    node = child(parent, _uws("errorSummary"), type=kind, hasDetail="true")
    child(node, _uws("message"), failure.message)
