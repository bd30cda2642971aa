"""What an Instrument Package is: the form of ``package.yaml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from instruments.cards import Value
from instruments.headers import FileHeaders
from schemas import Column

Function: TypeAlias = Callable[[FileHeaders], Any]
"""A package's own function: a value, or None when the headers do not say."""

Conditions: TypeAlias = Mapping[str, str]
"""Keywords and the patterns (``*``, ``?``, ``[...]``; case-insensitive) that all must match."""


class _Declaration(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _as_rule(value: Any) -> Any:
    return {"key": value} if isinstance(value, str | list) else value


def _as_keys(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class KeyRule(_Declaration):
    """Copy a column from the first of some keywords.

    ``unit`` is the unit in the header where it differs from the column's. A number outside ``least`` to
    ``most`` is left out with a warning. ``values`` translates texts (patterns as in claims); what it maps
    to null is left out.
    """

    key: Annotated[tuple[str, ...], BeforeValidator(_as_keys), Field(min_length=1)]
    unit: str | None = None
    least: float | None = None
    most: float | None = None
    values: Mapping[str, str | int | float | None] = {}


class Band(_Declaration):
    """A range of wavelengths in nanometres, as published for the instrument."""

    least: float = Field(gt=0)
    most: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Band:
        if self.least >= self.most:
            raise ValueError(f"least {self.least} is not below most {self.most}")
        return self


class Modes(_Declaration):
    """Published wavelength ranges of raw frames by instrument mode."""

    key: str
    bands: Mapping[str, Band]


class Placeholder(_Declaration):
    """Values that some software writes where it knows nothing."""

    when: Conditions = {}
    cards: Mapping[str, str | int | float]

    @model_validator(mode="after")
    def _names_cards(self) -> Placeholder:
        if not self.cards:
            raise ValueError("names no cards")
        return self


class PackageFile(_Declaration):
    """``package.yaml`` as written; ``extends`` brings in everything that it does not say itself."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str = Field(pattern=r"^\d+(\.\d+)*$")
    title: str = Field(min_length=1)
    extends: str | None = None
    priority: int = 0
    claims: tuple[Conditions, ...] = ()
    prefixes: tuple[Annotated[str, Field(pattern=r"^[A-Z0-9_]+$")], ...] = ()
    facilities: Mapping[str, str | None] = {}
    placeholders: tuple[Placeholder, ...] = ()
    filters: Mapping[str, Band] = {}
    modes: Modes | None = None
    columns: Mapping[str, tuple[Column, ...]] = {}
    constants: Mapping[str, Mapping[str, str | int | float | bool]] = {}
    keys: Mapping[str, Mapping[str, Annotated[KeyRule, BeforeValidator(_as_rule)]]] = {}
    functions: Mapping[str, Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every file of the instrument."""

    value: Value


@dataclass(frozen=True, slots=True)
class Copied:
    """A value from a card, times a factor to the column's unit."""

    rule: KeyRule
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Computed:
    """A value from a package's own function."""

    function: Function


Source: TypeAlias = Constant | Copied | Computed
"""Where the value of a column comes from."""


@dataclass(frozen=True)
class Package:
    """A package as it is used: its file and those it extends, merged and checked."""

    name: str
    version: str
    title: str
    priority: int
    claims: tuple[Conditions, ...]
    prefixes: frozenset[str]
    facilities: Mapping[str, str | None]
    placeholders: tuple[Placeholder, ...]
    filters: Mapping[str, Band]
    modes: Modes | None
    sources: Mapping[str, Mapping[str, Source]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and version, as rows record it."""
        return f"{self.name}={self.version}"

    def claims_file(self, headers: FileHeaders, prefix: str | None) -> bool:
        """Tell whether a file is this instrument's, by its archive prefix or one of the claims."""
        if prefix is not None and prefix in self.prefixes:
            return True
        return any(matches(conditions, headers) for conditions in self.claims)


def matches(conditions: Conditions, headers: FileHeaders) -> bool:
    """Tell whether every keyword says something that its pattern matches."""
    for key, pattern in conditions.items():
        said = headers.text(key)
        if said is None or not fnmatchcase(said.upper(), pattern.upper()):
            return False
    return True
