"""The settings of a deployment: from options, then ``TOXWATCH_*``, then a file, validated in one place."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from events.errors import ToxwatchError
from projections.store.write.dead_letter_quota import Quota
from services.platform.links import url_of

PREFIX: Final = "TOXWATCH_"
#: Names the file of settings.
CONFIG: Final = "TOXWATCH_CONFIG"
#: A value may stand in a file that such a variable names: a secret that is mounted.
IN_FILE: Final = "_FILE"
DATABASE_FILE: Final = "toxwatch.db"
EMBEDDED: Final = "embedded"
PORT_MAX: Final = 65_535


class SettingsError(ToxwatchError):
    """A setting is missing or not valid."""


class Settings(BaseSettings):
    """What a deployment may choose. Every field is an option, a variable ``TOXWATCH_<NAME>``, and a line in the file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    data: Path | None = Field(None, description="Directory of the embedded database; made when missing.")
    database: str | None = Field(None, description="SQLAlchemy URL. Default: SQLite in the data directory.")
    log: str = Field("embedded", description="Where the logs are: embedded, or kafka://HOST:PORT[,HOST:PORT].")
    topic_prefix: str = Field("toxwatch", description="What the names of the topics begin with (Kafka).")
    clinical_partitions: int = Field(
        12, ge=1, le=1000, description="How many partitions the clinical log has (Kafka): chosen once, for good."
    )
    intake: Path | None = Field(None, description="File of the topics that outside producers write to (Kafka).")
    kafka_username: str | None = Field(None, description="The brokers know us as (SCRAM-SHA-512).")
    kafka_password: SecretStr | None = Field(None, description="The password that goes with it.")
    kafka_ca: Path | None = Field(None, description="File of the authority that signed the brokers' certificates: TLS.")
    protocol: str = Field("isi-jx", description="A bundled protocol, a configuration file, or a module.")
    deployment: str = Field("local", description="Names us as a source: urn:toxwatch:<deployment>.")
    listen: str = Field("127.0.0.1:8080", description="Address of the gateway.")
    metrics: str = Field("127.0.0.1:9464", description="Address of metrics and health.")
    recipients: Path | None = Field(
        None, description="File of recipients and channels; without one, alerts go to the terminal."
    )
    public_url: str | None = Field(
        None, description="Where people reach this deployment: links in messages. Default: the address of the gateway."
    )
    events_per_minute: int = Field(
        600_000,
        ge=1,
        description="How many events one key may send in a minute; large ones count for more, refused ones for ten.",
    )
    requests_per_key: int = Field(64, ge=1, description="How many requests of one key are answered at a time.")
    connections: int = Field(1024, ge=16, le=60_000, description="How many connections the gateway has open at a time.")
    connections_per_address: int = Field(
        256, ge=8, le=60_000, description="How many of them from one address; behind a proxy, all come from one."
    )
    letters_per_key: int = Field(
        10_000, ge=1, description="How many refused events of one key are kept with their bytes."
    )
    letter_megabytes_per_key: int = Field(
        256, ge=1, description="How many megabytes of refused events of one key are kept."
    )
    letter_days: int = Field(
        365, ge=1, description="After so many days refused events are erased, unless they are severe and still open."
    )
    backup_key: Path | None = Field(
        None, description="File of the key that seals backups. Default: in the account's configuration directory."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged at least.")

    @field_validator("database")
    @classmethod
    def _is_a_database(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            raise ValueError("not a SQLAlchemy URL, such as postgresql+psycopg://user@host/toxwatch") from None
        if parsed.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
            raise ValueError(f"{parsed.drivername} is not supported; use sqlite or postgresql+psycopg")
        if parsed.drivername == "sqlite" and parsed.database in (None, "", ":memory:"):
            raise ValueError("SQLite needs a file, such as sqlite:////var/lib/toxwatch/toxwatch.db")
        return url

    @field_validator("log")
    @classmethod
    def _is_a_log(cls, log: str) -> str:
        servers = log.removeprefix("kafka://").split(",") if log.startswith("kafka://") else []
        if log != EMBEDDED and not (servers and all(_is_host_and_port(server) for server in servers)):
            raise ValueError("neither embedded nor kafka://HOST:PORT[,HOST:PORT]")
        return log

    @field_validator("topic_prefix")
    @classmethod
    def _begins_a_topic(cls, prefix: str) -> str:
        plain = prefix.replace(".", "").replace("_", "").replace("-", "")
        if not (plain.isascii() and plain.isalnum() and len(prefix) <= 100):
            raise ValueError("1 to 100 letters, digits and . _ -")
        return prefix

    @field_validator("deployment")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        plain = name.replace(".", "").replace("_", "").replace("-", "")
        if not (name.isascii() and plain.isalnum() and name[0].isalnum() and len(name) <= 64):
            raise ValueError("1 to 64 letters, digits and . _ -, beginning with a letter or digit")
        return name

    @field_validator("listen", "metrics")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        if not _is_host_and_port(address):
            raise ValueError("not HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
        return address

    @field_validator("public_url")
    @classmethod
    def _is_for_people(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http or https URL, such as https://toxwatch.example.org")
        if "@" in parts.netloc:
            raise ValueError("it stands in messages, and must hold no user or password")
        return url

    @model_validator(mode="after")
    def _log_and_database_go_together(self) -> Settings:
        if self.is_distributed and (self.database is None or not self.database.startswith("postgresql")):
            raise ValueError("log: a log on Kafka goes with a database on PostgreSQL (TOXWATCH_DATABASE)")
        if (self.kafka_username is None) != (self.kafka_password is None):
            raise ValueError("kafka_username and kafka_password go together")
        return self

    @model_validator(mode="after")
    def _addresses_differ(self) -> Settings:
        if self.listen == self.metrics and not self.listen.endswith(":0"):
            raise ValueError(f"listen and metrics are both {self.listen}; each needs an address of its own")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The constructor takes what it is given: the environment and the file are read in ``effective_settings`` alone."""
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
    def is_read_on_the_way(self) -> bool:
        """Whether the gateway answers other machines, and, as far as can be told, nothing ends TLS before it."""
        host = self.listen.rpartition(":")[0].strip("[]")
        is_here = host == "localhost" or host.startswith("127.") or host == "::1"
        return not is_here and urlsplit(self.base_url).scheme != "https"

    @property
    def base_url(self) -> str:
        """Where people reach the gateway: as configured, or else where it listens."""
        return self.public_url or url_of(self.listen)

    def heard_on(self, port: int) -> Settings:
        """These settings, once it is known on which port the gateway listens: one may be asked for any that is free."""
        host = self.listen.rpartition(":")[0]
        return self.model_copy(update={"listen": f"{host}:{port}"})

    @property
    def is_distributed(self) -> bool:
        """Whether the logs are on Kafka."""
        return self.log != EMBEDDED

    @property
    def letter_quota(self) -> Quota:
        """How much of what one key sends and is refused is kept."""
        return Quota(self.letters_per_key, self.letter_megabytes_per_key * 1024 * 1024)

    @property
    def source(self) -> str:
        """The source of what Toxwatch itself publishes."""
        return f"urn:toxwatch:{self.deployment}"


class Effective(NamedTuple):
    """Settings, and for each field where its value comes from."""

    settings: Settings
    origins: dict[str, str]


def read_settings(config: Path | None = None, **options: Any) -> Settings:
    """The effective settings: options that are given (not None), then the environment, then the file.

    Raises :class:`SettingsError` with a sentence for each setting that is wrong.
    """
    return effective_settings(config, **options).settings


def effective_settings(config: Path | None = None, **options: Any) -> Effective:
    """The same, with where each value comes from."""
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for found, origin in _sources(config, options):
        for name, value in found.items():
            if name not in values:
                values[name] = value
                origins[name] = origin(name)
    try:
        return Effective(Settings(**values), origins)
    except ValidationError as error:
        faults = "; ".join(_sentence(fault, origins) for fault in error.errors(include_input=False, include_url=False))
        raise SettingsError(faults) from None


def _sources(config: Path | None, options: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Callable[[str], str]]]:
    """What each source says, the strongest first, with what people call the place where a setting stands in it."""
    given = {name: value for name, value in options.items() if value is not None}
    yield InitSettingsSource(Settings, given)(), lambda name: f"option --{name.replace('_', '-')}"
    yield EnvSettingsSource(Settings)(), lambda name: f"environment {_variable(name)}"
    yield _mounted_files(), lambda name: f"environment {_variable(name)}{IN_FILE}"
    if config is None and os.environ.get(CONFIG):
        config = Path(os.environ[CONFIG])
    if config is not None:
        yield _file_of_settings(config), lambda _: f"file {config}"


def _is_host_and_port(address: str) -> bool:
    host, _, port = address.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and int(port) <= PORT_MAX


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _mounted_files() -> dict[str, str]:
    """``TOXWATCH_<NAME>_FILE`` names a file that holds the value: how a container is given a secret."""
    found = {}
    for name in Settings.model_fields:
        variable = _variable(name) + IN_FILE
        if path := os.environ.get(variable):
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                raise SettingsError(f"{variable}: {_why_unreadable(path, error)}") from None
    return found


def _file_of_settings(path: Path) -> dict[str, Any]:
    """What the file says. A path in it is meant from where the file lies, not from where the command was started."""
    try:
        # The library passes over a file that is not there.
        with path.open("rb"):
            values = TomlConfigSettingsSource(Settings, path)()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(_why_unreadable(str(path), error)) from None
    if unknown := [name for name in values if name not in Settings.model_fields]:
        raise SettingsError("; ".join(f"{path}: {_unknown(name)}" for name in unknown))
    for name in ("data", "recipients", "intake", "kafka_ca", "backup_key"):
        if isinstance(values.get(name), str):
            values[name] = path.parent / values[name]
    beside = path.parent / str(values.get("protocol", ""))
    return {**values, "protocol": str(beside)} if beside.is_file() else values


def _sentence(fault: ErrorDetails, origins: dict[str, str]) -> str:
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return _unknown(name)
    message = fault["msg"].removeprefix("Value error, ")
    return f"{name} ({origins[name]}): {message}" if name in origins else message


def _unknown(name: str) -> str:
    near = get_close_matches(name, Settings.model_fields, n=1)
    return f"{name!r} is not a setting" + (f"; did you mean {near[0]!r}?" if near else "")


def _why_unreadable(path: str, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"{path}: not UTF-8 text"
    return f"{path}: {error.strerror}" if isinstance(error, OSError) else f"{path}: {error}"
