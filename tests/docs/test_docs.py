"""What the pages say is there: links, commands, settings, files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from archive.cli import app
from archive.settings import PREFIX, Settings
from schemas import Kind, load_schemas

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]

every_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def links(page: Path) -> list[Path]:
    """Return the files that a page links to."""
    found = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    return [page.parent / target for target in found if "://" not in target]


@every_page
def test_links_lead_to_files(page: Path) -> None:
    assert [target for target in links(page) if not target.is_file()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [PAGES[0].resolve()]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting.extend(target.resolve() for target in links(page))
    assert [page for page in PAGES if page.resolve() not in reached] == []


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs/decisions/README.md").read_text()
    names = [page.name for page in PAGES if page.name[:4].isdigit()]
    assert [name for name in names if f"| [{name[:4]}]({name}) |" not in listed] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_architecture_has_every_folder(package: str) -> None:
    assert f"| `{package}/` |" in (ROOT / "docs/architecture.md").read_text()


@every_page
def test_files_of_ours_that_a_page_names_exist(page: Path) -> None:
    ours = "|".join([*PACKAGES, "tests", "docs"])
    named = re.findall(rf"`((?:{ours})/[\w/.-]+)`", page.read_text())
    new = {"vo/nearby", "instruments/sofi", "schemas/monitor.yaml"}
    wanted = [name for name in named if not name.startswith(tuple(new)) and "NAME" not in name]
    assert [name for name in wanted if not (ROOT / name).exists()] == []


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the command lines of ours that stand in a page's shell blocks, and inline."""
    text = page.read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [part for block in blocks for line in block.splitlines() for part in line.split("&&")]
    for line in [*lines, *re.findall(r"`(onedfs [^`]+)`", text)]:
        found = re.match(r"\s*(?:\.venv/bin/)?onedfs ([^#]*)", line)
        if found:
            yield found[1].split()


@every_page
def test_commands_that_a_page_shows_exist(page: Path) -> None:
    for words in commands(page):
        command: Any = get_command(app)
        rest = list(words)
        while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
            name = rest.pop(0)
            assert name in command.commands, words
            command = command.commands[name]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert [word for word in rest if word.startswith("--") and word not in known] == [], words


@every_page
def test_settings_that_a_page_names_exist(page: Path) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}\w+", page.read_text())) <= known


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.title] == []


def test_the_table_of_the_guide_can_be_searched_by_position(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/adding-a-table.md").read_text(), re.DOTALL)
    (tmp_path / "monitor.yaml").write_text(block)
    table = load_schemas([tmp_path]).public.table("monitor.seeing")
    assert table.position == ("ra", "dec")
    assert table.column("fwhm").unit == "arcsec"


def test_the_guide_to_tables_knows_every_kind_that_can_be_stored() -> None:
    page = (ROOT / "docs/adding-a-table.md").read_text()
    constructed = {Kind.POINT, Kind.CIRCLE, Kind.POLYGON}
    assert [kind.value for kind in set(Kind) - constructed if kind.value not in page] == []
