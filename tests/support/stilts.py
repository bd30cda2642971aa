"""STILTS, the judge of VO services."""

from __future__ import annotations

import shutil
import subprocess


def stilts(*arguments: str, seconds: float = 240) -> str:
    """Run a task; returns what it says on both channels."""
    command = shutil.which("stilts")
    assert command is not None, "the tests need the Debian package stilts"
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False, timeout=seconds)
    return done.stdout + done.stderr
