"""Searches for images and cubes (SIA 2.0)."""

from __future__ import annotations

from functools import partial

from query import build
from schemas import Schemas
from vo.dali import Parameters, RowLimit
from vo.formats.registry import choose
from vo.ports import Ports
from vo.reply import Question, Reply, answer
from vo.sia2.parameters import where
from vo.votable.document import Head, Info

STANDARD_ID = "ivo://ivoa.net/std/SIA#query-2.0"
"""The identifier of the standard."""

OBSCORE = "ivoa.ObsCore"
"""The table that is searched."""


class ImageService:
    """Finds images and cubes by the parameters of SIA 2."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def search(self, params: Parameters) -> Reply:
        """Answer a search; MAXREC=0 asks for the description of the columns.

        Raises
        ------
        Fault
            When a parameter is wrong, or the query fails before its first rows.
        """
        form, media_type = choose(params.one("RESPONSEFORMAT"))
        limit = self._ports.limits.rows(params.one("MAXREC"))
        return answer(self._ports, partial(_question, params, limit), form, media_type)


def _question(params: Parameters, limit: RowLimit, declared: Schemas) -> Question:
    table = declared.public.table(OBSCORE)
    query = build.select(table, where=where(table, params))
    head = Head((Info("standardID", STANDARD_ID),), table.name, table.description)
    return Question(query, limit, head)
