"""What indices are called, and by what a changed mapping is known."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import schemas
from schemas.elastic import mapping, packed_columns
from store.elastic.client import Cluster

FORMAT = 1
"""Version of what documents and the state mean; an index of another one is built anew."""

PREFIX = re.compile(r"[a-z][a-z0-9_]*\Z")
"""What the names of our indices may begin with: without a hyphen, so that no two prefixes overlap."""

META = "onedfs"
"""Where a mapping says whose it is."""

_PLAIN = re.compile(r"[a-z0-9_]+\Z")


def fingerprint(table: schemas.Table) -> str:
    """Return what changes whenever the documents of a table do: 12 hexadecimal digits."""
    packed = [(name.lower(), kind, array) for name, kind, array in packed_columns(table)]
    text = json.dumps([FORMAT, mapping(table), packed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Names:
    """Makes the names of all indices that begin with a prefix."""

    prefix: str

    def __post_init__(self) -> None:
        if not PREFIX.match(self.prefix):
            raise ValueError(f"{self.prefix!r}: expected lower-case letters, digits and underscores")

    @property
    def state(self) -> str:
        """The index of the state and the lease."""
        return f"{self.prefix}-state"

    @property
    def all(self) -> str:
        """The pattern of all of them."""
        return f"{self.prefix}-*"

    def alias(self, table: schemas.Table) -> str:
        """Return the name under which a table is found by people and their tools."""
        return "-".join([self.prefix, _part(table.schema_name), _part(table.local_name)])

    def index(self, table: schemas.Table, number: int) -> str:
        """Return the name of the index of a table with its present mapping."""
        return f"{self.alias(table)}-{fingerprint(table)}-{number}"

    @staticmethod
    def as_made(index: str, mapping: str) -> bool:
        """Whether an index was made for a mapping, given by its fingerprint, and not widened to it later."""
        return f"-{mapping}-" in index

    def meta(self, table: schemas.Table) -> dict[str, Any]:
        """Return what a mapping says of itself."""
        return {META: {"prefix": self.prefix, "table": table.name, "format": FORMAT}}

    @classmethod
    def of(cls, cluster: Cluster) -> Names:
        """Return the names of a cluster's indices."""
        return cls(cluster.prefix)


def _part(name: str) -> str:
    """Return a name with nothing in it that the name of an index may not hold."""
    name = name.lower()
    if _PLAIN.match(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{re.sub(r'[^a-z0-9_]', '_', name)[:60]}~{digest}"
