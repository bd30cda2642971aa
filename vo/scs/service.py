"""Cone searches on every public table that has positions (SCS 1.03, section 2)."""

from __future__ import annotations

from functools import partial

import schemas
from query import build, tree
from schemas import Column, Kind, Schemas, Table, UnknownTableError
from sky.regions import Circle
from vo.dali import Fault, NotFoundFault, Parameters, RowLimit, UsageFault
from vo.formats.registry import choose
from vo.ports import Ports
from vo.reply import VOTABLE, Question, Reply, answer, error_reply
from vo.votable.document import Head, Info, error_document

STANDARD_ID = "ivo://ivoa.net/std/ConeSearch"
"""The identifier of the standard."""

_UCDS = ("ID_MAIN", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN")
"""UCD1 of the identifier, the right ascension and the declination; each is on exactly one FIELD."""


def searchable(declared: Schemas) -> list[Table]:
    """Return the tables that can be searched."""
    return [table for table in declared.public if table.position is not None and table.indexed]


class ConeService:
    """Finds the rows of a table whose position is in a cone."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def search(self, name: str, params: Parameters) -> Reply:
        """Answer a cone search of the table of that name, in any case.

        SR=0 asks for the description of the columns.

        Raises
        ------
        Fault
            When there is no such table, a parameter is wrong, or the query fails before its first rows.
        """
        form, media_type = choose(params.choice(("RESPONSEFORMAT", "FORMAT")) or "text/xml")
        limit = self._ports.limits.rows(params.one("MAXREC"))
        ask = partial(self._question, name, params, limit)
        return answer(self._ports, ask, form, media_type)

    def _question(
        self, name: str, params: Parameters, limit: RowLimit, declared: schemas.Schemas
    ) -> Question:
        table = find(declared, name)
        cone = _cone(params)
        query = tree.Select(
            outputs=_outputs(table, _verbosity(params)),
            source=tree.TableRef(build.ALIAS, table),
            where=None if cone is None else build.position_in(table, cone),
        )
        head = Head((Info("standardID", STANDARD_ID),), table.name, table.description)
        return Question(query, None if cone is None else limit, head)


def find(declared: Schemas, name: str) -> Table:
    """Return the searchable table of that name.

    Raises
    ------
    NotFoundFault
        When there is none.
    """
    try:
        table = declared.public.table(name)
    except UnknownTableError:
        table = None
    if table is None or table.position is None or not table.indexed:
        known = ", ".join(found.name for found in searchable(declared))
        raise NotFoundFault(f"there is no cone search of {name[:100]!r}; there is of {known}")
    return table


def _cone(params: Parameters) -> Circle | None:
    """Read RA, DEC and SR, degrees; None when SR is 0."""
    ra, dec, radius = (params.number(name) for name in ("RA", "DEC", "SR"))
    for name, value, low, high in (("RA", ra, 0, 360), ("DEC", dec, -90, 90), ("SR", radius, 0, 180)):
        if not low <= value <= high:
            raise UsageFault(f"{name}={value:g} is not between {low} and {high} degrees")
    return None if radius == 0 else Circle(ra % 360.0, dec, radius)


def _verbosity(params: Parameters) -> int:
    text = params.one("VERB") or "2"
    if text not in ("1", "2", "3"):
        raise UsageFault(f"VERB must be 1, 2 or 3, not {text[:40]!r}")
    return int(text)


def identifier(table: Table) -> Column:
    """Return the column that names a row: by its UCD, else the first of the key."""
    marked = (column for column in table.columns if (column.ucd or "").startswith("meta.id;meta.main"))
    return next(marked, table.column(table.key[0]))


def _outputs(table: Table, verbosity: int) -> tuple[tree.Output, ...]:
    """Return the three columns that every answer has, and more of them with more verbosity."""
    ra, dec = (table.column(name) for name in table.position or ())
    first = (identifier(table), ra, dec)
    kinds = (Kind.TEXT, Kind.DOUBLE, Kind.DOUBLE)
    found = [_main(column, kind, ucd) for column, kind, ucd in zip(first, kinds, _UCDS, strict=True)]
    names = {column.name for column in first}
    rest = [column for column in table.columns if column.name not in names]
    if verbosity == 1:
        rest = []
    elif verbosity == 2:
        rest = [column for column in rest if column.principal] or rest
    return (*found, *build.outputs(table, [column.name for column in rest]))


def _main(column: Column, kind: Kind, ucd: str) -> tree.Output:
    """Return a column as SCS wants it: of that kind, and with a UCD of version 1."""
    source: tree.Expression = tree.Column(build.ALIAS, column.name, column.kind)
    if column.kind is not kind:
        source = tree.Cast(source, kind)
    field = column.model_copy(update={"kind": kind, "ucd": ucd, "ascii": True, "xtype": None, "array": None})
    return tree.Output(source, field)


def cone_error(ports: Ports, fault: Fault) -> Reply:
    """Return the error document of SCS 1.03, section 2.3: an INFO named ``Error``.

    Clients of SCS read the document and not the HTTP status, and some drop the document of any status but
    200; so a wrong request is answered with 200. A table that is not there, and our own trouble, keep theirs.
    """
    if not isinstance(fault, UsageFault):
        return error_reply(ports, fault, Info("Error", str(fault)))
    infos = [Info("Error", str(fault)), Info("request_id", ports.request_id())]
    return Reply(error_document(fault.text, infos), VOTABLE)
