"""What a user should be told about a query besides its answer."""

from __future__ import annotations

from query import tree
from sky.forms import exceeds_hemisphere
from sky.regions import Polygon, Union


def notes(query: tree.Query) -> tuple[str, ...]:
    """Return remarks on a query, each once.

    A polygon is searched as it is wound (DALI 1.1 section 3.3.7): counter-clockwise seen from the sphere's
    centre, so one written the other way round selects the rest of the sky. That is said.
    """
    literals = (node for node in tree.walk(query) if isinstance(node, tree.RegionLiteral))
    return tuple(dict.fromkeys(note for literal in literals for note in _of(literal.region)))


def _of(region: object) -> tuple[str, ...]:
    if isinstance(region, Union):
        return tuple(note for part in region.parts for note in _of(part))
    if not isinstance(region, Polygon) or not exceeds_hemisphere(region):
        return ()
    first = " ".join(f"{ra:g} {dec:g}" for ra, dec in region.vertices[:3])
    side = f"The polygon {first} … covers more than half of the sky"
    reason = "its vertices run clockwise as seen from the centre of the sphere"
    return (f"{side}: {reason}. Reverse their order to select the other side.",)
