"""Find, check and merge Instrument Packages. What is wrong in one is found here, not while mapping."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import astropy.units as u
import yaml
from pydantic import ValidationError

from instruments.errors import PackageError
from instruments.package import (
    Computed,
    Constant,
    Copied,
    Function,
    KeyRule,
    Package,
    PackageFile,
    Source,
)
from instruments.values import UnusableValueError, to_cell
from schemas import Column, Schemas, Table, UnknownTableError

FILE_NAME = "package.yaml"
"""The file that makes a folder an Instrument Package."""

MAPPED_TABLES = ("ivoa.ObsCore", "dbo.raw")
"""Tables whose rows packages describe."""

_RESERVED = {"dp_id", "obs_collection"}


class _UniqueKeys(yaml.CSafeLoader):
    """YAML in which nothing is said twice."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            line = key_node.start_mark.line + 1
            raise yaml.constructor.ConstructorError(
                None, None, f"{key!r} is defined twice, again in line {line}"
            )
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class _Draft:
    """One package between its file and its use."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder / FILE_NAME)
        self.file = _read(folder / FILE_NAME)
        self.functions = _functions(folder, self.file.name)
        if self.file.name != folder.name:
            raise PackageError(
                self.where, "name", f"is {self.file.name!r}; call it like its folder, {folder.name!r}"
            )


def read_packages(folders: Iterable[Path], declared: Schemas) -> tuple[list[Package], Schemas]:
    """Read the built-in packages and those of further folders; a later one of a name takes its place.

    Returns
    -------
    The packages, those that ask first in front, and the declarations with the packages' own columns.

    Raises
    ------
    PackageError
        When one is wrong.
    """
    drafts: dict[str, _Draft] = {}
    for root in (Path(str(resources.files("instruments"))), *folders):
        for marker in sorted(root.glob(f"*/{FILE_NAME}")):
            draft = _Draft(marker.parent)
            drafts[draft.file.name] = draft
    schemas = declared
    for draft in drafts.values():
        schemas = _with_columns(draft, schemas)
    packages = [_finished(draft, drafts, schemas) for draft in drafts.values()]
    packages.sort(key=lambda package: (-package.priority, package.name))
    _check_rivals(packages, drafts)
    return packages, schemas


def _read(path: Path) -> PackageFile:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
        return PackageFile.model_validate(data)
    except yaml.YAMLError as error:
        raise PackageError(str(path), "yaml", str(error).replace("\n", " ")) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "file"
        raise PackageError(str(path), key, first["msg"]) from error


def _functions(folder: Path, name: str) -> Mapping[str, Function]:
    path = folder / "functions.py"
    if not path.exists():
        return {}
    module = _module(path, name)
    return {
        key: value
        for key, value in vars(module).items()
        if inspect.isfunction(value)
        and not key.startswith("_")
        and len(inspect.signature(value).parameters) == 1
    }


def _module(path: Path, name: str) -> ModuleType:
    if path.parent.parent == Path(str(resources.files("instruments"))):
        return importlib.import_module(f"instruments.{name}.functions")
    spec = importlib.util.spec_from_file_location(f"site_instruments_{name}", path)
    if spec is None or spec.loader is None:
        raise PackageError(str(path), "functions", "cannot be imported")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PackageError(str(path), "functions", f"cannot be imported: {error}") from error
    return module


def _with_columns(draft: _Draft, schemas: Schemas) -> Schemas:
    for name, columns in draft.file.columns.items():
        table = _table(draft, f"columns.{name}", name, schemas)
        for column in columns:
            if column.name.lower() in table.by_name and table.column(column.name) != column:
                raise PackageError(
                    draft.where,
                    f"columns.{name}.{column.name}",
                    "exists with another declaration; rename yours",
                )
        new = [column for column in columns if column.name.lower() not in table.by_name]
        wider = Table.model_validate({**table.model_dump(), "columns": [*table.columns, *new]})
        schemas = schemas.with_tables([wider])
    return schemas


def _table(draft: _Draft, key: str, name: str, schemas: Schemas) -> Table:
    try:
        table = schemas.table(name)
    except UnknownTableError:
        table = None
    if table is None or table.name not in MAPPED_TABLES:
        raise PackageError(
            draft.where, key, f"no table of that name is mapped; use {' or '.join(MAPPED_TABLES)}"
        )
    return table


def _lineage(draft: _Draft, drafts: Mapping[str, _Draft]) -> list[_Draft]:
    """Return the package's ancestors and itself, the oldest first."""
    line = [draft]
    while (parent := line[0].file.extends) is not None:
        if parent not in drafts:
            raise PackageError(line[0].where, "extends", f"there is no package {parent!r}")
        if any(parent == known.file.name for known in line):
            raise PackageError(draft.where, "extends", "goes round in a circle")
        line.insert(0, drafts[parent])
    return line


