"""From the headers of a file to the rows that describe it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

from instruments import content, identity, moments, position, spectrum
from instruments.errors import MappingRefused
from instruments.headers import FileHeaders
from instruments.loader import read_packages
from instruments.package import Computed, Constant, Copied, KeyRule, Package, matches
from instruments.provenance import provenance_rows
from instruments.values import CellValue, UnusableValueError, to_cell
from schemas import Schemas, Table, load_schemas
from sky.vectors import separation

OBSERVATIONS, RAW_FRAMES, PROVENANCE = "ivoa.ObsCore", "dbo.raw", "phase3v2.provenance"
"""Tables that a file has rows in."""

Row: TypeAlias = dict[str, CellValue]
"""A row by column; a column without a value is left out."""

_ORDERED = (("t_min", "t_max"), ("em_min", "em_max"), ("lambda_min", "lambda_max"))
_AXES: Mapping[str, tuple[str, ...]] = {
    "image": ("t_xel", "em_xel", "pol_xel"),
    "cube": ("t_xel", "pol_xel"),
    "spectrum": ("t_xel", "pol_xel"),
}
"""Axes that a product of a type does not have unless its header says otherwise: their length is -1."""

_CATEGORY_KEYS = ("PRODCATG", "ESO PRO CATG", "ESO DPR CATG")
_TELESCOPE_KEYS = ("TELESCOP",)
_NANOMETRE = 1e-9

_RELEASE_DATES = ("obs_release_date", "release_date")

_FARTHEST_POINTING = 5.0
"""Degrees between a pointing and the centre of its image."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a file's headers come to.

    ``dp_id`` is None where the archive mints the id. Rows are without ``dp_id``: whoever settles the id
    adds it. ``warnings`` say what in the headers was not used, and why.
    """

    package: str
    dp_id: str | None
    rows: Mapping[str, Sequence[Row]]
    release_date: datetime | None
    category: str | None
    origfile: str | None
    warnings: tuple[str, ...]


class Packages:
    """The Instrument Packages of an archive, and the declarations with their columns."""

    def __init__(self, packages: Sequence[Package], schemas: Schemas) -> None:
        self.packages = tuple(packages)
        self.schemas = schemas
        self._tables = {name: schemas.table(name) for name in (OBSERVATIONS, RAW_FRAMES, PROVENANCE)}

    def find(self, headers: FileHeaders) -> Package:
        """Return the package that a file is mapped with: of those that claim it, the one that asks first."""
        prefix = identity.archive_prefix(headers.text("ARCFILE"))
        claimed = next((p for p in self.packages if p.claims_file(headers, prefix)), None)
        return claimed or next(package for package in self.packages if package.name == "generic")

    def map(self, headers: FileHeaders, collection: str) -> Mapped:
        """Turn the headers of a file into rows.

        Raises
        ------
        MappingRefused
            When no true row can be made of them.
        """
        if not any(hdu.has_data for hdu in headers.hdus):
            raise MappingRefused("no-data", "the file has headers but no data")
        package = self.find(headers)
        for held in package.placeholders:
            if matches(held.when, headers):
                for key, value in held.cards.items():
                    headers.ignore(key, value)
        own_id = identity.dp_id(headers)
        observation = self._observation(package, headers, collection, own_id)
        rows: dict[str, list[Row]] = {OBSERVATIONS: [observation]}
        if identity.is_raw_frame(headers, own_id):
            rows[RAW_FRAMES] = [self._raw_frame(package, headers, observation)]
        sources = [self._checked(PROVENANCE, row, headers) for row in provenance_rows(headers)]
        if sources:
            rows[PROVENANCE] = sources
        release = observation.get("obs_release_date")
        return Mapped(
            package=package.label,
            dp_id=own_id,
            rows=rows,
            release_date=release if isinstance(release, datetime) else None,
            category=headers.text(*_CATEGORY_KEYS),
            origfile=headers.text("ORIGFILE"),
            warnings=headers.all_warnings(),
        )

    def _observation(
        self, package: Package, headers: FileHeaders, collection: str, own_id: str | None
    ) -> Row:
        seen = position.footprint(headers)
        spectral = spectrum.spectral_axis(headers)
        facility = _facility(package, headers)
        row: dict[str, Any] = {
            "obs_collection": collection,
            "obs_id": identity.observation_id(headers, own_id),
            "calib_level": content.calibration_level(headers),
            "dataproduct_type": content.product_type(headers, seen, spectral),
            **content.file_columns(headers),
            **content.observable_columns(headers),
            **moments.time_columns(headers),
            **position.position_columns(headers, seen),
            **spectrum.spectral_columns(spectral),
            **spectrum.polarisation_columns(headers),
            **({"facility_name": facility} if facility else {}),
            **self._own(package, OBSERVATIONS, headers),
        }
        _fill_band(package, headers, row)
        for axis in _AXES.get(str(row.get("dataproduct_type")), ()):
            row.setdefault(axis, -1)
        return self._checked(OBSERVATIONS, row, headers)

    def _raw_frame(self, package: Package, headers: FileHeaders, observation: Row) -> Row:
        same = {
            "ra": "s_ra",
            "dec": "s_dec",
            "s_region": "s_region",
            "gal_lon": "gal_lon",
            "gal_lat": "gal_lat",
        }
        row: dict[str, Any] = {
            ours: observation[theirs] for ours, theirs in same.items() if theirs in observation
        }
        row["access_estsize"] = observation.get("access_estsize")
        row["telescope"] = observation.get("facility_name")
        row["instrument"] = observation.get("instrument_name")
        row["mjd_obs"] = observation.get("t_min")
        row["exp_start"] = observation.get("t_min")
        row["filter_path"] = observation.get("filter")
        row["release_date"] = observation.get("obs_release_date")
        for ours, theirs in (("lambda_min", "em_min"), ("lambda_max", "em_max")):
            edge = observation.get(theirs)
            if isinstance(edge, float):
                row[ours] = edge / _NANOMETRE
        if "s_ra" in observation:
            here = position.Position(float(str(observation["s_ra"])), float(str(observation["s_dec"])))
            row["ecl_lon"], row["ecl_lat"] = position.turned(here, "ECLIPTIC")
        row.update(self._own(package, RAW_FRAMES, headers))
        _drop_stray_pointing(row, headers)
        return self._checked(RAW_FRAMES, row, headers)

    def _own(self, package: Package, table: str, headers: FileHeaders) -> dict[str, Any]:
        """Return what the package itself says about a row; a column it has nothing for is left out."""
        found: dict[str, Any] = {}
        for name, source in package.sources.get(table, {}).items():
            match source:
                case Constant():
                    value: Any = source.value
                case Copied():
                    value = _copied(source, name, headers)
                case Computed():
                    value = _computed(source, name, headers)
            if value is not None:
                found[name] = value
        return found

    def _checked(self, name: str, row: Mapping[str, Any], headers: FileHeaders) -> Row:
        """Bring a row to its columns' types; what does not fit is left out with a warning."""
        table: Table = self._tables[name]
        checked: Row = {}
        for key, value in row.items():
            if value is None:
                continue
            try:
                checked[key] = to_cell(table.by_name[key], value)
            except UnusableValueError as error:
                if key in _RELEASE_DATES:
                    # Left out it would make the file public at once.
                    raise MappingRefused("release-date", f"its release date {value!r}: {error}") from error
                headers.warn(f"{table.name}.{key}: {error}")
        for low, high in _ORDERED:
            if low in checked and high in checked and checked[low] > checked[high]:  # type: ignore[operator]
                headers.warn(f"{table.name}: {low} is above {high}; both are left out")
                del checked[low], checked[high]
        return checked


