"""What TAP advertises (TAPRegExt 1.0 with Erratum 1). Only what works is said."""

from __future__ import annotations

from collections.abc import Iterable

from query.functions import FUNCTIONS, LANGUAGE_FEATURES, Feature
from schemas import Schemas
from vo.dali import Fault
from vo.formats.registry import FORMATS
from vo.ports import Ports
from vo.vosi.capabilities import capability, interface
from vo.xml import Element, child

_UDFS = "ivo://ivoa.net/std/TAPRegExt#features-udf"

_OBSCORE = "ivoa.ObsCore"


def add_tap(outer: Element, ports: Ports) -> None:
    """Add the TAP capability."""
    node = capability(outer, "ivo://ivoa.net/std/TAP", "tr:TableAccess")
    interface(node, ports.url("/tap"), use="base", version="1.1")
    if _OBSCORE in _declared(ports):
        model = child(node, "dataModel", "ObsCore-1.1")
        model.set("ivo-id", "ivo://ivoa.net/std/ObsCore#core-1.1")
    _add_language(node)
    for form in FORMATS:
        found = child(node, "outputFormat")
        if form.ivo_id is not None:
            found.set("ivo-id", form.ivo_id)
        child(found, "mime", form.media_type)
        for alias in form.aliases:
            child(found, "alias", alias)
    # Validators demand ``http`` of all that take uploads; where it is off, who tries it is told so.
    for method in ("inline", "http", *(() if ports.fetch is None else ("https",))):
        child(node, "uploadMethod").set("ivo-id", f"ivo://ivoa.net/std/TAPRegExt#upload-{method}")
    _add_times(node, ports)
    rows = child(node, "outputLimit")
    child(rows, "default", str(ports.limits.default_rows), unit="row")
    child(rows, "hard", str(ports.limits.hard_rows), unit="row")
    uploaded = child(node, "uploadLimit")
    child(uploaded, "hard", str(ports.uploads.rows), unit="row")


def _add_times(node: Element, ports: Ports) -> None:
    """Say how long jobs are kept and may run; without jobs, how long a query may."""
    jobs = None if ports.jobs is None else ports.jobs.limits
    if jobs is not None:
        retention = child(node, "retentionPeriod")
        child(retention, "default", str(round(jobs.default_keep)))
        child(retention, "hard", str(round(jobs.hard_keep)))
    duration = child(node, "executionDuration")
    child(duration, "default", str(round(ports.limits.seconds if jobs is None else jobs.default_seconds)))
    child(duration, "hard", str(round(ports.limits.seconds if jobs is None else jobs.hard_seconds)))


def add_tap_and_examples(outer: Element, ports: Ports) -> None:
    """Add the TAP capability and where its examples are (DALI 1.1, section 2.3)."""
    add_tap(outer, ports)
    node = capability(outer, "ivo://ivoa.net/std/DALI#examples")
    interface(node, ports.url("/tap/examples"), use="full")


def _declared(ports: Ports) -> Schemas:
    # Capabilities are read before anything else; they must not wait for the index.
    try:
        return ports.declarations().public
    except Fault:
        return Schemas(())


def _add_language(node: Element) -> None:
    language = child(node, "language")
    child(language, "name", "ADQL")
    for version in ("2.0", "2.1"):
        child(language, "version", version).set("ivo-id", f"ivo://ivoa.net/std/ADQL#v{version}")
    child(language, "description", "Astronomical Data Query Language")
    for feature, names in LANGUAGE_FEATURES.items():
        _add_features(language, feature, ((name, "") for name in names))
    functions = (f for f in FUNCTIONS.values() if f.feature is Feature.UDF)
    _add_features(language, _UDFS, ((form, f.description) for f in functions for form in f.forms))


def _add_features(language: Element, kind: str, features: Iterable[tuple[str, str]]) -> None:
    group = child(language, "languageFeatures", type=kind)
    for form, description in features:
        feature = child(group, "feature")
        child(feature, "form", form)
        if description:
            child(feature, "description", description)
