"""Alembic's entry: runs the versions on the connection that it is handed."""

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

import domain.leases
import domain.order.models
import domain.outbox.models
import domain.payment.models
import domain.travel.models  # noqa: F401 -- imported for their tables

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    # SQLite changes columns only by making a table anew.
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
