"""The quarantine during a run: what is refused, and what is no longer, written batch by batch."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from indexer.discovery import Found
from indexer.errors import FileRefused, IngestError
from store.database import QuarantineStore, Refusal, in_words
from store.database.texts import kept_text


class Refusals:
    """Collects what a run refuses and accepts, and tells the quarantine."""

    def __init__(self, quarantine: QuarantineStore) -> None:
        self._quarantine = quarantine
        self._held: dict[str, dict[str, set[str]]] = {}
        self._refused: dict[tuple[str, str, str], Refusal] = {}
        self._cleared: dict[tuple[str, str], list[str]] = {}

    def refused(
        self, collection: str, root: Path, relative: str, refusal: FileRefused, found: Found | None
    ) -> None:
        """Remember a refusal."""
        self._forget(collection, str(root), relative, with_own=False)
        self._refused[collection, kept_text(str(root)), relative] = Refusal(
            collection=collection,
            path=relative,
            root=str(root),
            code=refusal.code,
            reason=refusal.message,
            size=found.size if found else None,
            mtime=found.mtime if found else None,
        )

    def accepted(self, collection: str, root: Path, relative: str) -> None:
        """Remember that a file is in order, or a folder readable."""
        self._forget(collection, str(root), relative, with_own=True)

    def _forget(self, collection: str, root: str, path: str, *, with_own: bool) -> None:
        """Let go of the entries of a path whose files are gone from their roots, and of that of this root."""
        held, own = self._of(collection).get(path, set()), kept_text(root)
        for other in sorted(held):
            if with_own if other == own else not os.path.lexists(Path(other, path)):
                held.discard(other)
                self._cleared.setdefault((collection, other), []).append(path)

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
            for (collection, root), paths in self._cleared.items():
                self._quarantine.clear(collection, paths, root)
            self._quarantine.put(self._refused.values())
        except SQLAlchemyError as error:
            raise unwritable(error) from error
        for collection, root, path in self._refused:
            self._of(collection).setdefault(path, set()).add(root)
        self._cleared.clear()
        self._refused.clear()

    def _of(self, collection: str) -> dict[str, set[str]]:
        """Return the roots of a collection's refused files, by path."""
        if collection not in self._held:
            try:
                entries = self._quarantine.list(collection=collection)
            except SQLAlchemyError as error:
                raise unwritable(error) from error
            roots = self._held[collection] = {}
            for entry in entries:
                roots.setdefault(entry.path, set()).add(entry.root)
        return self._held[collection]


def unwritable(error: SQLAlchemyError) -> IngestError:
    """Return what stops a run when the quarantine does not answer."""
    return IngestError("database", f"The quarantine cannot be written: {in_words(error)}.")
