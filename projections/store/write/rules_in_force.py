"""Which rules judge: those that were activated last, and nobody judges by others."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select

from events.clock import ProtocolActivated
from events.dates import Instant
from events.errors import ToxwatchError
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import insert_new
from projections.store.engine.tables import activations


class Rules(NamedTuple):
    """The rules in force: the event that activated them, and the hash of their configuration."""

    activated_by: EventKey
    sha256: str


class OtherRules(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """The rules in force are not those that would judge here: nothing is judged."""


def rules_in_force(connection: Connection) -> Rules | None:
    """The rules that were activated last."""
    row = _latest(connection)
    return None if row is None else Rules(EventKey(row.source, row.event_id), row.sha256)


def _latest(connection: Connection) -> Row[Any] | None:
    latest = select(activations).order_by(activations.c.time.desc(), activations.c.sequence.desc()).limit(1)
    return connection.execute(latest).one_or_none()


def require_rules(connection: Connection, rules: str) -> Rules | None:
    """The rules in force, None where there are none yet. Raises :class:`OtherRules` unless they are those of this hash."""
    row = _latest(connection)
    if row is None:
        return None
    if row.sha256 != rules:
        raise OtherRules(
            f"the rules in force are {row.protocol} version {row.version} of Toxwatch {row.rules_version}, and others are at"
            " hand: name the protocol (--protocol, TOXWATCH_PROTOCOL), or start `toxwatch run` once with these"
        )
    return Rules(EventKey(row.source, row.event_id), row.sha256)


def put_in_force(connection: Connection, event: ProtocolActivated, time: Instant) -> None:
    """Remember that rules were activated; those activated last are in force."""
    latest = connection.scalar(select(func.max(activations.c.sequence))) or 0
    row = {
        "event_id": event.id,
        "source": event.source,
        "protocol": event.data.protocol,
        "version": event.data.version,
        "rules_version": event.data.rules_version,
        "sha256": event.data.sha256,
        "time": time,
        "sequence": latest + 1,
    }
    insert_new(connection, activations, [row])
