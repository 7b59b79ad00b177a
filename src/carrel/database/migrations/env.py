"""Alembic's entry: runs on the connection that :func:`carrel.database.migrations.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from carrel.database.schema import metadata

# One revision may hold statements for one database only; both are in the same script.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
