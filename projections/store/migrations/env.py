"""What Alembic runs: on the connection that ``projections.store.schema`` hands it, and nowhere else."""

from __future__ import annotations

from alembic import context

from projections.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
