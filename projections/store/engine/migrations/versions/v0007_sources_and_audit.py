"""Sources belong to keys, subjects to the site that enrolled them, and who did what is kept."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
RESERVED = ("urn:site:", "urn:sponsor:", "urn:toxwatch:")


def upgrade() -> None:
    """Bring the tables to this version. A key goes on writing from whatever source its site has used."""
    _make_tables()
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("more_sites", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("sources", sa.Text(), nullable=True))
    with op.batch_alter_table("subject_sites", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_enrolled", sa.Boolean(), nullable=False, server_default=sa.false()))
    connection = op.get_bind()
    used = connection.execute(sa.text("SELECT * FROM source_sites ORDER BY source")).mappings().all()
    _keep_sources(connection, [(row["source"], row["site"]) for row in used])
    op.drop_table("source_sites")
    made = op.create_table(
        "source_sites",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source", "site", name="pk_source_sites"),
    )
    op.bulk_insert(made, [dict(row) for row in used])


def _make_tables() -> None:
    op.create_table(
        "source_assignments",
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("assigned_at", sa.BigInteger(), nullable=False),
        sa.Column("assigned_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pattern", "site", name="pk_source_assignments"),
    )
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_table(
        "key_uses",
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "key_id", "route", "outcome", name="pk_key_uses"),
    )
    op.create_index("ix_key_uses_key", "key_uses", ["key_id"], unique=False)


def _keep_sources(connection: sa.Connection, used: list[tuple[str, str]]) -> None:
    """Give each site's keys the sources that the site has used, save those that say of whom they are."""
    by_site: dict[str, list[str]] = {}
    for source, site in used:
        if not source.startswith(RESERVED):
            by_site.setdefault(site, []).append(source)
    change = sa.text("UPDATE api_keys SET sources = :sources WHERE role = 'site' AND site = :site")
    for site, sources in by_site.items():
        connection.execute(change, {"site": site, "sources": json.dumps([f"urn:site:{site}:*", *sources])})


def downgrade() -> None:
    """Bring the tables back to the version before: a source is then the site's that used it first."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT * FROM source_sites ORDER BY first_used_at DESC")).mappings().all()
    first = {row["source"]: dict(row) for row in rows}
    op.drop_table("source_sites")
    made = op.create_table(
        "source_sites",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source", name="pk_source_sites"),
    )
    op.bulk_insert(made, list(first.values()))
    with op.batch_alter_table("subject_sites", schema=None) as batch_op:
        batch_op.drop_column("is_enrolled")
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.drop_column("sources")
        batch_op.drop_column("more_sites")
    op.drop_table("key_uses")
    op.drop_table("audit")
    op.drop_table("source_assignments")
