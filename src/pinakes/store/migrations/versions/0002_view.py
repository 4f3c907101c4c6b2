"""Dirty rows, epochs and the change log: what the read model is kept with.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from pinakes.query.sources import SOURCES
from pinakes.store.migrations import scripts

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(scripts.read("0002_view.sql"))
    template = scripts.read("0002_source.sql")
    for source in SOURCES:
        scripts.run(template.format(code=source.code, name=source.name, table=source.table))


def downgrade() -> None:
    scripts.run(scripts.read("0002_down.sql"))
