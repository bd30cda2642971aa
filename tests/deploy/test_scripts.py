"""What is made once before the deployment starts: made once, for whom it is meant, and shown to nobody.

The programs of Elasticsearch's image and its server are played by small scripts that note what is asked.
"""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.compose import ROOT

pytestmark = pytest.mark.slow

SCRIPTS = ROOT / "deploy" / "elasticsearch"

CERTUTIL = """#!/usr/bin/env python3
import sys, uuid, zipfile
name = "ca" if sys.argv[1] == "ca" else "node"
with zipfile.ZipFile(sys.argv[sys.argv.index("--out") + 1], "w") as made:
    for kind in ("key", "crt"):
        made.writestr(f"{name}/{name}.{kind}", uuid.uuid4().hex)
"""

UNZIP = """#!/usr/bin/env python3
import sys, zipfile
zipfile.ZipFile(sys.argv[2]).extractall(sys.argv[4])
"""

CURL = """#!/bin/bash
given=$(cat)
echo "$*" >>"$ASKED"
case "$*" in
    *_security/api_key*)
        key=KEY$RANDOM$RANDOM$RANDOM==
        echo "{\\"id\\":\\"1\\",\\"api_key\\":\\"k\\",\\"encoded\\":\\"$key\\"}" ;;
    *_authenticate*) [[ $given == *"ApiKey KEY"* && -z ${FORGOTTEN:-} ]] || exit 22 ;;
esac
"""

CHOWN = """#!/bin/bash
echo "$*" >>"$OWNED"
"""


@dataclass
class Place:
    """The volumes, and what was asked and given away in their making."""

    made: Path
    environment: dict[str, str]

    def run(self, script: str, **settings: str) -> None:
        for folder in self.made.iterdir():
            folder.chmod(0o700)
        done = subprocess.run(
            ["bash", SCRIPTS / script],
            env={**self.environment, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert not [secret for secret in self.secrets() if secret in done.stdout]

    def secrets(self) -> list[str]:
        names = ("elastic_password", "password", "onedfs_elasticsearch_api_key", "ca.key", "node.key")
        return [path.read_text().strip() for name in names for path in sorted(self.made.rglob(name))]

    def contents(self) -> dict[str, str]:
        files = (path for path in self.made.rglob("*") if path.is_file())
        return {str(path.relative_to(self.made)): path.read_text() for path in files}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made, programs = tmp_path / "made", tmp_path / "bin"
    for name in ("certificates", "reader", "writer", "database", "snapshots"):
        (made / name).mkdir(parents=True)
    programs.mkdir()
    played = {"elasticsearch-certutil": CERTUTIL, "unzip": UNZIP, "curl": CURL, "chown": CHOWN}
    for name, text in played.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "MADE": str(made),
        "DEPLOY": str(SCRIPTS),
        "ELASTICSEARCH": "https://elastic-1:9200",
        "ASKED": str(tmp_path / "asked"),
        "OWNED": str(tmp_path / "owned"),
    }
    return Place(made, environment)


def test_what_was_made_stays(place: Place) -> None:
    for script in ("credentials.sh", "api-keys.sh"):
        place.run(script)
    first = place.contents()
    for script in ("credentials.sh", "api-keys.sh"):
        place.run(script)
    assert place.contents() == first
    assert set(first) == {
        *(
            f"certificates/{name}"
            for name in ("ca.key", "ca.crt", "node.key", "node.crt", "elastic_password")
        ),
        *(f"{who}/ca.crt" for who in ("reader", "writer")),
        *(f"{who}/onedfs_database_password" for who in ("reader", "writer")),
        *(f"{who}/onedfs_elasticsearch_api_key" for who in ("reader", "writer")),
        "database/password",
    }
    assert len({first["certificates/elastic_password"], first["database/password"]}) == 2
    assert first["database/password"] == first["reader/onedfs_database_password"]
    assert len(first["database/password"]) == 32


def test_secrets_are_read_by_their_owner_alone(place: Place, tmp_path: Path) -> None:
    for script in ("credentials.sh", "api-keys.sh"):
        place.run(script)
    for path in place.made.rglob("*"):
        if path.is_file() and not (path.suffix == ".crt" and path.parent.name == "certificates"):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    owned = (tmp_path / "owned").read_text()
    assert "10001:10001" in owned
    assert "ca.key" not in owned


def test_no_secret_is_on_a_command_line(place: Place, tmp_path: Path) -> None:
    for script in ("credentials.sh", "api-keys.sh", "api-keys.sh"):
        place.run(script)
    asked = (tmp_path / "asked").read_text()
    assert "/_security/api_key" in asked
    assert not [secret for secret in place.secrets() if secret in asked]


def test_a_key_that_the_cluster_does_not_know_is_made_anew(place: Place) -> None:
    for script in ("credentials.sh", "api-keys.sh"):
        place.run(script)
    keys = [f"{who}/onedfs_elasticsearch_api_key" for who in ("reader", "writer")]
    first = place.contents()
    place.run("api-keys.sh", FORGOTTEN="yes")
    again = place.contents()
    assert {name for name in first if first[name] != again[name]} == set(keys)


def test_a_certificate_that_was_removed_is_made_anew_by_the_same_authority(place: Place) -> None:
    place.run("credentials.sh")
    first = place.contents()
    (place.made / "certificates" / "node.crt").unlink()
    place.run("credentials.sh")
    again = place.contents()
    assert again["certificates/node.crt"] != first["certificates/node.crt"]
    assert again["certificates/ca.crt"] == first["certificates/ca.crt"]
