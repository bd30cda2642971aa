"""How a process that does not maintain the index asks for it to be built anew."""

from __future__ import annotations

import uuid

from elasticsearch import ConflictError, Elasticsearch, NotFoundError

from store.elastic.names import Names
from store.elastic.state import Place, moment, read_document

_REQUEST = "rebuild"


class Requests:
    """A request for whoever maintains the index."""

    def __init__(self, client: Elasticsearch, names: Names) -> None:
        self._client = client
        self._index = names.state

    def ask(self) -> None:
        """Ask for the index to be built anew."""
        request = {"request": uuid.uuid4().hex, "asked": moment()}
        self._client.index(index=self._index, id=_REQUEST, document=request)

    def pending(self) -> Place | None:
        """Return the place of a request that nobody has fulfilled."""
        found = read_document(self._client, self._index, _REQUEST)
        return None if found is None else (found[1], found[2])

    def done(self, request: Place | None) -> None:
        """Take a request back; one that came later stays."""
        if request is None:
            return
        try:
            self._client.delete(
                index=self._index, id=_REQUEST, if_seq_no=request[0], if_primary_term=request[1]
            )
        except (ConflictError, NotFoundError):
            return
