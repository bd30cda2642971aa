"""What the Advanced Camera's keywords say beyond a plain copy (ACS Data Handbook)."""

from __future__ import annotations

from instruments.headers import FileHeaders


def instrument_name(headers: FileHeaders) -> str:
    """Return camera and detector: ACS/WFC, ACS/HRC or ACS/SBC."""
    detector = headers.text("DETECTOR")
    return f"ACS/{detector}" if detector in {"WFC", "HRC", "SBC"} else "ACS"


def product_type(headers: FileHeaders) -> str | None:
    """Return image for imaging, spectrum for grism and prism exposures."""
    said = (headers.text("OBSTYPE") or "").upper()
    return {"IMAGING": "image", "SPECTROSCOPIC": "spectrum"}.get(said)


def calibration_level(headers: FileHeaders) -> int:
    """Return 2 once the flat field has been applied, 1 before."""
    return 2 if (headers.text("FLATCORR") or "").upper() == "COMPLETE" else 1


def filters(headers: FileHeaders) -> str | None:
    """Return the elements of the two wheels that are not clear."""
    said = (headers.text("FILTER1"), headers.text("FILTER2"))
    return ",".join(name for name in said if name and not name.upper().startswith("CLEAR")) or None
