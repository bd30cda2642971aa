"""Headers for these tests: cards that instruments really wrote, and cards made for a case."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from instruments import FileHeaders, Mapped, Packages, load_packages

HEADERS = Path(__file__).parent / "headers"

Cards: TypeAlias = Mapping[str, Any] | Sequence[str]


def write_card(key: str, value: object, comment: str = "") -> str:
    name = f"HIERARCH {key} = " if " " in key else f"{key:<8}= "
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        text = "'" + value.replace("'", "''") + "'"
    else:
        text = f"{value!r:>20}"
    return f"{name}{text}{f' / {comment}' if comment else ''}".ljust(80)


def write_hdu(cards: Cards, *, primary: bool) -> list[str]:
    if not isinstance(cards, Mapping):
        return list(cards)
    start: dict[str, Any] = {"SIMPLE": True} if primary else {"XTENSION": "IMAGE"}
    data = {"BITPIX": 16, "NAXIS": 2, "NAXIS1": 100, "NAXIS2": 50}
    return [
        write_card(key, *value) if isinstance(value, tuple) else write_card(key, value)
        for key, value in {**start, **data, **cards}.items()
        if value is not None
    ]


@pytest.fixture(scope="session")
def packages() -> Packages:
    return load_packages()


@pytest.fixture(scope="session")
def make() -> Callable[..., FileHeaders]:
    """Build headers from keywords and values, one mapping or list of cards per HDU; 100 x 50 pixels each."""

    def build(
        *hdus: Cards,
        name: str = "file.fits",
        path: str | None = None,
        size: int = 0,
        data_sums: Sequence[int | None] = (),
    ) -> FileHeaders:
        cards = [write_hdu(hdu, primary=number == 0) for number, hdu in enumerate(hdus)]
        return FileHeaders.from_cards(cards, file_name=name, path=path, size=size, data_sums=data_sums)

    return build


@pytest.fixture(scope="session")
def real() -> Callable[[str], FileHeaders]:
    """Read cards that an instrument really wrote; each fixture file begins with its file's name."""

    def read(name: str) -> FileHeaders:
        first, *lines = (HEADERS / f"{name}.txt").read_text(encoding="ascii").splitlines()
        hdus: list[list[str]] = [[]]
        for line in lines:
            if line == "-" * 8:
                hdus.append([])
            else:
                hdus[-1].append(line.ljust(80))
        return FileHeaders.from_cards(hdus, file_name=first.removeprefix("file "), size=2880 * 10)

    return read


@pytest.fixture(scope="session")
def map_real(packages: Packages, real: Callable[[str], FileHeaders]) -> Callable[[str], Mapped]:
    return lambda name: packages.map(real(name), "demo")


@pytest.fixture(scope="session")
def observe(packages: Packages, make: Callable[..., FileHeaders]) -> Callable[..., dict[str, Any]]:
    """Map made headers and return the ObsCore row."""

    def row(*hdus: Cards, **about: Any) -> dict[str, Any]:
        return dict(packages.map(make(*hdus, **about), "demo").rows["ivoa.ObsCore"][0])

    return row
