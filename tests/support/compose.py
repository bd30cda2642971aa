"""``docker-compose.yml`` as docker reads it: anchors merged, variables put in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

FILE = ROOT / "docker-compose.yml"

VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


def load(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the model for an environment.

    Raises
    ------
    KeyError
        When a variable that is needed is not in it.
    """

    def value(found: re.Match[str]) -> str:
        if found["kind"] == "-":
            return environment.get(found["name"]) or found["rest"]
        return environment[found["name"]]

    model: dict[str, Any] = _each_text(
        yaml.safe_load(FILE.read_text()), lambda text: VARIABLE.sub(value, text).replace("$$", "$")
    )
    return model


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _each_text(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
