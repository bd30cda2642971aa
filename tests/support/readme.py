"""What the README promises, word for word."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def readme_query() -> str:
    """Return the ADQL query of the README's Python example."""
    found = re.search(r'archive\.search\("""(.+?)"""\)', README.read_text(), re.DOTALL)
    assert found is not None
    return found[1]
