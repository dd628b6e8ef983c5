"""A dose level may be as large as the contract says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = {"subjects": True, "cohorts": False}


def upgrade() -> None:
    """Bring the tables to this version."""
    for table, is_nullable in TABLES.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column(
                "dose_level", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=is_nullable
            )


def downgrade() -> None:
    """Bring the tables back to the version before."""
    for table, is_nullable in TABLES.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column(
                "dose_level", existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=is_nullable
            )
