"""Factors between units (ADQL 2.1, section 4.9, and VOUnits)."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=256)
def factor(unit: str, target: str) -> float:
    """Return the number by which a value in one unit is multiplied to be in another.

    Raises
    ------
    ValueError
        When one is not a VOUnit, or they do not measure the same; the message is for the user.
    """
    from astropy import units  # noqa: PLC0415 - costs half a second, which few queries need

    parsed = []
    for text in (unit, target):
        try:
            parsed.append(units.Unit(text, format="vounit", parse_strict="raise"))
        except (ValueError, TypeError):
            raise ValueError(f"{text!r} is not a unit of VOUnits") from None
    try:
        return float(parsed[0].to(parsed[1]))
    except units.UnitConversionError:
        raise ValueError(f"{unit!r} cannot be given in {target!r}") from None
