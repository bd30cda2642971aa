"""CSV (RFC 4180) with the names of its columns in the first line."""

from __future__ import annotations

import csv
import io
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pc

from vo.uploads.arrow import found_in
from vo.uploads.found import Found
from vo.uploads.limits import Unreadable, UploadLimits

_LONGEST_LINE = 2**20


def read_csv(file: BinaryIO, limits: UploadLimits) -> Found:
    """Read a CSV file; types are those that all values of a column have, and an empty cell has no value.

    Raises
    ------
    Unreadable
        When it is none, or breaks a limit.
    """
    names = _names(file, limits)
    file.seek(0)
    try:
        table = pc.read_csv(
            file,
            read_options=pc.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
            parse_options=pc.ParseOptions(newlines_in_values=True),
            convert_options=pc.ConvertOptions(
                null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise Unreadable(f"it is no CSV that can be read: {str(error).splitlines()[0][:200]}") from None
    return found_in(table, limits)


def _names(file: BinaryIO, limits: UploadLimits) -> list[str]:
    line = file.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise Unreadable(f"its first line, which names the columns, is longer than {_LONGEST_LINE} bytes")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("its text is not UTF-8") from None
    names = next(csv.reader(io.StringIO(text)), [])
    limits.check_columns(len(names))
    return [name.strip() or f"col{at + 1}" for at, name in enumerate(names)]
