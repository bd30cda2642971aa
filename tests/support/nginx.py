"""An nginx of Debian's on loopback, with configurations put in where it includes them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

_START_SECONDS = 60.0

_MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""


class CannotPrepareError(Exception):
    """nginx is not on this machine."""


def program() -> str:
    """Return where nginx is.

    Raises
    ------
    CannotPrepareError
        When it is not installed.
    """
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise CannotPrepareError("nginx is needed: apt-get install nginx-light")
    return found


def filled(template: str, values: Mapping[str, object]) -> str:
    """Put values into a template, as the official image does."""
    for name, value in values.items():
        template = template.replace(f"${{{name}}}", str(value))
    return template


@contextmanager
def nginx(folder: Path, configurations: Mapping[str, str], answers: Sequence[str]) -> Iterator[None]:
    """Run it for as long as the context lasts; it has started when something answers at each of the URLs."""
    (folder / "conf.d").mkdir(parents=True)
    for name, text in configurations.items():
        (folder / "conf.d" / f"{name}.conf").write_text(text)
    # Its workers would be somebody who may not read the folders of tests.
    user = "user root;" if os.geteuid() == 0 else ""
    main = folder / "nginx.conf"
    main.write_text(_MAIN.format(folder=folder, user=user))
    process = subprocess.Popen([program(), "-p", folder, "-c", main, "-e", folder / "error.log"])
    try:
        for url in answers:
            _wait(process, folder, url)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], folder: Path, url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, (folder / "error.log").read_text()
        try:
            httpx.get(url, verify=False)  # noqa: S501 - only whether it listens
        except httpx.TransportError:
            assert time.monotonic() < end, f"nginx does not listen at {url}"
            time.sleep(0.05)
        else:
            return
