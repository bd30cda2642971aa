"""The quarantine during a run: what is refused, and what is no longer, written batch by batch."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from indexer.discovery import Found
from indexer.errors import FileRefused, IngestError
from indexer.settle import Place
from store.database import QuarantineStore, Refusal, in_words


class Refusals:
    """Collects what a run refuses and accepts, and tells the quarantine."""

    def __init__(self, quarantine: QuarantineStore) -> None:
        self._quarantine = quarantine
        self._held: dict[str, set[str]] = {}
        self._refused: dict[Place, Refusal] = {}
        self._cleared: dict[str, list[str]] = {}

    def refused(
        self, collection: str, root: Path, relative: str, refusal: FileRefused, found: Found | None
    ) -> None:
        """Remember a refusal."""
        self._refused[collection, relative] = Refusal(
            collection=collection,
            path=relative,
            root=str(root),
            code=refusal.code,
            reason=refusal.message,
            size=found.size if found else None,
            mtime=found.mtime if found else None,
        )

    def accepted(self, place: Place) -> None:
        """Remember that a file is in order, or a folder readable."""
        collection, path = place
        held = self._of(collection)
        if path in held:
            held.discard(path)
            self._cleared.setdefault(collection, []).append(path)

    @property
    def unsaved(self) -> int:
        """How many refusals the quarantine has not been told of."""
        return len(self._refused)

    def save(self) -> None:
        """Tell the quarantine.

        Raises
        ------
        IngestError
            When the database cannot be written.
        """
        try:
            for collection, paths in self._cleared.items():
                self._quarantine.clear(collection, paths)
            self._quarantine.put(self._refused.values())
        except SQLAlchemyError as error:
            raise unwritable(error) from error
        for collection, path in self._refused:
            self._of(collection).add(path)
        self._cleared.clear()
        self._refused.clear()

    def _of(self, collection: str) -> set[str]:
        if collection not in self._held:
            try:
                entries = self._quarantine.list(collection=collection)
            except SQLAlchemyError as error:
                raise unwritable(error) from error
            self._held[collection] = {entry.path for entry in entries}
        return self._held[collection]


def unwritable(error: SQLAlchemyError) -> IngestError:
    """Return what stops a run when the quarantine does not answer."""
    return IngestError("database", f"The quarantine cannot be written: {in_words(error)}.")
