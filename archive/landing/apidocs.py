"""The OpenAPI document as rows for a page that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SHOWN = ("/api/v1", "/files", "/headers")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its name, its type and what it means."""

    name: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of the JSON API and of the files, in the order of their declaration."""
    return [
        Operation(method.upper(), path, operation.get("summary", ""), _parameters(operation))
        for path, methods in document["paths"].items()
        if path.startswith(_SHOWN)
        for method, operation in methods.items()
    ]


def _parameters(operation: Mapping[str, Any]) -> tuple[Parameter, ...]:
    found = [
        Parameter(p["name"], _kind(p.get("schema", {})), p.get("description", ""))
        for p in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    found += [
        Parameter(name, _kind(schema), schema.get("description", ""))
        for name, schema in body.get("properties", {}).items()
    ]
    return tuple(found)


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_kind(item) for item in schema["anyOf"] if item.get("type") != "null")
    return str(schema.get("type", ""))
