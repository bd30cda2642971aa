"""Word of running servers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from archive.presence import Presence, Server, servers, wait_visible

if TYPE_CHECKING:
    from pathlib import Path

_SERVER = """
import sys, time
from pathlib import Path
from archive.presence import Presence
Presence(Path(sys.argv[1]), "http://x", lambda: 5)
print("up", flush=True)
time.sleep(60)
"""


def test_a_server_says_what_it_shows(tmp_path: Path) -> None:
    shown = [1]
    word = Presence(tmp_path, "http://here", lambda: shown[0])
    [server] = servers(tmp_path)
    assert (server.pid, server.version, server.url) == (os.getpid(), 1, "http://here")
    assert not server.is_beside()
    shown[0] = 2
    assert wait_visible(tmp_path, 2, 5).reached
    word.close()
    assert servers(tmp_path) == []


def test_waiting_ends_when_the_version_shows(tmp_path: Path) -> None:
    shown = [1]
    word = Presence(tmp_path, "http://here", lambda: shown[0])
    threading.Timer(0.3, lambda: shown.__setitem__(0, 9)).start()
    began = time.monotonic()
    seen = wait_visible(tmp_path, 9, 10)
    assert (seen.servers, seen.reached) == (1, True)
    assert 0.2 < time.monotonic() - began < 5
    word.close()


def test_waiting_gives_up_and_says_how_far_behind(tmp_path: Path) -> None:
    word = Presence(tmp_path, "http://here", lambda: None)
    seen = wait_visible(tmp_path, 3, 0.2)
    assert (seen.servers, seen.lag, seen.reached) == (1, 3, False)
    word.close()


def test_without_servers_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    began = time.monotonic()
    assert wait_visible(tmp_path / "none", 3, 10).servers == 0
    assert time.monotonic() - began < 1


def test_a_killed_server_is_forgotten(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "up\n"
        assert [server.version for server in servers(tmp_path)] == [5]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert servers(tmp_path) == []
        assert list(tmp_path.iterdir()) == []


def test_servers_in_containers_have_the_same_numbers_and_are_not_taken_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Presence(tmp_path, "http://here", lambda: 1)
    monkeypatch.setattr("archive.presence._HOST", "another")
    second = Presence(tmp_path, "http://here", lambda: 2)
    assert sorted((server.host, server.version) for server in servers(tmp_path)) == sorted(
        [(socket.gethostname(), 1), ("another", 2)]
    )
    assert not any(server.is_beside() for server in servers(tmp_path))
    second.close()
    monkeypatch.undo()
    first.close()


def test_workers_of_one_server_stand_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ONEDFS_SUPERVISOR", "77")
    worker = Server(os.getpid() + 1, 1, "http://here", socket.gethostname(), 77)
    assert worker.is_beside()
    assert not replace(worker, parent=78).is_beside()
    assert not replace(worker, host="another").is_beside()
