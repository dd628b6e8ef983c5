"""What a finding says beyond its entry in an assessment; whether a message was heard, and with which others it goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_HEARD = "UPDATE deliveries SET heard = CASE WHEN state = 'delivered' THEN 'yes' WHEN attempts > 0 THEN 'perhaps' ELSE 'no' END"


def upgrade() -> None:
    """Bring the tables to this version."""
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("worst_grade", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("occurrences", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("heard", sa.Text(), nullable=False, server_default="no"))
        batch_op.add_column(sa.Column("digest", sa.Text(), nullable=True))
    op.execute(sa.text(_HEARD))
    op.create_table(
        "grouped_messages",
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "channel"),
    )
    with op.batch_alter_table("delivery_attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("renewed_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("message", sa.Text(), nullable=True))
    op.execute(sa.text("UPDATE delivery_attempts SET message = delivery_id"))


def downgrade() -> None:
    """Bring the tables back to the version before."""
    op.drop_table("grouped_messages")
    with op.batch_alter_table("delivery_attempts", schema=None) as batch_op:
        batch_op.drop_column("message")
        batch_op.drop_column("renewed_at")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_column("digest")
        batch_op.drop_column("heard")
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.drop_column("occurrences")
        batch_op.drop_column("worst_grade")
