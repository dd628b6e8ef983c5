"""Where a parked letter stands in the topic of dead letters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this version."""
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sent_offset", sa.BigInteger(), nullable=True))
        batch_op.create_index(
            "ix_dead_letters_unsent",
            ["id"],
            unique=False,
            sqlite_where=sa.text("sent_offset IS NULL"),
            postgresql_where=sa.text("sent_offset IS NULL"),
        )


def downgrade() -> None:
    """Bring the tables back to the version before."""
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_index("ix_dead_letters_unsent")
        batch_op.drop_column("sent_offset")