def _finished(draft: _Draft, drafts: Mapping[str, _Draft], schemas: Schemas) -> Package:
    line = _lineage(draft, drafts)
    functions: dict[str, Function] = {}
    facilities: dict[str, str | None] = {}
    sources: dict[str, dict[str, Source]] = {name: {} for name in MAPPED_TABLES}
    for ancestor in line:
        functions.update(ancestor.functions)
        facilities.update({key.upper(): value for key, value in ancestor.file.facilities.items()})
        for table, fields in _sources(ancestor, functions, schemas).items():
            sources[table].update(fields)
    file = draft.file
    return Package(
        name=file.name,
        version=file.version,
        title=file.title,
        priority=file.priority,
        claims=file.claims,
        prefixes=frozenset(file.prefixes),
        facilities=facilities,
        placeholders=tuple(held for ancestor in line for held in ancestor.file.placeholders),
        filters={name: band for ancestor in line for name, band in ancestor.file.filters.items()},
        modes=next((ancestor.file.modes for ancestor in reversed(line) if ancestor.file.modes), None),
        sources=sources,
    )


def _sources(
    draft: _Draft, functions: Mapping[str, Function], schemas: Schemas
) -> Mapping[str, Mapping[str, Source]]:
    found: dict[str, dict[str, Source]] = {}
    file = draft.file
    for section, tables in (
        ("constants", file.constants),
        ("keys", file.keys),
        ("functions", file.functions),
    ):
        for name, fields in tables.items():
            table = _table(draft, f"{section}.{name}", name, schemas)
            into = found.setdefault(table.name, {})
            for key, said in fields.items():
                where = f"{section}.{name}.{key}"
                column = _column(draft, where, table, key)
                if column.name in into:
                    raise PackageError(draft.where, where, "is defined twice; keep one of the definitions")
                into[column.name] = _source(
                    draft, where, column, said, functions, in_functions=section == "functions"
                )
    return found


def _column(draft: _Draft, where: str, table: Table, key: str) -> Column:
    column = table.by_name.get(key.lower())
    if column is None:
        raise PackageError(
            draft.where, where, f"{table.name} has no such column; declare it under columns or correct it"
        )
    if column.name in _RESERVED or column.served is not None:
        raise PackageError(draft.where, where, "is set by the archive; leave it out")
    return column


def _source(
    draft: _Draft,
    where: str,
    column: Column,
    said: Any,
    functions: Mapping[str, Function],
    *,
    in_functions: bool,
) -> Source:
    if isinstance(said, KeyRule):
        return Copied(said, _factor(draft, where, column, said))
    if in_functions:
        if said not in functions:
            raise PackageError(draft.where, where, f"functions.py has no function {said!r} of one argument")
        return Computed(functions[said])
    try:
        to_cell(column, said)
    except UnusableValueError as error:
        raise PackageError(draft.where, where, str(error)) from error
    return Constant(said)


def _factor(draft: _Draft, where: str, column: Column, rule: KeyRule) -> float:
    if rule.unit is None:
        return 1.0
    if column.unit is None or not column.kind.is_numeric:
        raise PackageError(
            draft.where, where, f"has unit {rule.unit!r}, but the column has none; leave the unit out"
        )
    try:
        return float(u.Unit(rule.unit).to(u.Unit(column.unit)))
    except (ValueError, TypeError, u.UnitsError) as error:
        raise PackageError(
            draft.where, where, f"{rule.unit!r} is no unit that becomes {column.unit!r}"
        ) from error


def _check_rivals(packages: list[Package], drafts: Mapping[str, _Draft]) -> None:
    seen: dict[tuple[int, object], str] = {}
    for package in packages:
        claims: list[object] = [
            frozenset((k.upper(), v.upper()) for k, v in c.items()) for c in package.claims
        ]
        for claim in (*claims, *package.prefixes):
            other = seen.setdefault((package.priority, claim), package.name)
            if other != package.name:
                where = drafts[package.name].where
                raise PackageError(
                    where, "claims", f"the same as those of {other!r}; give one a higher priority"
                )
