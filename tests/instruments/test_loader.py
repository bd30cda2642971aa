from pathlib import Path

import pytest

from instruments import PackageError, Packages, load_packages

PLAIN = """
name: camera
version: "1.0"
title: A camera
extends: generic
priority: 60
claims: [{INSTRUME: CAMERA}]
"""


def load(folder: Path, text: str, functions: str = "", name: str = "camera") -> Packages:
    home = folder / name
    home.mkdir(exist_ok=True)
    (home / "package.yaml").write_text(text, encoding="utf-8")
    if functions:
        (home / "functions.py").write_text(functions, encoding="utf-8")
    return load_packages([folder])


def test_the_built_in_packages_are_sound(packages: Packages) -> None:
    names = {package.name for package in packages.packages}
    assert names >= {"eso", "muse", "isaac", "fors", "uves", "visir", "emmi", "vimos", "hst_acs", "generic"}
    assert packages.packages[-1].name == "generic"


def test_a_site_brings_its_own_package(tmp_path: Path) -> None:
    assert load(tmp_path, PLAIN).packages[0].label == "camera=1.0"


def test_a_site_replaces_a_built_in_package(tmp_path: Path) -> None:
    text = PLAIN.replace("name: camera", "name: muse").replace("CAMERA", "MUSE").replace('"1.0"', '"7.0"')
    labels = [package.label for package in load(tmp_path, text, name="muse").packages]
    assert "muse=7.0" in labels
    assert "muse=1.0" not in labels


@pytest.mark.parametrize(
    ("more", "key", "remedy"),
    [
        ("constants: {ivoa.ObsCore: {no_such_column: 1}}", "no_such_column", "declare it under columns"),
        ("keys: {ivoa.ObsCore: {s_size: NAXIS1}}", "s_size", "no such column"),
        ("constants: {no.table: {a: 1}}", "no.table", "use ivoa.ObsCore or dbo.raw"),
        (
            "constants: {tap_schema.tables: {table_name: a}}",
            "tap_schema.tables",
            "use ivoa.ObsCore or dbo.raw",
        ),
        ("constants: {ivoa.ObsCore: {calib_level: high}}", "calib_level", "not a number"),
        ("constants: {ivoa.ObsCore: {dataproduct_type: picture}}", "dataproduct_type", "is not one of image"),
        ("keys: {ivoa.ObsCore: {t_exptime: {key: T, unit: m}}}", "t_exptime", "no unit that becomes 's'"),
        ("keys: {ivoa.ObsCore: {t_exptime: {key: T, unit: blob}}}", "t_exptime", "no unit that becomes 's'"),
        ("keys: {ivoa.ObsCore: {target_name: {key: T, unit: s}}}", "target_name", "leave the unit out"),
        ("keys: {ivoa.ObsCore: {t_exptime: []}}", "t_exptime", "at least 1 item"),
        ("functions: {ivoa.ObsCore: {t_exptime: missing}}", "t_exptime", "no function 'missing'"),
        ("keys: {ivoa.ObsCore: {dp_id: ARCFILE}}", "dp_id", "set by the archive"),
        ("keys: {ivoa.ObsCore: {access_url: URL}}", "access_url", "set by the archive"),
        (
            "constants: {ivoa.ObsCore: {filter: V}}\nkeys: {ivoa.ObsCore: {filter: FILTER}}",
            "filter",
            "is defined twice",
        ),
        ("filters: {V: {least: 600, most: 500}}", "filters.V", "not below"),
        ("colour: red", "colour", "Extra inputs"),
        ("title: again", "yaml", "'title' is defined twice, again in line"),
        ("constants: [", "yaml", "expected"),
        ("columns: {dbo.raw: [{name: exposure, kind: text}]}", "exposure", "rename yours"),
    ],
)
def test_a_wrong_package_is_refused_when_it_is_loaded(
    more: str, key: str, remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(PackageError) as refused:
        load(tmp_path, PLAIN + more)
    assert str(tmp_path / "camera" / "package.yaml") in str(refused.value)
    assert key in str(refused.value)
    assert remedy in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "remedy"),
    [
        ("name: camera", "name: other", "call it like its folder"),
        ("extends: generic", "extends: nobody", "no package 'nobody'"),
        ("extends: generic", "extends: camera", "in a circle"),
        ('version: "1.0"', "version: one", "match pattern"),
        ("title: A camera", "", "Field required"),
    ],
)
def test_a_package_must_name_itself_and_its_kin(old: str, new: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=remedy):
        load(tmp_path, PLAIN.replace(old, new))


def test_two_packages_must_not_make_the_same_claim(tmp_path: Path) -> None:
    rival = PLAIN.replace("INSTRUME: CAMERA", "instrume: acs, TELESCOP: hst").replace("60", "50")
    with pytest.raises(PackageError, match="the same as those of 'camera'; give one a higher priority"):
        load(tmp_path, rival)


def test_broken_functions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="cannot be imported: No module named 'nowhere'"):
        load(tmp_path, PLAIN, "import nowhere\n")


def test_a_function_of_the_extended_package_can_be_used(tmp_path: Path) -> None:
    text = (
        PLAIN.replace("extends: generic", "extends: eso") + "functions: {ivoa.ObsCore: {t_max: frame_end}}\n"
    )
    assert "t_max" in load(tmp_path, text).packages[0].sources["ivoa.ObsCore"]
