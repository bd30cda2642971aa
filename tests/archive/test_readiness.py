"""What ``/readyz`` says while the engine is away, or the index behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from archive.app import create_app
from store.port import Difference, Index, IndexStatus, Snapshot
from tests.archive.conftest import Client, SmallArchive, add_rows, observation


@dataclass
class Away:
    """An index whose servers are away; everything else is as it was."""

    index: Index

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return self.index.snapshot()

    def status(self) -> IndexStatus:
        return replace(self.index.status(), away="Elasticsearch does not answer: refused")

    def differences(self, *, thorough: bool) -> Iterator[Difference]:
        return self.index.differences(thorough=thorough)

    def close(self) -> None:
        self.index.close()


def test_while_the_engine_is_away_it_says_so_and_who_answers(own: SmallArchive) -> None:
    client = Client(create_app(replace(own.process, index=Away(own.process.index))))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["detail"] == (
        "Elasticsearch does not answer: refused; the lake answers at version 2 of 2"
    )
    assert client.get("/scs/ivoa.obscore?RA=1&DEC=2&SR=0.1").status_code == 200


def test_it_says_why_the_index_is_behind(own: SmallArchive) -> None:
    client = Client(create_app(replace(own.process, waits_for=lambda: "the cluster is full")))
    add_rows(own.lake, "ivoa.ObsCore", [observation(900)])
    assert client.get("/readyz").json() == {"status": "ready", "version": 2, "behind": "the cluster is full"}
    own.refresh()
    assert client.get("/readyz").json() == {"status": "ready", "version": 3}
