"""The ledger of deliveries: who is told what, every attempt, and the channels that are switched off. It only lives here."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, UniqueConstraint, text

from projections.store.engine.columns import Micros, metadata

#: Who was told what: one row for each revision of an alert, recipient and channel. ``rank`` is its place in the channel's queue,
#: ``heard`` whether it arrived (no, perhaps, yes), ``digest`` the message in which it goes, where it is one that may list others.
deliveries: Final = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("alert_id", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("not_before", Micros, nullable=False),
    Column("next_attempt_at", Micros, nullable=False),
    Column("delivered_at", Micros, nullable=True),
    Column("error", Text, nullable=True),
    Column("notice", Text, nullable=False),
    Column("rank", Integer, nullable=False, server_default="0"),
    Column("heard", Text, nullable=False, server_default="no"),
    Column("digest", Text, nullable=True),
    UniqueConstraint("alert_id", "revision", "recipient", "channel"),
    Index(
        "ix_deliveries_queue",
        "channel",
        "rank",
        "next_attempt_at",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "ix_deliveries_due",
        "next_attempt_at",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
)

#: ``message``: the id under which it went, alone or with others. ``renewed_at``: when an attempt that lasts was last known to be
#: under way.
delivery_attempts: Final = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", Micros, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error", Text, nullable=True),
    Column("renewed_at", Micros, nullable=True),
    Column("message", Text, nullable=True),
    PrimaryKeyConstraint("delivery_id", "attempt"),
)

#: When the newest message began that is not urgent, to each recipient over each channel: the next one waits for its time.
grouped_messages: Final = Table(
    "grouped_messages",
    metadata,
    Column("recipient", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", Micros, nullable=False),
    PrimaryKeyConstraint("recipient", "channel"),
)

#: A channel that its receiver has switched off (HTTP 410). ``fingerprint``: of the configuration that it was switched off under.
disabled_channels: Final = Table(
    "disabled_channels",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("disabled_at", Micros, nullable=False),
    Column("reason", Text, nullable=False),
)
