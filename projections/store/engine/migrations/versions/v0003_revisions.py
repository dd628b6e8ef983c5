"""The highest revision of each record, so that a sender learns that a lower one changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Key = tuple[str, str, str]


def upgrade() -> None:
    """Bring the tables to this version. What the charts hold says how far each record has come."""
    with op.batch_alter_table("record_owners", schema=None) as batch_op:
        batch_op.add_column(sa.Column("revision", sa.BigInteger(), nullable=True))
    connection = op.get_bind()
    filled = sa.text(
        "UPDATE record_owners SET revision = :revision WHERE subject = :subject AND kind = :kind AND record_id = :record_id"
    )
    for highest in _by_subject(connection):
        rows = [
            {"subject": subject, "kind": kind, "record_id": record_id, "revision": number}
            for (subject, kind, record_id), number in highest.items()
        ]
        connection.execute(filled, rows)


def downgrade() -> None:
    """Bring the tables back to the version before."""
    with op.batch_alter_table("record_owners", schema=None) as batch_op:
        batch_op.drop_column("revision")


def _by_subject(connection: sa.Connection) -> Iterator[dict[Key, int]]:
    """The highest revision of every record, one subject after the other: a trial may have a million results."""
    in_use = "SELECT generation FROM generations WHERE is_current"
    subjects = connection.scalars(sa.text(f"SELECT subject FROM subjects WHERE generation IN ({in_use})")).all()
    events = sa.text(
        f"SELECT kind, record_id, body FROM chart_events WHERE generation IN ({in_use}) AND subject = :subject"
    )
    for subject in subjects:
        highest: dict[Key, int] = {}
        for row in connection.execute(events, {"subject": subject}):
            number = _revision(row.body)
            if number is not None:
                key = (subject, row.kind, row.record_id)
                highest[key] = max(number, highest.get(key, 0))
        if highest:
            yield highest


def _revision(body: Any) -> int | None:
    data = json.loads(bytes(body)).get("data")
    number = data.get("revision") if isinstance(data, dict) else None
    return int(number) if isinstance(number, int | float) else None
