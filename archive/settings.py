"""What a deployment can choose: environment variables ``ONEDFS_*``."""

from __future__ import annotations

import os
import re
import ssl
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "ONEDFS_"
"""What the environment variable of each setting begins with."""

_AUTHORITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{2,}\Z")


_INDEX_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")

_PASSWORD = re.compile(r"(//[^/:@]*):.*@")

AUTHORITY_EXPECTED = "expected a naming authority such as archive.example, without ivo://"
"""What is said of anything else."""


def is_authority(text: str) -> bool:
    """Whether a text can be an IVOA naming authority (Identifiers 2.0, section 2.3.1)."""
    return bool(_AUTHORITY.match(text))


class SettingsError(Exception):
    """A setting is wrong; the message names it and says what is expected."""


class Settings(BaseSettings):
    """The settings in force; see each title for meaning and unit."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data: Path = Field(default=Path("data"), title="Folder of everything the archive keeps")
    site: Path | None = Field(default=None, title="Folder with an observatory's own instruments and schemas")
    secrets: Path | None = Field(
        default=None,
        title="Folder with files named like settings, in lower case, that hold their values",
    )
    database_url: str | None = Field(
        default=None, title="postgresql://USER@HOST/NAME; unset: SQLite in the data folder"
    )
    database_password: SecretStr | None = Field(
        default=None, title="Password for the database, when its URL has none"
    )
    authority: str | None = Field(
        default=None, title="IVOA naming authority, without ivo://; fixed when the archive is first started"
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000", title="Base URL under which users reach the service"
    )
    title: str = Field(default="One DFS", title="Name of the archive, as its pages show it")

    release_required: str = Field(
        default="",
        title="Collections (with commas; *: all) whose files are withheld until they have a release date",
    )

    elasticsearch_url: str | None = Field(
        default=None,
        title="URLs of Elasticsearch's nodes, separated by commas; unset: the embedded index",
    )
    elasticsearch_api_key: SecretStr | None = Field(default=None, title="API key for Elasticsearch")
    elasticsearch_ca_file: Path | None = Field(
        default=None, title="File with the certificate of the authority that Elasticsearch's is signed by"
    )
    elasticsearch_prefix: str = Field(
        default="onedfs", title="What the names of the archive's indices in Elasticsearch begin with"
    )
    elasticsearch_replicas: int = Field(
        default=1, ge=0, le=10, title="Copies of each shard in Elasticsearch, beside the first"
    )
    elasticsearch_rows_per_shard: int = Field(
        default=5_000_000,
        ge=1000,
        le=500_000_000,
        title="Rows for each shard of a table in Elasticsearch when its index is built",
    )

    default_rows: int = Field(
        default=20_000, gt=0, title="Rows of a TAP or cone search when MAXREC is absent"
    )
    most_rows: int = Field(default=10_000_000, gt=0, title="Rows of one answer at most")
    query_seconds: float = Field(default=60.0, gt=0, title="Time for one synchronous query, seconds")
    download_seconds: float = Field(
        default=600.0, gt=0, title="Time for one download of a search's rows through the JSON API, seconds"
    )
    upload_megabytes: int = Field(
        default=100, gt=0, le=2000, title="A request that brings tables with a query at most, MB (10^6 bytes)"
    )
    upload_rows: int = Field(default=1_000_000, gt=0, title="Rows of a table that comes with a query at most")
    upload_columns: int = Field(
        default=2_000, gt=0, title="Columns of a table that comes with a query at most"
    )
    upload_urls: bool = Field(
        default=False, title="Whether tables that come with a query are also read from public URLs"
    )
    job_slots: int = Field(default=1, ge=0, le=64, title="Asynchronous jobs that a worker runs at once")
    job_seconds: float = Field(
        default=600.0, gt=0, title="Time for one asynchronous job when it asks for none, seconds"
    )
    job_most_seconds: float = Field(
        default=7200.0, gt=0, title="Time for one asynchronous job at most, seconds"
    )
    job_megabytes: int = Field(default=2048, ge=512, title="Memory of the process that runs a job, MB")
    job_days: float = Field(
        default=7.0, gt=0, title="How long jobs are kept when they ask for nothing else, days"
    )
    job_most_days: float = Field(default=30.0, gt=0, title="How long jobs are kept at most, days")
    jobs_of_all: int = Field(default=1000, gt=0, title="Jobs that are not finished, at most")
    jobs_of_one: int = Field(default=50, gt=0, title="Jobs of one client that are not finished, at most")
    wait_seconds: float = Field(
        default=60.0, ge=0, title="How long a request that waits for a job is held at most, seconds"
    )
    serve_jobs: bool = Field(
        default=True, title="Whether a server runs jobs itself; no: leave them to onedfs worker elsewhere"
    )
    package_files: int = Field(default=20_000, gt=0, title="Files of one package at most")
    package_gigabytes: float = Field(default=5_000.0, gt=0, title="Bytes of one package at most, GB")
    package_days: float = Field(default=7.0, gt=0, title="How long packages can be had, days")
    packages_of_all: int = Field(default=10_000, gt=0, title="Packages that are kept, at most")
    packages_of_one: int = Field(default=200, gt=0, title="Packages of one client that are kept, at most")
    memory_megabytes: int | None = Field(
        default=None, ge=256, title="Memory of the query engine in each process, MB; unset: its own choice"
    )
    threads: int | None = Field(default=None, ge=1, title="Threads of the query engine in each process")
    poll_seconds: float = Field(
        default=0.2, gt=0, le=60, title="How often servers look for new data, seconds"
    )
    visible_seconds: float = Field(
        default=60.0, gt=0, title="How long commands wait until servers show what they changed, seconds"
    )
    cursor_hours: float = Field(default=24.0, gt=0, title="How long a cursor of the JSON API is valid, hours")
    log_level: str = Field(default="info", title="Least severe log lines: debug, info, warning or error")

    @field_validator("data")
    @classmethod
    def _may_be_folder(cls, value: Path) -> Path:
        if value.expanduser().exists() and not value.expanduser().is_dir():
            raise ValueError(f"{value} is a file; expected a folder")
        return value

    @field_validator("site", "secrets")
    @classmethod
    def _is_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"there is no folder {value}")
        return value

    @field_validator("elasticsearch_url")
    @classmethod
    def _are_base_urls(cls, value: str | None) -> str | None:
        for part in () if value is None else value.split(","):
            found = urlsplit(part.strip())
            if found.scheme not in ("http", "https") or not found.port or found.query or found.fragment:
                raise ValueError("expected http(s)://host:port, several separated by commas")
            if found.username or found.password:
                raise ValueError("expected no user and password; the cluster is opened by an API key")
        return value

    @field_validator("elasticsearch_api_key", "database_password")
    @classmethod
    def _is_one_line(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        if not text or not text.isprintable():
            raise ValueError("expected one line")
        return SecretStr(text)

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"(sqlite|postgres(ql)?(\+psycopg)?):", value):
            raise ValueError("expected postgresql://USER@HOST/NAME, or sqlite:///FILE")
        return value

    @field_validator("elasticsearch_ca_file")
    @classmethod
    def _holds_certificate(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"there is no file {value}")
        try:
            if value is not None:
                ssl.create_default_context(cafile=value)
        except OSError as error:
            raise ValueError(f"{value} holds no certificate that can be read") from error
        return value

    @field_validator("elasticsearch_prefix")
    @classmethod
    def _is_prefix(cls, value: str) -> str:
        if not _INDEX_PREFIX.match(value):
            raise ValueError("expected a letter, then letters, digits and underscores, all lower-case")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("expected http(s)://host[:port][/path]")
        return value.rstrip("/")

    @field_validator("authority")
    @classmethod
    def _is_authority(cls, value: str | None) -> str | None:
        if value is not None and not is_authority(value):
            raise ValueError(AUTHORITY_EXPECTED)
        return value

    @field_validator("log_level")
    @classmethod
    def _is_level(cls, value: str) -> str:
        if value.lower() not in ("debug", "info", "warning", "error"):
            raise ValueError("expected debug, info, warning or error")
        return value.lower()

    @model_validator(mode="after")
    def _default_fits_most(self) -> Self:
        if self.default_rows > self.most_rows:
            raise ValueError("default_rows must not exceed most_rows")
        return self

    @cached_property
    def root(self) -> Path:
        """The data folder as an absolute path."""
        return self.data.expanduser().absolute()

    @property
    def lake_root(self) -> Path:
        """Where the record is."""
        return self.root / "lake"

    @property
    def index_root(self) -> Path:
        """Where the generations of the embedded index are."""
        return self.root / "index"

    @property
    def files_root(self) -> Path:
        """Where managed files are."""
        return self.root / "files"

    @property
    def jobs_root(self) -> Path:
        """Where the files of jobs are."""
        return self.root / "jobs"

    @property
    def run_root(self) -> Path:
        """Where running servers leave word."""
        return self.root / "run"

    @property
    def release_required_in(self) -> frozenset[str]:
        """Names of the collections whose files need a release date; ``*`` stands for all."""
        return frozenset(part.strip() for part in self.release_required.split(",")) - {""}

    @property
    def engine(self) -> str:
        """The name of the engine that answers queries."""
        return "elasticsearch" if self.elasticsearch_url else "duckdb"

    @property
    def elasticsearch_hosts(self) -> tuple[str, ...]:
        """The URLs of Elasticsearch's nodes; none for the embedded index."""
        return tuple(part.strip().rstrip("/") for part in (self.elasticsearch_url or "").split(",") if part)

    @property
    def database(self) -> str:
        """The URL of the database."""
        return self.database_url or f"sqlite:///{self.root / 'onedfs.sqlite'}"


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises
    ------
    SettingsError
        When one is wrong.
    """
    folder = os.environ.get(f"{PREFIX}SECRETS")
    # A folder that is not there is told like every other wrong setting.
    options: dict[str, Any] = {"_secrets_dir": folder} if folder and Path(folder).is_dir() else {}
    try:
        return Settings(**options)
    except ValidationError as error:
        raise SettingsError("; ".join(_in_words(error))) from None


def shown(settings: Settings, name: str) -> object:
    """Return the value of a setting as people may see it: without passwords and keys."""
    value = getattr(settings, name)
    if name == "database_url" and value is not None:
        return _PASSWORD.sub(r"\1:**********@", value)
    return value


def source(settings: Settings, name: str) -> str:
    """Say where the value of a setting comes from."""
    if name not in settings.model_fields_set:
        return "default"
    in_environment = any(key.upper() == f"{PREFIX}{name}".upper() for key in os.environ)
    return "environment" if in_environment else "file"


def _in_words(error: ValidationError) -> list[str]:
    found = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        label = f"{PREFIX}{name.upper()}" if name else "settings"
        found.append(f"{label}: {item['msg'].removeprefix('Value error, ')}")
    return found
