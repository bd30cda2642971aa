"""The database opens, and its tables come up to date, whatever else starts or dies at the time."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from store.database import DatabaseError, QuarantineStore, Refusal, migrate, open_database
from store.database.base import Base
from store.database.engine import HEAD
from store.database.upgrade import configuration, upgrade
from tests.support.elasticsearch.cluster import free_ports
from tests.support.postgres import Postgres

START = """
import sys
from store.database import QuarantineStore, Refusal, migrate, open_database

print("ready", flush=True)
sys.stdin.readline()
engine = open_database(sys.argv[1])
migrate(engine)
print("migrated", flush=True)
store = QuarantineStore(engine)
for number in range(int(sys.argv[2])):
    store.put([Refusal(collection="c", path=str(number), root="/", code="empty", reason="It is empty.")])
"""


def started(url: str, files: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", START, url, str(files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_migrations_make_the_tables_that_the_code_declares(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_does_nothing(engine: Engine) -> None:
    store = QuarantineStore(engine)
    store.put([Refusal(collection="c", path="a", root="/", code="empty", reason="It is empty.")])
    migrate(engine)
    assert [entry.path for entry in store.list()] == ["a"]


def test_sqlite_lets_readers_and_a_writer_work_at_once(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    with engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000}
    engine.dispose()


def test_a_change_of_tables_that_fails_leaves_them_as_they_were(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(url)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with closing(engine.raw_connection()):
        monkeypatch.setattr("alembic.op.create_index", killed)
        with pytest.raises(KeyboardInterrupt):
            migrate(engine)
    assert inspect(engine).get_table_names() == []
    monkeypatch.undo()
    migrate(engine)
    assert {"quarantine", "follower"} <= set(inspect(engine).get_table_names())
    engine.dispose()


def test_entries_of_an_older_database_are_kept(url: str) -> None:
    engine = open_database(url)
    with engine.begin() as connection:
        upgrade(connection, "0002")
        connection.execute(
            text(
                "INSERT INTO quarantine (collection, path, root, code, reason, details, first_seen,"
                " last_seen, tries) VALUES ('c', 'a', '/one', 'empty', 'It is empty.', '{\"hdu\": 1}',"
                " '2026-01-01 00:00:00', '2026-01-02 00:00:00', 3)"
            )
        )
    migrate(engine)
    store = QuarantineStore(engine)
    store.put([Refusal(collection="c", path="a", root="/two", code="empty", reason="It is empty.")])
    found = [(entry.id, entry.root, entry.tries, dict(entry.details)) for entry in store.list()]
    assert found == [(1, "/one", 3, {"hdu": 1}), (2, "/two", 1, {})]
    engine.dispose()


def test_the_newest_migration_is_the_one_that_is_asked_for() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == HEAD


def test_a_database_of_a_newer_release_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    with pytest.raises(DatabaseError, match="from-the-future"):
        migrate(engine)


@pytest.mark.parametrize("url", ["nonsense", "oracle+nothing://host/db", "sqlite:////proc/none/x.db"])
def test_what_cannot_be_opened_is_named(url: str) -> None:
    with pytest.raises(DatabaseError, match="cannot open the database"):
        open_database(url)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("This is no database, and it is long enough to be read as one. " * 20)
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(DatabaseError, match="not a database"):
        migrate(engine)
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_may_be_named_in_the_ways_that_are_usual(postgres: Postgres, scheme: str) -> None:
    url = postgres.url("postgres").replace("postgresql", scheme, 1)
    engine = open_database(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()


@pytest.mark.parametrize("given", [None, "beside"])
def test_a_password_may_be_given_beside_the_url(postgres: Postgres, given: str | None) -> None:
    engine = open_database(postgres.url("postgres", password=False), password=given and postgres.password)
    if given:
        migrate(engine)
    else:
        with pytest.raises(DatabaseError, match="no password supplied"):
            migrate(engine)
    engine.dispose()


def test_a_wrong_password_is_told_in_one_line_without_the_password(postgres: Postgres) -> None:
    wrong = postgres.password[::-1]
    engine = open_database(postgres.url("postgres", password=False), password=wrong)
    with pytest.raises(DatabaseError, match='password authentication failed for user "onedfs"') as raised:
        migrate(engine)
    assert "\n" not in str(raised.value)
    assert wrong not in str(raised.value)
    engine.dispose()


def test_a_server_that_is_away_is_told_in_one_line() -> None:
    engine = open_database(f"postgresql://onedfs@127.0.0.1:{free_ports(1)[0]}/onedfs")
    with pytest.raises(DatabaseError, match="Connection refused") as raised:
        migrate(engine)
    assert "\n" not in str(raised.value)
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/db", "oracle://host/db"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(DatabaseError, match="expected sqlite:///FILE or postgresql://"):
        open_database(url)


@pytest.mark.slow
def test_processes_that_start_at_once_migrate_and_write_without_loss(url: str) -> None:
    processes = [started(url, 25) for _ in range(4)]
    for process in processes:
        go(process)
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    engine = open_database(url)
    assert {(entry.path, entry.tries) for entry in QuarantineStore(engine).list()} == {
        (str(number), 4) for number in range(25)
    }
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_process_killed_while_it_writes_leaves_a_sound_database(url: str, seed: int) -> None:
    process = started(url, 100_000)
    go(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "migrated\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1 + 0.13 * seed)
    process.kill()
    process.communicate()
    engine = open_database(url)
    migrate(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    paths = [int(entry.path) for entry in QuarantineStore(engine).list()]
    assert paths == list(range(len(paths)))
    engine.dispose()
