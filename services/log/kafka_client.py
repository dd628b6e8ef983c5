"""How every client reaches the brokers: their addresses, and who we are to them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from projections.store.engine.database import StoreUnavailable
from services.platform.settings import Settings, SettingsError

SCHEME: Final = "kafka://"
MECHANISM: Final = "SCRAM-SHA-512"


class LogUnavailable(StoreUnavailable):
    """The brokers cannot take or give it now. The same call may succeed later."""

    waits_for: ClassVar[str] = "the brokers"


def no_such_topic(name: str) -> LogUnavailable:
    """To be raised where the brokers name no partition of a topic: they do not tell a missing right from a missing topic."""
    return LogUnavailable(f"there is no topic {name} (`toxwatch topics create`), or no right to it (`topics grant`)")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka cluster as its clients know it; with ``username`` as that user (SCRAM), with ``ca`` over TLS."""

    servers: tuple[str, ...]
    username: str | None = None
    password: str | None = None
    ca: Path | None = None

    def __str__(self) -> str:
        return ",".join(self.servers)

    @property
    def security(self) -> dict[str, Any]:
        """The options, as kafka-python and aiokafka both call them."""
        layer = "SASL_" if self.username is not None else ""
        found: dict[str, Any] = {"security_protocol": layer + ("SSL" if self.ca is not None else "PLAINTEXT")}
        if self.ca is not None:
            found["ssl_context"] = ssl.create_default_context(cafile=str(self.ca))
        if self.username is not None:
            found.update(sasl_mechanism=MECHANISM, sasl_plain_username=self.username, sasl_plain_password=self.password)
        return found

    def options(self, seconds: float) -> dict[str, Any]:
        """The options of a client of kafka-python that waits so long for an answer."""
        waits = int(seconds * 1000)
        return {
            "bootstrap_servers": list(self.servers),
            "bootstrap_timeout_ms": waits,
            "request_timeout_ms": waits,
            "reconnect_backoff_max_ms": 1000,
            **self.security,
        }


def cluster_of(settings: Settings) -> Cluster:
    """The cluster that is meant. Raises :class:`SettingsError` where the log is none."""
    if not settings.is_distributed:
        raise SettingsError("log: name the brokers, kafka://HOST:PORT[,HOST:PORT] (TOXWATCH_LOG)")
    servers = tuple(settings.log.removeprefix(SCHEME).split(","))
    password = settings.kafka_password.get_secret_value() if settings.kafka_password is not None else None
    return Cluster(servers, settings.kafka_username, password, settings.kafka_ca)
