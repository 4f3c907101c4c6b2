"""Alembic's entry: run revisions on the connection that `pinakes.store.migrate` hands over."""

from __future__ import annotations

from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection

from pinakes.errors import SchemaMismatch


def run() -> None:
    """Run the migrations asked for, each in a transaction of its own."""
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, Connection):
        raise SchemaMismatch("Migrations are run by `pinakes migrate`, not by `alembic`.")
    applied: list[str] = context.config.attributes["applied"]

    def note(ctx: MigrationContext, step: MigrationInfo, heads: Any, run_args: Any) -> None:
        if step.up_revision_id is not None:
            applied.append(step.up_revision_id)

    context.configure(connection=connection, transaction_per_migration=True, on_version_apply=note)
    with context.begin_transaction():
        context.run_migrations()


run()
