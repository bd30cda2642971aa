"""Run by Alembic: apply the changes on the connection that it is given."""

from __future__ import annotations

from alembic import context

import store.database  # noqa: F401 - every table is known to the metadata once it is imported
from store.database.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
