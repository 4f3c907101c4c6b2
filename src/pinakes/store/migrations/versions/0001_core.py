"""Users, tags, content of every source, taggings and their counts.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from pinakes.query.sources import SOURCES
from pinakes.store.migrations import cutting, scripts

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(cutting.filled(scripts.read("0001_core.sql")))
    template = scripts.read("0001_source.sql")
    for source in SOURCES:
        scripts.run(template.format(code=source.code, name=source.name, table=source.table))


def downgrade() -> None:
    tables = ", ".join(source.table for source in SOURCES)
    scripts.run(scripts.read("0001_down.sql").replace("{tables}", tables))
