"""Refused severe events are counted in one alert for each site and reason; deliveries have a place in their channel's queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_URGENT = sa.text("is_severe AND state = 'parked'")
#: What the monitor has parked has the site of its subject's chart, where there is one.
_FILL = """
    UPDATE dead_letters SET alert_case = 'intake:' || COALESCE(
        site, (SELECT MAX(subjects.site) FROM subjects WHERE subjects.subject = dead_letters.subject), '@other'
    ) || '/' || reason WHERE is_severe
"""
_WAITING = sa.text("state = 'waiting'")
_RANK = "UPDATE deliveries SET rank = CASE urgency WHEN 'urgent' THEN 0 WHEN 'prompt' THEN 2 ELSE 3 END"


def upgrade() -> None:
    """Bring the tables to this version."""
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.add_column(sa.Column("alert_case", sa.Text(), nullable=True))
        batch_op.create_index(
            "ix_dead_letters_alert",
            ["alert_case", "id"],
            unique=False,
            sqlite_where=_URGENT,
            postgresql_where=_URGENT,
        )
    op.execute(sa.text(_FILL))
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rank", sa.Integer(), nullable=False, server_default="0"))
        batch_op.create_index(
            "ix_deliveries_queue",
            ["channel", "rank", "next_attempt_at"],
            unique=False,
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        )
    op.execute(sa.text(_RANK))


def downgrade() -> None:
    """Bring the tables back to the version before."""
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("ix_deliveries_queue")
        batch_op.drop_column("rank")
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_index("ix_dead_letters_alert")
        batch_op.drop_column("alert_case")
