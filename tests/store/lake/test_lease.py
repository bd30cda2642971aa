"""One writer at a time, and never a lock left by the dead."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from store.lake import LeaseTimeout
from store.lake.lease import hold_lease, is_shared, share

HOLDER = """
import sys, time
from pathlib import Path
from store.lake.lease import hold_lease

with hold_lease(Path(sys.argv[1]), "ingest", timeout=5):
    print("held", flush=True)
    time.sleep(60)
"""

SHARER = """
import sys, time
from pathlib import Path
from store.lake.lease import share

with share(Path(sys.argv[1])):
    print("shared", flush=True)
    time.sleep(60)
"""


def test_who_waits_in_vain_learns_who_holds_it_and_death_frees_it(tmp_path: Path) -> None:
    lease = tmp_path / "lake/_lease"
    command = [sys.executable, "-c", HOLDER, str(lease)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiting = hold_lease(lease, "compact", timeout=0.05)
        with pytest.raises(LeaseTimeout, match=rf"process {holder.pid} on .*\(ingest, since"):
            waiting.__enter__()
        holder.kill()
    with hold_lease(lease, "compact", timeout=5):
        pass


def test_several_may_load_at_once_and_death_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "lake/_loading"
    assert not is_shared(path)
    command = [sys.executable, "-c", SHARER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sharer:
        assert sharer.stdout is not None
        assert sharer.stdout.readline() == "shared\n"
        with share(path):
            assert is_shared(path)
        assert is_shared(path)
        sharer.kill()
        sharer.wait()
        assert not is_shared(path)


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    inside: list[int] = []
    most = 0

    def work() -> None:
        nonlocal most
        for _ in range(5):
            with hold_lease(tmp_path / "_lease", "ingest", timeout=30):
                inside.append(1)
                most = max(most, len(inside))
                time.sleep(0.002)
                inside.pop()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_an_unreadable_note_still_names_somebody(tmp_path: Path) -> None:
    lease = tmp_path / "_lease"
    with hold_lease(lease, "ingest", timeout=1):
        lease.write_text("")
        with pytest.raises(LeaseTimeout, match="another process"):
            hold_lease(lease, "ingest", timeout=0).__enter__()
