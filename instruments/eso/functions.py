"""What ESO's keywords say beyond a plain copy (DICD; Phase 3 standard)."""

from __future__ import annotations

import re

from instruments.headers import FileHeaders
from instruments.identity import is_processed
from instruments.moments import first_end, start_time
from instruments.position import pointing
from sky.times import TimeError, parse_mjd

_PRODUCT_TYPES = {
    "SCIENCE.IMAGE": "image",
    "SCIENCE.MEFIMAGE": "image",
    "SCIENCE.IMAGE.FLUXMAP": "image",
    "SCIENCE.SPECTRUM": "spectrum",
    "SCIENCE.CUBE": "cube",
    "SCIENCE.CUBE.IFS": "cube",
    "SCIENCE.VISIBILITY": "visibility",
    "SCIENCE.SRCTBL": "measurements",
    "SCIENCE.CATALOG": "measurements",
    "SCIENCE.CATALOGTILE": "measurements",
    "SCIENCE.MCATALOG": "measurements",
}
"""PRODCATG of Phase 3 as ObsCore product types."""

_TECHNIQUES = {
    "IMAGE": "image",
    "SPECTRUM": "spectrum",
    "ECHELLE": "spectrum",
    "MOS": "spectrum",
    "MXU": "spectrum",
    "LSS": "spectrum",
    "IFU": "spectrum",
    "INTERFEROMETRY": "visibility",
}
"""First word of DPR TECH as ObsCore product types; a raw frame of an integral-field unit is no cube yet."""

_TYPE_WORDS = frozenset(
    [
        "OBJECT",
        "STD",
        "SKY",
        "DARK",
        "BIAS",
        "FLAT",
        "LAMP",
        "DOME",
        "WAVE",
        "ARC",
        "ORDERDEF",
        "FMTCHK",
        "MASK",
        "TEST",
        "LINEARITY",
        "DETCHAR",
        "FOCUS",
        "ACQ",
    ]
)
"""Words of DPR TYPE; OBJECT repeats them where there is no target."""

_EMPTY_POSITIONS = frozenset(
    {"FREE", "OPEN", "CLEAR", "OUT", "EMPTY", "NONE", "OPEN_POSITION", "NO", "UNDEFINED"}
)
"""Names of wheel positions without an element."""

_LAMP_AND_SKY = ("SKY", "DARK", "BIAS", "FLAT", "LAMP", "WAVE")
_PROGRAMME = re.compile(r"(?:(?P<type>\d)(?P<long>\d{2,3})|(?P<short>\d{2}))\.[A-Z]-(?P<number>\d{4})")
_NEW_PROGRAMME = re.compile(r"(?P<period>1\d{2})\.[0-9A-Z]{4}(?:\.\d{3})?\Z")
_MOST_ELEMENTS = 30


def product_type(headers: FileHeaders) -> str | None:
    """Return what PRODCATG, or DPR TECH of a raw frame, says; else the file's structure decides."""
    category = headers.text("PRODCATG")
    if category is not None:
        return _PRODUCT_TYPES.get(category.upper())
    technique = headers.text("ESO DPR TECH")
    if technique is None or is_processed(headers):
        return None
    return _TECHNIQUES.get(technique.upper().split(",")[0].strip())


def instrument_name(headers: FileHeaders) -> str | None:
    """Return INSTRUME without version; X-shooter's frames say SHOOT."""
    said = headers.text("INSTRUME")
    if said is None:
        return None
    name = said.split("/")[0].strip()
    return "XSHOOTER" if name == "SHOOT" else name


def target_name(headers: FileHeaders) -> str | None:
    """Return OBJECT, or the observation block's target where OBJECT names no target.

    Calibrations other than of standard stars have none.
    """
    category = (headers.text("ESO DPR CATG") or "").upper()
    kind = (headers.text("ESO DPR TYPE") or "").upper()
    if category in {"CALIB", "TECHNICAL", "TEST"} and "STD" not in kind:
        return None
    said = headers.text("OBJECT")
    block = _block_target(headers, kind)
    named = said is not None and not _is_type(said, kind)
    # Where the block names the target, a title that MIDAS gave is no better.
    return said if named and not (block and _is_midas_title(headers)) else block


