from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from store.sql.instance import Limits, open_instance


@pytest.fixture(scope="session")
def instance() -> Iterator[duckdb.DuckDBPyConnection]:
    opened = open_instance(Limits())
    yield opened
    opened.close()
