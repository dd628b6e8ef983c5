"""What Alembic runs: on the connection that ``projections.store.engine.schema`` hands it, and nowhere else."""

from __future__ import annotations

from alembic import context

from projections.store.engine.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
