"""The settings of a deployment: from options, then ``TOXWATCH_*``, then a file, validated in one place."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from events.errors import ToxwatchError

PREFIX: Final = "TOXWATCH_"
#: A secret may stand in a file that such a variable names.
IN_FILE: Final = "_FILE"
DATABASE_FILE: Final = "toxwatch.db"


class SettingsError(ToxwatchError):
    """A setting is missing or not valid."""


class Settings(BaseSettings):
    """What a deployment may choose. Every field is an option, a variable ``TOXWATCH_<NAME>``, and a line in the file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data: Path | None = Field(None, description="Directory of the embedded database; made when missing.")
    database: str | None = Field(None, description="SQLAlchemy URL. Default: SQLite in the data directory.")
    log: str = Field("embedded", pattern=r"^embedded$", description="Where the logs are: embedded.")
    protocol: str = Field("isi-jx", description="A bundled protocol, a configuration file, or a module.")
    deployment: str = Field(
        "local",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Names us as a source: urn:toxwatch:<deployment>.",
    )
    listen: str = Field("127.0.0.1:8080", pattern=r"^.+:[0-9]{1,5}$", description="Address of the gateway.")
    metrics: str = Field("127.0.0.1:9464", pattern=r"^.+:[0-9]{1,5}$", description="Address of metrics and health.")
    recipients: Path | None = Field(
        None, description="File of recipients and channels; without one, alerts go to the terminal."
    )
    public_url: str = Field(
        "http://127.0.0.1:8080", description="Where people reach this deployment: links in messages."
    )
    events_per_minute: int = Field(600_000, ge=1, description="How many events one key may send in a minute.")

    @field_validator("database")
    @classmethod
    def _is_a_database(cls, url: str | None) -> str | None:
        if url is not None:
            try:
                backend = make_url(url).get_backend_name()
            except ArgumentError:
                raise ValueError("not a SQLAlchemy URL, such as postgresql+psycopg://user@host/toxwatch") from None
            if backend not in ("sqlite", "postgresql"):
                raise ValueError(f"{backend} is not supported; use sqlite or postgresql")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options and the file come through ``read_settings``; no file is read that nobody has named."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def database_url(self) -> str:
        """The database that is meant. Raises :class:`SettingsError` where none is."""
        if self.database is not None:
            return self.database
        if self.data is None:
            raise SettingsError(
                "data: name the directory (--data DIR, or TOXWATCH_DATA), or a database (TOXWATCH_DATABASE)"
            )
        return f"sqlite:///{self.data / DATABASE_FILE}"

    @property
    def source(self) -> str:
        """The source of what Toxwatch itself publishes."""
        return f"urn:toxwatch:{self.deployment}"


def read_settings(config: Path | None = None, **options: Any) -> Settings:
    """The effective settings: options that are given (not None), then the environment, then the file.

    Raises :class:`SettingsError` with a sentence for each setting that is wrong.
    """
    values = {**_from_file(config), **_from_environment(), **{k: v for k, v in options.items() if v is not None}}
    try:
        return Settings(**values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False)
        )
        raise SettingsError(faults) from None


def _from_file(config: Path | None) -> dict[str, Any]:
    named = config or (Path(os.environ[PREFIX + "CONFIG"]) if PREFIX + "CONFIG" in os.environ else None)
    if named is None:
        return {}
    try:
        return tomllib.loads(named.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{named}: {error}") from None


def _from_environment() -> dict[str, Any]:
    """``TOXWATCH_<NAME>``, and ``TOXWATCH_<NAME>_FILE``, a file that holds the value."""
    found: dict[str, Any] = {}
    for name in Settings.model_fields:
        variable = PREFIX + name.upper()
        if variable in os.environ:
            found[name] = os.environ[variable]
        elif variable + IN_FILE in os.environ:
            try:
                found[name] = Path(os.environ[variable + IN_FILE]).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SettingsError(f"{variable + IN_FILE}: {error}") from None
    return found