def load_packages(folders: Iterable[Path] = (), schemas: Schemas | None = None) -> Packages:
    """Read the built-in Instrument Packages and those of further folders (a site's ``instruments/``).

    Raises
    ------
    PackageError
        When a package is wrong; says in which file, where, and what to do.
    """
    found, wider = read_packages(folders, load_schemas() if schemas is None else schemas)
    return Packages(found, wider)


def _drop_stray_pointing(row: dict[str, Any], headers: FileHeaders) -> None:
    """Leave out a pointing far from the image: its RA is in hours, or it is of another time."""
    place = [row.get(name) for name in ("ra", "dec", "ra_pnt", "dec_pnt")]
    if None not in place and float(separation(*place)) > _FARTHEST_POINTING:  # type: ignore[arg-type]
        headers.warn("RA and DEC are far from the image's WCS; the pointing is left out")
        del row["ra_pnt"], row["dec_pnt"]


def _facility(package: Package, headers: FileHeaders) -> str | None:
    said = headers.text(*_TELESCOPE_KEYS)
    if said is None:
        return None
    name = " ".join(said.split())
    return package.facilities.get(name.upper(), name)


def _copied(source: Copied, column: str, headers: FileHeaders) -> Any:
    rule = source.rule
    for key in rule.key:
        value: Any = headers.get(key)
        if value is None:
            continue
        if rule.values:
            value = _translated(rule, str(value))
            if value is None:
                continue
        if rule.unit is not None or rule.least is not None or rule.most is not None:
            value = _limited(rule, key, column, headers)
            if value is None:
                continue
            value *= source.factor
        return value
    return None


def _translated(rule: KeyRule, said: str) -> Any:
    for pattern, value in rule.values.items():
        if fnmatchcase(said.upper(), pattern.upper()):
            return value
    return None


def _limited(rule: KeyRule, key: str, column: str, headers: FileHeaders) -> float | int | None:
    said = headers.get(key)
    number = headers.number(key)
    if number is None:
        headers.warn(f"{key} {said!r} is not a number ({column})")
        return None
    if (rule.least is not None and number < rule.least) or (rule.most is not None and number > rule.most):
        headers.warn(f"{key} {number:g} is out of range ({column})")
        return None
    return said if isinstance(said, int) and not isinstance(said, bool) and rule.unit is None else number


def _computed(source: Computed, column: str, headers: FileHeaders) -> Any:
    try:
        return source.function(headers)
    except Exception as error:  # noqa: BLE001 - a site's function must not stop an ingestion
        headers.warn(f"{column}: {source.function.__name__} failed: {type(error).__name__}")
        return None


def _fill_band(package: Package, headers: FileHeaders, row: dict[str, Any]) -> None:
    """Fill the wavelengths that no axis gives: from the mode of a raw frame, or from an image's filter."""
    if row.get("em_min") is not None or row.get("em_max") is not None:
        return
    band = None
    if package.modes is not None and not identity.is_processed(headers):
        band = package.modes.bands.get(headers.text(package.modes.key) or "")
    if band is None and row.get("dataproduct_type") == "image":
        band = package.filters.get(str(row.get("filter")))
    if band is not None:
        row["em_min"], row["em_max"] = band.least * _NANOMETRE, band.most * _NANOMETRE