def _block_target(headers: FileHeaders, kind: str) -> str | None:
    target = headers.text("ESO OBS TARG NAME")
    if target is None or target.upper().startswith("CALIB") or any(word in kind for word in _LAMP_AND_SKY):
        return None
    return target


def _is_type(said: str, kind: str) -> bool:
    words = {word.strip() for word in said.upper().split(",")}
    return said.upper() == kind or bool(words & _TYPE_WORDS)


def _is_midas_title(headers: FileHeaders) -> bool:
    return any(hdu.header.comment("OBJECT").startswith("MIDAS desc.: IDENT") for hdu in headers.hdus)


def observable(headers: FileHeaders) -> str | None:
    """Return that detectors count, for raw frames."""
    return None if is_processed(headers) or headers.text("ESO DPR CATG") is None else "phot.count"


def multi_ob(headers: FileHeaders) -> str | None:
    """Return S or M for products that list their observation blocks (OBIDi)."""
    if headers.get("OBID1") is None:
        return None
    return "S" if headers.get("OBID2") is None else "M"


def pointed_ra(headers: FileHeaders) -> float | None:
    """Return the right ascension of the pointing [deg, ICRS]."""
    here = pointing(headers)
    return here.ra if here else None


def pointed_dec(headers: FileHeaders) -> float | None:
    """Return the declination of the pointing [deg, ICRS]."""
    here = pointing(headers)
    return here.dec if here else None


def exposure_start(headers: FileHeaders) -> str | float | None:
    """Return DATE-OBS where it has a time of day and does not contradict MJD-OBS; else the start known."""
    start = start_time(headers)
    if start is None:
        return None
    said = headers.text("DATE-OBS")
    if said is not None and ":" in said:
        try:
            parse_mjd(said)
        except TimeError:
            return start.mjd
        return said
    return start.mjd if start.width == 0.0 else None


def frame_end(headers: FileHeaders) -> float | None:
    """Return when an infrared detector delivered a raw frame [MJD]; EXPTIME is that of one integration."""
    return None if is_processed(headers) else first_end(headers, "ESO DET FRAM UTC", "ESO DET EXP UTC")


def programme_type(headers: FileHeaders) -> int | None:
    """Return the first digit of a programme in the form TPP.C-NNNN; technical programmes have none."""
    found = _programme(headers)
    return None if found is None else int(found["type"] or 0)


def programme_period(headers: FileHeaders) -> int | None:
    """Return the period of a programme."""
    new = _NEW_PROGRAMME.match(headers.text("ESO OBS PROG ID") or "")
    if new is not None:
        return int(new["period"])
    found = _programme(headers)
    return None if found is None else int(found["long"] or found["short"])


def _programme(headers: FileHeaders) -> re.Match[str] | None:
    found = _PROGRAMME.match(headers.text("ESO OBS PROG ID") or "")
    # 60.A-9000 to -9999 are technical time of any period.
    technical = found is not None and found["short"] == "60" and found["number"].startswith("9")
    return None if technical else found


def filters(headers: FileHeaders) -> str | None:
    """Return the filters in the beam, separated by commas."""
    return _elements(headers, "FILT", "FILT")


def gratings(headers: FileHeaders) -> str | None:
    """Return the gratings, separated by commas."""
    return _elements(headers, "GRAT", "GRAT")


def grisms(headers: FileHeaders) -> str | None:
    """Return the grisms, separated by commas."""
    return _elements(headers, "GRIS", "GRIS")


def slits(headers: FileHeaders) -> str | None:
    """Return the slits, separated by commas."""
    return _elements(headers, "SLIT", "SLIT")


def _elements(headers: FileHeaders, function: str, kind: str) -> str | None:
    """Return the names at ``INS <function>[i] NAME``, and at OPTIi whose TYPE begins with ``kind``."""
    names: dict[str, None] = {}
    for number in ("", *range(1, _MOST_ELEMENTS)):
        said = headers.text(f"ESO INS {function}{number} NAME")
        if said is not None:
            names[said] = None
        if number and str(headers.get(f"ESO INS OPTI{number} TYPE") or "").upper().startswith(kind):
            optional = headers.text(f"ESO INS OPTI{number} NAME")
            if optional is not None:
                names[optional] = None
    kept = [name for name in names if name.upper() not in _EMPTY_POSITIONS]
    return ",".join(kept) or None
