"""Whether the pixels of a file are those that the detector delivered (docs/decisions/0010).

Products are often written with the complete header of their raw frame, its ARCFILE included. What then
tells them apart are traces: of software, of other pixels than a detector delivers, of another name.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from instruments.headers import FileHeaders, Hdu
from instruments.moments import start_time
from sky.times import TimeError, parse_mjd

SUFFIXES = re.compile(r"(?:\.(?:t?fits?|fts|mt|ffits|hdr))?(?:\.(?:Z|gz|fz|bz2))?\Z", re.IGNORECASE)
"""Ends of file names that say nothing but FITS and compression."""

_PRODUCT_KEYS = (
    "PRODCATG",
    "ESO PRO CATG",
    "PIPEFILE",
    "PRODLVL",
    "PROCSOFT",
    "DATAMD5",
    "ASSON1",
    "ASSOC1",
    "PROV1",
    "OBID1",
    "TEXPTIME",
    "FLUXCAL",
    "ASTIRMS1",
    "PHOTZP",
    "ABMAGLIM",
    "IRAF-TLM",
    "CCDPROC",
    "IMCMB001",
    "NCOMBINE",
    "ZEROCOR",
    "DARKCOR",
    "FLATCOR",
    "BIASCOR",
    "WCSDIM",
    "LTM1_1",
    "LTV1",
    "FLXSCALE",
    "DRIZCORR",
    "SCIDATA",
    "ERRDATA",
    "QUALDATA",
)
"""Keywords that pipelines and reduction software leave behind, and raw frames never have."""

_PRODUCT_PREFIXES = ("ESO PRO ", "ESO QC ", "ESO DRS ", "SUBTRACT_", "CREATE_", "CCD_PROCESS")
"""How further such keywords begin; the last three are those of ccdproc."""

_REDUCTION_SOFTWARE = ("MIDAS", "IRAF", "IDL", "CASU", "TERAPIX", "ASTRO-WISE", "CASA", "STARLINK")
"""Words in ORIGIN, or in the comment of SIMPLE, of files that reduction software wrote."""

_NO_DETECTORS = frozenset({8})
"""BITPIX of primary images that no detector delivers; masks have it."""

_PLANES = frozenset(
    {"STAT", "DQ", "ERR", "ERROR", "ERRS", "VAR", "VARIANCE", "SIGMA", "QUAL", "WEIGHT", "MASK"}
)
"""EXTNAME of planes of errors and quality."""

_SPECTRAL = re.compile(r"(?:WAVE|AWAV|FREQ|WAVN|ENER|VRAD|VOPT|VELO|LAMBDA)", re.IGNORECASE)
_PHYSICAL = re.compile(r"erg|jy|watt|\bW\b|mag|electron|\be-|photon", re.IGNORECASE)

_REDUCTION = re.compile(
    r"bias|dark|flat|sky|overscan|subtract|divid|multipl|correct|reduc|combin|stack|coadd|mosaic|averag|median"
    r"|calib|extract|pipeline|generated|remov|replac|mask|shift|rotat|resampl|rebin|smooth|filter|cosmic|trim|crop|scal|interpol|detrend|normali[sz]e|process"
    r"|imarith|imcopy|imcombine|ccdproc|astropy|swarp|scamp|drizzl",
    re.IGNORECASE,
)
"""What HISTORY says of changed pixels."""

_REMARK = re.compile(r"subtract|divided|reduced|calibrated|combined|stacked|averaged", re.IGNORECASE)
"""What COMMENT says of changed pixels."""

_HEADER_EDITS = re.compile(
    r"SETHEAD|DELHEAD|FITSHDR|fpack|funpack|CHECKSUM|ARCFILE|ORIGFILE|\A\s*\Z", re.IGNORECASE
)
"""What HISTORY says of tools that leave the pixels alone."""

_RESULT = re.compile(
    r"(?<![a-z])(?:master|super)|reduc|calibrated|stack|coadd|combin|mosaic|subtract|(?:bias|dark|sky|bg|b|d)sub"
    r"|correct|process|clean|resampl|rebin|extract|normali[sz]|product|result|final|smooth|crop|trim|(?<![a-z])mask"
    r"|(?<![a-z])(?:proc|corr|sub|diff|wcs|astrom)(?![a-z])",
    re.IGNORECASE,
)
"""Words of file names of what was computed."""

_RESULTS = re.compile(
    r"(?:reduced|redux|reduction|processed|products?|outputs?|results?|calibrated|stacks?|final)\Z",
    re.IGNORECASE,
)
"""Names of folders of what was computed."""

_DIT = re.compile(r"ESO DET (?:SEQ\d* )?(?:MIN)?N?DIT\d*\Z")
_CCD_KEYS = ("ESO DET OUT1 CONAD", "ESO DET OUT1 GAIN", "ESO DET READ CLOCK", "ESO DET READ SPEED")

_TELLING = 6
"""Letters that a name has at least, if finding it in another tells that this was derived from it."""

_LATE = 2.0
"""Days after the exposure within which the observatory has written and archived a frame."""


def processed_by(headers: FileHeaders) -> str | None:
    """Return what says that software has made this file from another; None where nothing does."""
    return headers.remember("processed by", _processed_by)


def _processed_by(headers: FileHeaders) -> str | None:
    key = next((key for key in _PRODUCT_KEYS if headers.get(key) is not None), None)
    key = key or next((prefix.strip() for prefix in _PRODUCT_PREFIXES if headers.has(prefix)), None)
    if key is not None:
        return f"its header has {key}"
    origin = str(headers.primary.get("ORIGIN", "")).upper()
    written_by = headers.primary.comment("SIMPLE").upper()
    for word in _REDUCTION_SOFTWARE:
        if word in origin or f"WRITTEN BY {word}" in written_by:
            return f"{word} wrote it"
    first = headers.hdus[0] if headers.hdus else None
    if first is not None and first.is_image and first.integer("BITPIX") in _NO_DETECTORS:
        return f"no detector delivers pixels of BITPIX {first.integer('BITPIX')}"
    return next(filter(None, map(_calibrated, headers.image_hdus())), None)


def _calibrated(hdu: Hdu) -> str | None:
    """Return what in an image is only there after a reduction."""
    header = hdu.header
    if str(header.get("EXTNAME", "")).strip().upper() in _PLANES:
        return f"it has a plane {str(header['EXTNAME']).strip()}"
    unit = str(header.get("BUNIT", ""))
    if _PHYSICAL.search(unit):
        return f"its pixels are in {unit.strip()}"
    axes = (str(header.get(f"CTYPE{axis}", "")) for axis in range(1, len(hdu.shape) + 1))
    spectral = next(filter(_SPECTRAL.match, axes), None)
    return f"it has an axis of wavelengths ({spectral.strip()})" if spectral else None


def altered(headers: FileHeaders) -> str | None:
    """Return what contradicts that the pixels are those of the raw frame whose header the file has.

    None where nothing does. What the file is called is not asked for.
    """
    return headers.remember("altered", _altered)


def _altered(headers: FileHeaders) -> str | None:
    processed = processed_by(headers)
    if processed is not None:
        return processed
    sums = _doubtful_sums(headers)
    if sums is not None:
        return sums
    words = next((text for text in _commentary(headers, "HISTORY") if _tells_reduction(text)), None)
    words = words or next(filter(_REMARK.search, _commentary(headers, "COMMENT")), None)
    if words is not None:
        return f"its HISTORY or COMMENT says {words.strip()!r}"
    images = headers.image_hdus()
    if any(_is_float(hdu) for hdu in images) and _has_ccd(headers):
        return "a CCD delivers whole numbers, and its pixels are not"
    if len(images) == 1 and not _is_untouched(headers):
        return _reshaped(headers, images[0])
    return None


def unproven(headers: FileHeaders, archive_name: str) -> str | None:
    """Return why a file that nothing contradicts may still be something else than its raw frame.

    None where its DATASUM is that of the observatory, where the file is called as in the archive or as at
    the telescope and does not lie among results, or where whole numbers that nobody touched stand under a
    name that says nothing.
    """
    if _is_untouched(headers):
        return None
    folder = next(filter(_RESULTS.match, headers.path.split("/")[:-1]), None)
    if folder is not None:
        return f"it lies in a folder of results ({folder})"
    own = _plain(headers.file_name)
    names = [_plain(name) for name in (archive_name, headers.text("ORIGFILE")) if name is not None]
    return None if own in names else _doubtful(headers, own, names)


def _doubtful(headers: FileHeaders, own: str, names: list[str]) -> str | None:
    """Return what makes a file under a name of its own doubtful."""
    if any(len(name) >= _TELLING and name in own for name in names) or _RESULT.search(own):
        return f"its name {headers.file_name} is that of something made from it"
    images = headers.image_hdus()
    if not images:
        return "it has no image, and another name"
    if any(map(_is_float, images)):
        return "its pixels are no whole numbers, and it has another name"
    if any(not _HEADER_EDITS.search(text) for text in _commentary(headers, "HISTORY")):
        return "it has a HISTORY, and another name"
    return _written_late(headers)


def _plain(name: str) -> str:
    """Return a file name without suffixes and folders, with what operating systems replace made equal."""
    bare = SUFFIXES.sub("", unquote(name).rpartition("/")[2].strip())
    bare = re.sub(r"(?: \(\d+\)| - Copy| copy)\Z", "", SUFFIXES.sub("", bare))
    return bare.replace(":", "_").replace("-", "_").lower()


def _commentary(headers: FileHeaders, keyword: str) -> list[str]:
    return [card[8:] for hdu in headers.hdus for card in hdu.header.cards if card.startswith(keyword)]


def _tells_reduction(text: str) -> bool:
    return _REDUCTION.search(text) is not None and _HEADER_EDITS.search(text) is None


def _is_float(hdu: Hdu) -> bool:
    letter = "Z" if hdu.is_compressed and "ZBITPIX" in hdu.header else ""
    if hdu.integer(f"{letter}BITPIX") < 0:
        return True
    scale = hdu.header.get("BSCALE", 1.0)
    return isinstance(scale, int | float) and float(scale) != 1.0


def _has_ccd(headers: FileHeaders) -> bool:
    names = headers.primary.names("ESO DET ")
    return headers.get(*_CCD_KEYS) is not None and not any(map(_DIT.match, names))


def _sum_matches(hdu: Hdu) -> bool | None:
    """Tell whether DATASUM is that of the data; None where it is not known."""
    said = hdu.header.get("DATASUM")
    if hdu.data_sum is None or said is None:
        return None
    try:
        return int(str(said).strip()) == hdu.data_sum
    except ValueError:
        return None


def _doubtful_sums(headers: FileHeaders) -> str | None:
    if any(_sum_matches(hdu) is False for hdu in headers.hdus):
        return "its data are not those that DATASUM was computed for"
    images = [hdu for hdu in headers.image_hdus() if not hdu.is_compressed]
    if len({hdu.data_sum is None for hdu in images}) > 1:
        return "some of its images have a DATASUM, others were added without"
    # The observatory dates a file that it writes anew; who else computes a DATASUM leaves DATE alone.
    written = _day(str(headers.get("DATE") or "")[:10])
    days = (_day(_summed_on(hdu)) for hdu in images)
    if written is not None and any(day is not None and day - written > _LATE for day in days):
        return "its DATASUM was computed long after the observatory wrote it"
    return None


def _summed_on(hdu: Hdu) -> str:
    """Return the day in ``data unit checksum updated 2006-04-13T``; empty where there is none."""
    dated = re.search(r"\d{4}-\d\d-\d\d", hdu.header.comment("DATASUM"))
    return dated[0] if dated else ""


def _day(text: str) -> float | None:
    try:
        return parse_mjd(text)
    except TimeError:
        return None


def _is_untouched(headers: FileHeaders) -> bool:
    """Tell whether the data of all images are those that the observatory computed their DATASUM of."""
    images = headers.image_hdus()
    return bool(images) and all(_sum_matches(hdu) and not _summed_later(hdu, headers) for hdu in images)


def _summed_later(hdu: Hdu, headers: FileHeaders) -> bool:
    """Tell whether DATASUM was computed long after the exposure, by who knows whom."""
    return _is_late(_summed_on(hdu), headers)


def _written_late(headers: FileHeaders) -> str | None:
    said = headers.text("DATE")
    late = said is not None and _is_late(said[:10], headers)
    return f"it was written long after the exposure (DATE {said}), and has another name" if late else None


def _is_late(text: str, headers: FileHeaders) -> bool:
    start, day = start_time(headers), _day(text)
    return start is not None and day is not None and day - start.mjd > _LATE


def _reshaped(headers: FileHeaders, image: Hdu) -> str | None:
    """Return how an image differs from the window that was read out: it is cut, or one row is left."""
    if len(image.shape) < 2 or min(image.shape[:2]) == 1:
        return "a detector does not deliver a single row"
    for axis, letter in enumerate("XY"):
        said = headers.number(f"ESO DET WIN1 N{letter}", f"ESO DET WIN N{letter}")
        length = image.shape[axis]
        # Binned frames and those of one chip of several are whole parts of the window.
        if said is not None and length < said and said % length:
            return f"it has {length} of the {said:g} pixels that were read out along {letter.lower()}"
    return None
