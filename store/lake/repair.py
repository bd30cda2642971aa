"""Taking back what a batch left unfinished."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Collection

from schemas import Table
from store.lake.durable import enter
from store.lake.errors import LakeError
from store.lake.holdings import Holdings
from store.lake.ledger import Entry, Pin, now
from store.lake.tables import BATCH_NOTE, LEDGER_NOTE, RESTORED


def repair(lake: Holdings) -> None:
    """Take back what tables hold beyond the newest ledger entry; for whoever holds the lease.

    It may itself be interrupted anywhere: restoring is one commit, and entering it in the ledger another.

    Raises
    ------
    LakeError
        When a table has lost versions that the ledger names.
    """
    lake.ledger.drop_torn()
    entry = lake.ledger.newest()
    batch, pins = uuid.uuid4().hex, dict(entry.tables)
    for name, pin in entry.tables.items():
        _drop_torn(lake, pin)
        table = lake.table_at(pin.path)
        tip = table.log.tip()
        if tip < pin.version:
            raise LakeError(f"{name} is at version {tip} of {pin.version} that the ledger names")
        if tip > pin.version:
            if table.log.commit(tip).info.get(RESTORED) != str(pin.version):
                table.restore(pin.version, batch, entry.version + 1)
            pins[name] = Pin(pin.path, table.log.tip())
    if pins != entry.tables:
        enter(lake, Entry(entry.version + 1, batch, "repair", now(), pins), entry)


def _drop_torn(lake: Holdings, pin: Pin) -> None:
    """Forget commits that were never entered, from the first on that did not reach the disk in full."""
    log = lake.table_at(pin.path).log
    beyond = range(pin.version + 1, log.tip() + 1)
    torn = next((version for version in beyond if not log.is_whole(version)), None)
    if torn is not None:
        log.drop(torn)
        lake.forget_table(pin.path)


def new_path(lake: Holdings, table: Table, taken: Collection[str]) -> str:
    """Choose the folder of a new table, none of the ``taken``; one that a dead writer left is used again.

    Raises
    ------
    LakeError
        When there were too many tables of that name before.
    """
    first = f"{_plain(table.schema_name)}/{_plain(table.local_name)}"
    for number in range(1, 1_000_000):
        path = first if number == 1 else f"{first}.{number}"
        if not (lake.root / path).exists():
            return path
        if path not in taken and _is_orphan(lake, path):
            lake.forget_table(path)
            shutil.rmtree(lake.root / path)
            return path
    raise LakeError(f"{table.name}: too many earlier tables of that name")


def _plain(name: str) -> str:
    """Return a name that is safe in any file system and URL; ``new_path`` keeps equal ones apart."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name) or "_"


def _is_orphan(lake: Holdings, path: str) -> bool:
    """Say whether the batch that created a folder was never entered in the ledger."""
    log = lake.table_at(path).log
    try:
        info = log.commit(0).info
    except FileNotFoundError:
        return log.tip() < 0
    except ValueError:
        info = {}
    if LEDGER_NOTE not in info:
        # What the ledger names has reached the disk in full.
        return True
    version = int(info[LEDGER_NOTE])
    return version > lake.version() or lake.ledger.entry(version).batch != info[BATCH_NOTE]
