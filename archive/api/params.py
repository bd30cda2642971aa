"""A search as it arrives, from a query string or as JSON; the two say the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from archive.problems import Detail, similar, wrong

MOST_ROWS = 10_000
"""Rows of one JSON page at most."""

DEFAULT_ROWS = 100
"""Rows of one JSON page when ``limit`` is absent."""

Relation: TypeAlias = Literal["position", "intersects", "within", "contains"]
Scalar: TypeAlias = str | int | float | bool | None
Condition: TypeAlias = Scalar | list[Scalar]


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Names = Annotated[list[str], BeforeValidator(_listed)]


class Filters(BaseModel):
    """What rows have to meet."""

    model_config = ConfigDict(extra="forbid")

    region: str | None = Field(
        default=None,
        description="Part of the sky: DALI (CIRCLE 63.36 10.47 0.1), STC-S (CIRCLE ICRS 63.36 10.47 0.1) "
        "or MOC text (5/1024-1030); ICRS degrees",
    )
    relation: Relation | None = Field(
        default=None,
        description="How rows stand to the region: position (their centre is in it; the default), "
        "intersects (their footprint shares a point with it), within (their footprint lies in it), "
        "contains (their footprint covers it)",
    )
    target: str | None = Field(
        default=None,
        description="Name of the observed object. NGC 253, ngc253, NGC-253 and NGC_0253 are one name: case, "
        "blanks, hyphens, underscores and zeros before a catalogue number make no difference",
    )
    q: str | None = Field(
        default=None,
        description="Words to be found, in any case, in the principal text columns; every word must occur "
        "in one of them. Letters followed by a number are one word, NGC 253, and are found as ngc253 and "
        'NGC-253 are, in names of targets as the parameter target compares them; "in quotes" is one word; '
        "% stands for any text",
    )
    where: dict[str, Condition] = Field(
        default_factory=dict,
        description="Conditions by column: v (equal), a..b (from a to b, both included; either may be left "
        "out), !v (a value other than v), null, !null, =v (equal, even where v looks like one of these). "
        "Several for one column: one of the positive ones and all of the negative ones. As parameters: "
        "where.<column>=…",
    )


class SearchParams(Filters):
    """The parameters of a search."""

    fields: Names | None = Field(
        default=None, description="Columns to return, separated by commas; all when absent"
    )
    sort: Names | None = Field(
        default=None,
        description="Columns to sort by, separated by commas; -column sorts downwards; NULLs come last",
    )
    limit: int | None = Field(
        default=None, ge=0, description=f"Rows to return: {DEFAULT_ROWS} when absent, at most {MOST_ROWS}"
    )
    cursor: str | None = Field(default=None, description="The reply's next: where the next page begins")
    facets: Names | None = Field(
        default=None, description="Columns whose values are counted over all matching rows"
    )
    count: Literal["exact", "none"] = Field(default="exact", description="Whether to count all matching rows")
    format: str | None = Field(
        default=None,
        description="json, ndjson, csv, tsv, votable, parquet, arrow or fits; as Accept",
    )


class DensityParams(Filters):
    """The parameters of a density map: an order, and the filters of a search."""

    order: int = Field(default=3, ge=0, le=11, description="HEALPix order of the cells, 0 to 11")
    format: Literal["json", "fits"] | None = Field(
        default=None, description="json, or fits: a partial HEALPix map, NESTED, in ICRS; as Accept"
    )


class MocParams(Filters):
    """The parameters of a coverage map: an order, a form, and the filters of a search."""

    order: int = Field(default=10, ge=0, le=14, description="HEALPix order of the smallest cells, 0 to 14")
    format: Literal["fits", "json", "ascii"] | None = Field(
        default=None, description="fits, json or ascii, as MOC 2.0 has them; as Accept, else json"
    )


def from_query(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Gather the pairs of a query string into what the JSON body would hold.

    Raises
    ------
    Problem
        400 when a parameter that has one value comes twice.
    """
    found: dict[str, Any] = {}
    where: dict[str, Any] = {}
    for name, value in pairs:
        if name.startswith("where."):
            where.setdefault(name.removeprefix("where."), []).append(value)
        elif name in found:
            raise wrong([Detail("repeated", f"{name} is given twice", name)])
        else:
            found[name] = value
    if where:
        found["where"] = where
    return found


P = TypeVar("P", bound=BaseModel)


def parse_as(model: type[P], given: Mapping[str, Any]) -> P:
    """Check parameters.

    Raises
    ------
    Problem
        400 with one entry of ``errors`` per mistake.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise wrong(_details(error, model)) from None


def parse_search(given: Mapping[str, Any]) -> SearchParams:
    """Check the parameters of a search; as ``parse_as``."""
    return parse_as(SearchParams, given)


def parse_density(given: Mapping[str, Any]) -> DensityParams:
    """Check the parameters of a density map; as ``parse_as``."""
    return parse_as(DensityParams, given)


def parse_moc(given: Mapping[str, Any]) -> MocParams:
    """Check the parameters of a coverage map; as ``parse_as``."""
    return parse_as(MocParams, given)


def _details(error: ValidationError, model: type[BaseModel]) -> list[Detail]:
    found: dict[str, Detail] = {}
    for item in error.errors(include_url=False):
        name = str(item["loc"][0]) if item["loc"] else "body"
        if name in found:
            continue
        if item["type"] == "extra_forbidden":
            near = similar(name, model.model_fields)
            found[name] = Detail("unknown-parameter", f"there is no parameter {name}", name, near)
        else:
            field = ".".join(str(part) for part in item["loc"][:2]) if name == "where" else name
            found[name] = Detail("value", f"{field}: {item['msg']}", field)
    return list(found.values())
