"""An error is no answer, whatever its status: in a document of its own, or after the rows."""

from __future__ import annotations

import pytest

from bench.client import Client
from bench.refusal import error_of

_ROWS = b"<TR><TD>a</TD></TR>" * 10_000
_TABLE = b"<VOTABLE><RESOURCE><TABLE><DATA><TABLEDATA>" + _ROWS + b"</TABLEDATA></DATA></TABLE>"
_ENDED = b"</RESOURCE></VOTABLE>"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            b'<VOTABLE><RESOURCE><INFO name="QUERY_STATUS" value="ERROR">x &gt; 1\n</INFO>' + _ENDED,
            "x > 1",
        ),
        (b"<v:VOTABLE><v:INFO value='ERROR' name='QUERY_STATUS'/></v:VOTABLE>", ""),
        (
            b'<VOTABLE><INFO ID="Error" name="Error" value="no RA &amp; DEC"></INFO></VOTABLE>',
            "no RA & DEC",
        ),
        (b'<VOTABLE><PARAM name="Error" datatype="char" value="no SR"/></VOTABLE>', "no SR"),
        (_TABLE + b'<INFO name="QUERY_STATUS" value="ERROR">too long</INFO>' + _ENDED, "too long"),
    ],
)
def test_an_error_is_found(answer: bytes, error: str) -> None:
    assert error_of(answer) == error


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b'<VOTABLE><RESOURCE><INFO name="QUERY_STATUS" value="OK"/></RESOURCE></VOTABLE>',
        _TABLE + b'<INFO name="QUERY_STATUS" value="OVERFLOW"/>' + _ENDED,
        b'<VOTABLE><INFO name="queryPars" value="a &lt; ERROR">b</INFO><FIELD name="Error"/></VOTABLE>',
        b'target_name\n"Error, ERROR"\n',
    ],
)
def test_an_answer_is_not_an_error(answer: bytes) -> None:
    assert error_of(answer) is None


@pytest.mark.parametrize(
    "given",
    ["http://host/cone", "http://host/cone?", "http://host/cone?table=a", "http://host/cone?table=a&"],
)
def test_the_parameters_of_a_cone_search_are_added_to_its_url(given: str) -> None:
    url = Client(tap="http://host/tap", scs=given).scs_request((1.0, -2.0), 0.5).url
    own = "table=a&" if "table" in given else ""
    assert url == f"http://host/cone?{own}RA=1.0&DEC=-2.0&SR=0.5&MAXREC=10000"
