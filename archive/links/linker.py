"""The links of data products (DataLink 1.1): the file, its header, its sources and products, its article."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from archive.access import AccessPolicy
from archive.links.known import Descent, Row, descent, files, observations
from store.port import Index, Site
from vo.links import Link, not_found

_BIBCODE = re.compile(r"\d{4}[A-Za-z.&0-9]{14}[A-Z.]\Z")
_DOI = re.compile(r"(?:doi:|https?://(?:dx\.)?doi\.org/)?(10\.\d{4,9}/\S+)\Z", re.IGNORECASE)

_ROLES = {
    "raw": "Raw frame that it was made from",
    "calibration": "Calibration that was applied",
    "product": "Product that it was made from",
}


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out about the identifiers of a request."""

    observations: dict[str, Row]
    files: dict[str, Row]
    descent: Descent


class IndexLinker:
    """Finds links in the index; what may be followed is for the access policy to say."""

    def __init__(self, index: Index, site: Site, policy: AccessPolicy) -> None:
        self._index = index
        self._base = site.public_url.rstrip("/")
        self._own = f"ivo://{site.authority}/ID?"
        self._policy = policy

    def links(self, identifiers: Sequence[str]) -> Sequence[Sequence[Link]]:
        """Return the links of each identifier: an ``obs_publisher_did``, or a ``dp_id`` alone."""
        own = {identifier: self._dp_id(identifier) for identifier in identifiers}
        foreign = [identifier for identifier in identifiers if identifier.startswith("ivo://")]
        with self._index.snapshot() as snapshot:
            by_did = observations(snapshot, "obs_publisher_did", foreign)
            dp_ids = {dp_id for dp_id in own.values() if dp_id} | {row["dp_id"] for row in by_did.values()}
            by_id = observations(snapshot, "dp_id", dp_ids)
            held = files(snapshot, dp_ids)
            known = _Known(by_id, held, descent(snapshot, held))
        found = []
        for identifier in identifiers:
            row = by_did.get(identifier)
            dp_id = own[identifier] if row is None else row["dp_id"]
            found.append(list(self._of(identifier, dp_id, known)))
        return found

    def _dp_id(self, identifier: str) -> str | None:
        """Return the file that an identifier of this archive names; None of another's."""
        if not identifier.isprintable():
            return None
        if not identifier.lower().startswith("ivo:"):
            return identifier
        plain = unquote(identifier)
        return plain[len(self._own) :] if plain.lower().startswith(self._own.lower()) else None

    def _of(self, identifier: str, dp_id: str | None, known: _Known) -> Iterator[Link]:
        row = known.observations.get(dp_id or "")
        file = known.files.get(dp_id or "")
        if file is not None and file["withdrawn"] is not None:
            text = f"NotFoundFault: withdrawn: {file['withdrawn']}"
            yield Link(semantics="#this", error_message=text)
            return
        if row is None and file is None:
            yield not_found(identifier)
            return
        if file is not None:
            yield from self._held(file, known.descent)
        elif row is not None:
            yield _elsewhere(row)
        if row is not None:
            yield from _article(row)

    def _held(self, file: Row, found: Descent) -> Iterator[Link]:
        dp_id = file["dp_id"]
        yield self._file(file, "#this", "The data product", None)
        yield Link(
            semantics="#auxiliary",
            access_url=f"{self._base}/headers/{quote(dp_id)}",
            description="The FITS headers as text",
            content_type="text/plain",
            local_semantics="header",
        )
        for source in found.sources.get(dp_id, ()):
            at = found.files[source["source_dp_id"]]
            category = f": {source['category']}" if source["category"] else ""
            text = f"{_ROLES.get(source['role'], _ROLES['product'])}{category}, {at['dp_id']}"
            yield self._file(at, "#progenitor", text, source["role"])
        for product in found.products.get(dp_id, ()):
            yield self._file(found.files[product], "#derivation", f"Made from it: {product}", "product")

    def _file(self, file: Row, semantics: str, text: str, local: str | None) -> Link:
        if file["withdrawn"] is not None:
            said = f"NotFoundFault: {file['dp_id']} was withdrawn: {file['withdrawn']}"
            return Link(semantics=semantics, error_message=said, description=text, local_semantics=local)
        return Link(
            semantics=semantics,
            access_url=f"{self._base}/files/{quote(file['dp_id'])}",
            description=text,
            content_type=file["content_type"],
            content_length=file["size"],
            local_semantics=local,
            open=self._policy.is_public(file["release_date"], file["rights"]),
        )


def _elsewhere(row: Row) -> Link:
    """Return the link of a row whose bytes another archive has."""
    if row["access_url"] is None:
        return Link(semantics="#this", error_message="NotFoundFault: where its bytes are, nobody said")
    size = row["access_estsize"]
    return Link(
        semantics="#this",
        access_url=row["access_url"],
        description="The data product, at another archive",
        content_type=row["access_format"],
        content_length=None if size is None else size * 1000,
    )


def _article(row: Row) -> Iterator[Link]:
    """Link the publication that describes a data product, when its name says where that is."""
    name = (row["bib_reference"] or "").strip()
    doi = _DOI.match(name)
    if doi:
        url = f"https://doi.org/{quote(doi[1])}"
    elif _BIBCODE.match(name):
        url = f"https://ui.adsabs.harvard.edu/abs/{quote(name)}/abstract"
    else:
        return
    yield Link(
        semantics="#documentation",
        access_url=url,
        description=f"Publication that describes it, {name}",
        content_type="text/html",
        local_semantics="article",
    )
