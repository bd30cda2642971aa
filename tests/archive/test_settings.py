"""Settings, and what is fixed at the first start."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from archive import factory, stores
from archive.settings import Settings, SettingsError, load_settings, shown, source


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ONEDFS_{name.upper()}", raising=False)


def test_defaults_serve_from_the_present_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.root == tmp_path / "data"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.database == f"sqlite:///{tmp_path}/data/onedfs.sqlite"


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDFS_DATA", "/somewhere")
    monkeypatch.setenv("ONEDFS_PUBLIC_URL", "https://x.example/archive/")
    settings = load_settings()
    assert settings.lake_root == Path("/somewhere/lake")
    assert settings.public_url == "https://x.example/archive"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "ftp://x"),
        ("PUBLIC_URL", "x.example"),
        ("AUTHORITY", "ivo://x.example"),
        ("MOST_ROWS", "0"),
        ("QUERY_SECONDS", "soon"),
        ("LOG_LEVEL", "loud"),
        ("ELASTICSEARCH_URL", "search.example:9200"),
        ("ELASTICSEARCH_URL", "https://search.example"),
        ("ELASTICSEARCH_URL", "http://a:9200, ftp://b"),
        ("ELASTICSEARCH_URL", "https://elastic:word@search.example:9200"),
        ("ELASTICSEARCH_CA_FILE", "/no/such/file"),
        ("ELASTICSEARCH_CA_FILE", __file__),
        ("ELASTICSEARCH_API_KEY", "two\nlines"),
        ("ELASTICSEARCH_API_KEY", " "),
        ("DATABASE_URL", "mysql://db.example/onedfs"),
        ("DATABASE_URL", "onedfs.sqlite"),
        ("SECRETS", "/no/such/folder"),
        ("ELASTICSEARCH_PREFIX", "One-DFS"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"ONEDFS_{name}", value)
    with pytest.raises(SettingsError, match=f"ONEDFS_{name}: ."):
        load_settings()


@pytest.mark.parametrize(
    ("value", "names"), [("", set()), ("a", {"a"}), (" a , b c,,", {"a", "b c"}), ("*", {"*"}), (",", set())]
)
def test_collections_that_require_a_release_date_are_listed_with_commas(
    monkeypatch: pytest.MonkeyPatch, value: str, names: set[str]
) -> None:
    assert load_settings().release_required_in == frozenset()
    monkeypatch.setenv("ONEDFS_RELEASE_REQUIRED", value)
    assert load_settings().release_required_in == names


def test_the_embedded_index_is_used_unless_elasticsearch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().elasticsearch_hosts == ()
    monkeypatch.setenv("ONEDFS_ELASTICSEARCH_URL", "https://a.example:9200, http://b.example:9201/es/")
    monkeypatch.setenv("ONEDFS_ELASTICSEARCH_API_KEY", "opaque")
    settings = load_settings()
    assert settings.elasticsearch_hosts == ("https://a.example:9200", "http://b.example:9201/es")
    assert settings.elasticsearch_api_key is not None
    assert settings.elasticsearch_api_key.get_secret_value() == "opaque"
    assert "opaque" not in repr(settings)


def test_secrets_may_be_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "onedfs_elasticsearch_api_key").write_text("from-a-file\n")
    (tmp_path / "onedfs_database_password").write_text("this-too")
    monkeypatch.setenv("ONEDFS_SECRETS", str(tmp_path))
    monkeypatch.setenv("ONEDFS_DATABASE_PASSWORD", "from-the-environment")
    settings = load_settings()
    assert settings.elasticsearch_api_key is not None
    assert settings.elasticsearch_api_key.get_secret_value() == "from-a-file"
    assert settings.database_password is not None
    assert settings.database_password.get_secret_value() == "from-the-environment"
    assert source(settings, "elasticsearch_api_key") == "file"
    assert source(settings, "database_password") == "environment"
    assert source(settings, "title") == "default"


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://me:word@db.example/x", "postgresql://me:**********@db.example/x"),
        ("postgresql://me:w@rd:@db.example:5432/x", "postgresql://me:**********@db.example:5432/x"),
        ("postgresql://me@db.example/x", "postgresql://me@db.example/x"),
        ("sqlite:////a/b.sqlite", "sqlite:////a/b.sqlite"),
    ],
)
def test_no_password_is_shown(monkeypatch: pytest.MonkeyPatch, url: str, seen: str) -> None:
    monkeypatch.setenv("ONEDFS_DATABASE_URL", url)
    monkeypatch.setenv("ONEDFS_DATABASE_PASSWORD", "word-beside")
    settings = load_settings()
    assert shown(settings, "database_url") == seen
    assert "word-beside" not in str(shown(settings, "database_password"))


def test_limits_have_to_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDFS_MOST_ROWS", "10")
    with pytest.raises(SettingsError, match="default_rows must not exceed most_rows"):
        load_settings()


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.title] == []


def test_the_authority_is_fixed_at_the_first_start(tmp_path: Path) -> None:
    assert stores.authority(Settings(data=tmp_path, authority="first.example")) == "first.example"
    assert stores.authority(Settings(data=tmp_path)) == "first.example"
    with pytest.raises(stores.AuthorityMismatch, match=r"onedfs migrate --authority second\.example"):
        stores.authority(Settings(data=tmp_path, authority="second.example"))
    stores.change_authority(Settings(data=tmp_path), "second.example")
    assert stores.authority(Settings(data=tmp_path, authority="second.example")) == "second.example"


def test_processes_that_start_together_share_one_secret(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    stores.authority(settings)
    lake = stores.open_lake(settings)
    index = factory.open_index(settings, lake, poll=False)
    found: list[bytes] = []
    threads = [
        Thread(target=lambda: found.append(factory.build_process(settings, index, lake).cursors.secret))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index.close()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
