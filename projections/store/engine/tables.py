"""Every table there is, in four groups: logs, projections, published alerts, and what only lives here.

Instants are microseconds since 1970 (UTC), as everywhere in Toxwatch. What is *projected* can be dropped and made again from the
log; a rebuild makes it beside the living one under the next ``generation``, and a reader sees one generation at a time.
What *only lives here* (keys, parked input, the delivery ledger) cannot be made again, and is backed up.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from projections.store.engine.access_tables import api_keys as api_keys
from projections.store.engine.access_tables import audit as audit
from projections.store.engine.access_tables import key_uses as key_uses
from projections.store.engine.access_tables import source_assignments as source_assignments
from projections.store.engine.access_tables import source_sites as source_sites
from projections.store.engine.access_tables import subject_sites as subject_sites
from projections.store.engine.columns import NOBODY as NOBODY
from projections.store.engine.columns import UNASSIGNED as UNASSIGNED
from projections.store.engine.columns import Micros as Micros
from projections.store.engine.columns import Serial as Serial
from projections.store.engine.columns import metadata as metadata
from projections.store.engine.delivery_tables import deliveries as deliveries
from projections.store.engine.delivery_tables import delivery_attempts as delivery_attempts
from projections.store.engine.delivery_tables import disabled_channels as disabled_channels
from projections.store.engine.delivery_tables import grouped_messages as grouped_messages

# --- The embedded logs: append-only. Offsets are continuous from 0; `log_ends` hands them out. ---------------------------------

log_ends: Final = Table(
    "log_ends",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("last_received", Micros, nullable=False),
)

clinical_log: Final = Table(
    "clinical_log",
    metadata,
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("subject", "source", "event_id"),
)

alert_log: Final = Table(
    "alert_log",
    metadata,
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("subject", "source", "event_id"),
)

# --- Intake: what the gateway took, and whose it is. ---------------------------------------------------------------------------

taken_events: Final = Table(
    "taken_events",
    metadata,
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", "event_id"),
)

#: Whose a record is, and the highest ``revision`` of it that was taken; null where that was before it was kept here.
record_owners: Final = Table(
    "record_owners",
    metadata,
    Column("subject", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("revision", BigInteger, nullable=True),
    PrimaryKeyConstraint("subject", "kind", "record_id"),
)

# --- Positions: how far each consumer has come. --------------------------------------------------------------------------------

positions: Final = Table(
    "positions",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    PrimaryKeyConstraint("consumer", "partition"),
)

generations: Final = Table(
    "generations",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("is_current", Boolean, nullable=False),
    Column("started_at", Micros, nullable=False),
)

activations: Final = Table(
    "activations",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("rules_version", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("time", Micros, nullable=False),
    Column("sequence", Integer, nullable=False, unique=True),
)

# --- Projected from the clinical log. ------------------------------------------------------------------------------------------

#: A subject's chart: every event that counts, once. ``kind`` and ``record_id`` name the record that it is a version of.
chart_events: Final = Table(
    "chart_events",
    metadata,
    Column("generation", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("time", Micros, nullable=False),
    Column("received", Micros, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("generation", "subject", "source", "event_id"),
)

#: One row a subject: how far its chart has come, and how it counts in its cohort (``status`` null: in none).
subjects: Final = Table(
    "subjects",
    metadata,
    Column("generation", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("site", Text, nullable=True),
    Column("version", BigInteger, nullable=False),
    Column("high_water", Micros, nullable=False),
    Column("latest_time", Micros, nullable=False),
    Column("latest_received", Micros, nullable=False),
    Column("next_turn", Micros, nullable=True),
    Column("judged_under", Text, nullable=False),
    Column("part", Text, nullable=True),
    Column("dose_level", BigInteger, nullable=True),
    Column("status", Text, nullable=True),
    Column("has_dlt", Boolean, nullable=False),
    Column("pending_reason", Text, nullable=True),
    PrimaryKeyConstraint("generation", "subject"),
)

#: The finding on each case at the subject's high-water instant. ``body`` is the entry in ``assess``'s JSON.
findings: Final = Table(
    "findings",
    metadata,
    Column("generation", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("case_name", Text, nullable=False),
    Column("verdict", Text, nullable=True),
    Column("urgency", Text, nullable=False),
    Column("counts_as_dlt", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("worst_grade", Integer, nullable=True),
    Column("occurrences", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("generation", "subject", "case_name"),
)

#: When time alone changes a verdict. ``is_fired``: the clock event is in the log, and need not be written again.
deadlines: Final = Table(
    "deadlines",
    metadata,
    Column("generation", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("case_name", Text, nullable=False),
    Column("due", Micros, nullable=False),
    Column("is_fired", Boolean, nullable=False),
    PrimaryKeyConstraint("generation", "subject", "case_name"),
    Index(
        "ix_deadlines_unfired",
        "generation",
        "due",
        sqlite_where=text("NOT is_fired"),
        postgresql_where=text("NOT is_fired"),
    ),
)

#: One row a dose level, locked while its counts change. ``dose_level`` 0: not on record.
cohorts: Final = Table(
    "cohorts",
    metadata,
    Column("generation", Integer, nullable=False),
    Column("part", Text, nullable=False),
    Column("dose_level", BigInteger, nullable=False),
    Column("evaluable", Integer, nullable=False),
    Column("pending", Integer, nullable=False),
    Column("replaceable", Integer, nullable=False),
    Column("dlts", Integer, nullable=False),
    PrimaryKeyConstraint("generation", "part", "dose_level"),
)

# --- Told: the alert outbox, which is the alert history too, and the newest revision of each alert. ----------------------------

#: What a relay has still to carry to its topic.
IS_UNSENT: Final = text("sent_offset IS NULL")

#: ``seq`` orders what waits for the relay; ``sent_offset`` is its place in the alert log.
alert_events: Final = Table(
    "alert_events",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("alert_id", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("subject", Text, nullable=True),
    Column("case_name", Text, nullable=False),
    Column("verdict", Text, nullable=True),
    Column("urgency", Text, nullable=False),
    Column("detected_at", Micros, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("sent_partition", Integer, nullable=True),
    Column("sent_offset", BigInteger, nullable=True),
    Index("ix_alert_events_unsent", "seq", sqlite_where=IS_UNSENT, postgresql_where=IS_UNSENT),
    Index("ix_alert_events_alert", "alert_id", "revision"),
    sqlite_autoincrement=True,
)

#: ``state``: open, or withdrawn. ``data`` is the alert's data as told last.
alerts: Final = Table(
    "alerts",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("case_name", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("verdict", Text, nullable=True),
    Column("urgency", Text, nullable=False),
    Column("raised_at", Micros, nullable=False),
    Column("changed_at", Micros, nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_alerts_subject", "subject"),
)

# --- Only here: parked input, parked subjects, keys, deliveries. ---------------------------------------------------------------

#: A parked letter that is an alert. Written out, because an index of some rows serves only a query that says the same.
IS_URGENT: Final = text("is_severe AND state = 'parked'")

#: Refused or parked input with its bytes. The same bytes from the same sender again only count up ``times``.
#: ``sent_offset`` is its place in the topic of dead letters (Kafka). ``alert_case``: the alert in which a severe one is counted.
dead_letters: Final = Table(
    "dead_letters",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("origin", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("sender", Text, nullable=True),
    Column("site", Text, nullable=True),
    Column("subject", Text, nullable=True),
    Column("source", Text, nullable=True),
    Column("event_id", Text, nullable=True),
    Column("record_kind", Text, nullable=True),
    Column("record_id", Text, nullable=True),
    Column("is_severe", Boolean, nullable=False),
    Column("partition", Integer, nullable=True),
    Column("offset", BigInteger, nullable=True),
    Column("headers", Text, nullable=True),
    Column("raw", LargeBinary, nullable=True),
    Column("received_at", Micros, nullable=False),
    Column("last_seen_at", Micros, nullable=False),
    Column("times", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("closed_at", Micros, nullable=True),
    Column("closed_by", Text, nullable=True),
    Column("closed_why", Text, nullable=True),
    Column("sent_offset", BigInteger, nullable=True),
    Column("alert_case", Text, nullable=True),
    Index("ix_dead_letters_subject", "subject", "state"),
    Index("ix_dead_letters_record", "subject", "record_kind", "record_id"),
    Index("ix_dead_letters_urgent", "source", "event_id", sqlite_where=IS_URGENT, postgresql_where=IS_URGENT),
    Index("ix_dead_letters_alert", "alert_case", "id", sqlite_where=IS_URGENT, postgresql_where=IS_URGENT),
    Index("ix_dead_letters_unsent", "id", sqlite_where=IS_UNSENT, postgresql_where=IS_UNSENT),
    sqlite_autoincrement=True,
)

#: Subjects that are not being watched, because an event of theirs met a bug.
parked_subjects: Final = Table(
    "parked_subjects",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("parked_at", Micros, nullable=False),
    Column("error", Text, nullable=False),
)
