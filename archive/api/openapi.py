"""What FastAPI cannot read from our handlers: the parameters of a search, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from archive.api.params import DensityParams, MocParams, SearchParams

_CONDITION = {
    "name": "where.{column}",
    "in": "query",
    "description": SearchParams.model_fields["where"].description,
    "schema": {"type": "array", "items": {"type": "string"}},
    "example": "60..70",
}


def _parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    properties = model.model_json_schema()["properties"]
    found = []
    for name, schema in properties.items():
        if name == "where":
            found.append(_CONDITION)
            continue
        choices = [item for item in schema.get("anyOf", [schema]) if item.get("type") != "null"]
        plain = {k: v for k, v in choices[0].items() if k not in ("title", "description")}
        if plain.get("type") == "array":
            plain = {"type": "string"}
        found.append(
            {"name": name, "in": "query", "description": schema.get("description", ""), "schema": plain}
        )
    return found


SEARCH_PARAMETERS = _parameters(SearchParams)
"""The parameters of ``GET …/rows``."""

DENSITY_PARAMETERS = _parameters(DensityParams)
"""The parameters of ``GET …/density``."""

MOC_PARAMETERS = _parameters(MocParams)
"""The parameters of ``GET …/moc``."""

SEARCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": SearchParams.model_json_schema()}},
    }
}
"""The body of ``POST …/search``."""

ADQL_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["query"],
                    "properties": {"query": {"type": "string", "description": "ADQL 2.1"}},
                }
            }
        },
    }
}
"""The body of ``POST …/adql/check``."""
