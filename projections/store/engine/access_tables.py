"""The tables of those who send, read and operate: keys, sources, whose a subject is, and who did what. They only live here."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, PrimaryKeyConstraint, Table, Text

from projections.store.engine.columns import Micros, Serial, metadata

#: From which source each site was heard. ``last_used_at``: when the gateway last took an event from it, so that a silent site
#: can be seen. Whose a source is, it does not say.
source_sites: Final = Table(
    "source_sites",
    metadata,
    Column("source", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("first_used_at", Micros, nullable=False),
    Column("last_used_at", Micros, nullable=True),
    PrimaryKeyConstraint("source", "site"),
)

#: Sources that an operator has assigned: the keys of these sites write from them, and of no others. ``pattern`` may end with `*`.
source_assignments: Final = Table(
    "source_assignments",
    metadata,
    Column("pattern", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("assigned_at", Micros, nullable=False),
    Column("assigned_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("pattern", "site"),
)

#: Whose subject it is, for a trial whose subject ids do not name the site: the site that enrolled the subject. Where
#: ``is_enrolled`` is false, an earlier version took the site that had written first: an enrolment elsewhere moves the subject.
subject_sites: Final = Table(
    "subject_sites",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("is_enrolled", Boolean, nullable=False),
)

#: ``more_sites`` and ``sources`` are lists in JSON: the other sites of a shared sender, and the patterns of its sources, null
#: where they are the usual ones.
api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("site", Text, nullable=True),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("expires_at", Micros, nullable=True),
    Column("revoked_at", Micros, nullable=True),
    Column("more_sites", Text, nullable=True),
    Column("sources", Text, nullable=True),
)

#: Who did what, never changed and never erased. ``actor`` is a person as the operating system knows them, a key or a service.
audit: Final = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", Micros, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Index("ix_audit_at", "at"),
    sqlite_autoincrement=True,
)

#: How often each key was used or refused, by the hour and the route, so that a flood of requests is one row. Counts only grow.
key_uses: Final = Table(
    "key_uses",
    metadata,
    Column("hour", Micros, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_at", Micros, nullable=False),
    Column("last_at", Micros, nullable=False),
    PrimaryKeyConstraint("hour", "key_id", "route", "outcome"),
    Index("ix_key_uses_key", "key_id"),
)
