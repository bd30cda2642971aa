"""Sizes are the first rows of one file, and their tables are written into a page."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from bench import rows
from bench.expected import BruteForce
from bench.growth import BEGIN, END, write_between
from bench.sample import Sample
from bench.sizes import HITS, named, prefixes


def test_a_size_knows_what_its_own_rows_answer(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows.write(path, 25_000)
    found, _ = prefixes(path, [3_000, 12_000, 25_000])
    assert [size.rows for size in found] == [3_000, 12_000, 25_000]
    for size in found:
        truth = BruteForce(Sample(path, limit=3_000).searches())
        truth.add(pq.read_table(path).slice(0, size.rows))
        assert size.expected == truth.digests()
        assert len(size.circles) > 10
    radii = [sum(radius for _, radius in size.circles) for size in found]
    assert HITS < 3_000
    assert radii == sorted(radii, reverse=True)


def test_numbers_of_rows_are_written_as_people_do() -> None:
    assert [named(number) for number in (500, 10_000, 1_000_000, 2_500_000)] == [
        "500",
        "10 k",
        "1 M",
        "2.5 M",
    ]


def test_tables_replace_those_that_a_page_has(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Scale\n\n{BEGIN}\nold\n{END}\n\nThe end.\n")
    write_between(page, "| new |\n")
    write_between(page, "| newer |\n")
    assert page.read_text() == f"# Scale\n\n{BEGIN}\n\n| newer |\n\n{END}\n\nThe end.\n"


def test_a_new_page_has_the_tables_alone(tmp_path: Path) -> None:
    write_between(tmp_path / "page.md", "| new |\n")
    assert (tmp_path / "page.md").read_text() == f"{BEGIN}\n\n| new |\n\n{END}\n"


def test_the_page_on_scale_has_a_place_for_them() -> None:
    text = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()
    assert text.index(BEGIN) < text.index(END)
