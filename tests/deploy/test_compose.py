"""The deployment, as far as reading it tells: pinned, healthy, limited, without secrets, in our own words."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from archive.cli import app
from archive.settings import Settings
from tests.support.compose import FILE, ROOT, VARIABLE, load

ENVIRONMENT = {
    "ONEDFS_PUBLIC_URL": "https://archive.example",
    "ONEDFS_AUTHORITY": "archive.example",
    "TLS_CERTIFICATE": "./certificate.pem",
    "TLS_KEY": "./key.pem",
}
MODEL = load(ENVIRONMENT)
SERVICES: dict[str, dict[str, Any]] = MODEL["services"]
LASTING = {name: service for name, service in SERVICES.items() if service.get("restart") != "no"}
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("onedfs:")}
PINNED = re.compile(r"[\w./-]+:\d+\.\d+(\.\d+)?(-[\w.-]+)?\Z")


def example() -> dict[str, str]:
    """Return what the example names, in use or commented out, with its values."""
    lines = (ROOT / "deploy" / "example.env").read_text().splitlines()
    found = (re.match(r"#?([A-Z_]+)=(.*)", line) for line in lines)
    return {line[1]: line[2] for line in found if line}


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    assert PINNED.match(SERVICES[name]["image"])


def test_the_application_s_image_begins_from_pinned_ones_and_does_not_run_as_root() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("FROM") and not PINNED.match(line.split()[1])] == []
    last = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM")) :]
    assert [line.split()[1] for line in last if line.startswith("USER")] == ["onedfs"]
    assert any("--require-hashes -r requirements/app.txt" in line for line in lines)


def test_what_goes_into_the_image_is_the_packages_and_what_builds_them() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    [wheel] = re.findall(r"wheel\]\npackages = (\[.*?\])", (ROOT / "pyproject.toml").read_text())
    assert kept == {*json.loads(wheel), "requirements", "pyproject.toml", "README.md", "LICENSE"}


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_watched_and_started_again(name: str) -> None:
    service = LASTING[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_limited(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"\d+[mg]", limits["memory"])
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_come(name: str) -> None:
    for other, waited in SERVICES[name].get("depends_on", {}).items():
        match waited["condition"]:
            case "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no"
            case "service_healthy":
                assert "healthcheck" in SERVICES[other]
            case condition:
                assert condition == "service_started"


def test_what_runs_once_is_waited_for_by_what_lasts() -> None:
    """``up --wait`` takes any other container that ended for one that failed."""
    once = {name for name, service in SERVICES.items() if name not in LASTING and "profiles" not in service}
    awaited = {
        other
        for service in LASTING.values()
        for other, waited in service.get("depends_on", {}).items()
        if waited["condition"] == "service_completed_successfully"
    }
    assert once == awaited


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert MODEL["networks"]["inside"] == {"internal": True}
    stores = [name for name in SERVICES if name.startswith("elastic-") or name == "database"]
    assert all(SERVICES[name]["networks"] == ["inside"] for name in stores)


def test_no_secret_stands_in_a_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|API_KEY|SECRET|TOKEN", name):
                assert str(value).startswith("/"), name
    assert not re.search(r"://[^/\s]*:[^/\s]*@", FILE.read_text())
    assert {name: value for name, value in example().items() if value} == {}


def test_every_variable_is_in_the_example_and_nothing_else_is() -> None:
    used = {found["name"]: found["kind"] for found in VARIABLE.finditer(FILE.read_text())}
    assert set(example()) == set(used)
    lines = (ROOT / "deploy" / "example.env").read_text().splitlines()
    needed = {line.partition("=")[0] for line in lines if re.match("[A-Z]", line)}
    assert needed == set(ENVIRONMENT)


@pytest.mark.parametrize("name", OURS)
def test_our_settings_are_settings(name: str) -> None:
    known = {f"ONEDFS_{field.upper()}" for field in Settings.model_fields}
    assert {key for key in OURS[name]["environment"] if key.startswith("ONEDFS_")} <= known


@pytest.mark.parametrize("name", [name for name in OURS if "command" in OURS[name]])
def test_our_commands_are_commands(name: str) -> None:
    told = CliRunner().invoke(app, [*OURS[name]["command"], "--help"])
    assert told.exit_code == 0, told.output
    command: Any = get_command(app)
    words = list(OURS[name]["command"])
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(name, words)


def test_the_check_of_a_follower_is_a_command() -> None:
    [_, program, *words] = SERVICES["follower"]["healthcheck"]["test"]
    assert program == "onedfs"
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


def test_mounted_files_are_there_and_volumes_are_declared() -> None:
    for service in SERVICES.values():
        for source in (volume.partition(":")[0] for volume in service.get("volumes", [])):
            if source.startswith("./deploy"):
                assert (ROOT / source).exists()
            elif not source.startswith("."):
                assert source in MODEL["volumes"]


def test_who_only_answers_cannot_write_the_index() -> None:
    for name, service in OURS.items():
        keys = "reader" if name.startswith("api-") else "writer"
        assert f"{keys}:/run/onedfs:ro" in service["volumes"]
    role = json.loads((ROOT / "deploy/elasticsearch/reader.json").read_text())["role_descriptors"]["reader"]
    granted = {*role["cluster"], *(word for index in role["indices"] for word in index["privileges"])}
    assert granted == {"monitor", "read", "view_index_metadata"}


def test_the_pages_name_the_privileges_of_the_keys() -> None:
    [table] = re.findall(r"(\| who \| indices .*?)\n\n", (ROOT / "docs/operation.md").read_text(), re.DOTALL)
    for line, who in zip(table.splitlines()[2:], ("reader", "writer"), strict=True):
        role = json.loads((ROOT / f"deploy/elasticsearch/{who}.json").read_text())["role_descriptors"][who]
        [index] = role["indices"]
        told = [re.findall("`([a-z_]+)`", cell) for cell in line.split("|")[2:4]]
        assert told == [index["privileges"], role["cluster"]]


def test_the_proxy_is_told_every_name_of_its_template() -> None:
    template = (ROOT / "deploy/nginx/onedfs.conf.template").read_text()
    assert set(re.findall(r"\$\{(\w+)\}", template)) == SERVICES["proxy"]["environment"].keys()
    # Any other variable is one of nginx's own, in lower case.
    assert re.findall(r"\$[A-Z]\w*", template) == []


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").rglob("*.sh")), ids=lambda path: path.name)
def test_scripts_can_be_read_by_a_shell_and_use_files_that_are_there(script: Path) -> None:
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    text = script.read_text()
    assert text.startswith("#!/bin/bash\n")
    assert [n for n in re.findall(r"\$deploy/(\w+\.json)", text) if not (script.parent / n).exists()] == []


@pytest.mark.parametrize("path", sorted((ROOT / "deploy").rglob("*.json")), ids=lambda path: path.name)
def test_bodies_of_requests_are_json(path: Path) -> None:
    assert isinstance(json.loads(path.read_text()), dict)
