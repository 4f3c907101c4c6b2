"""Items and tags are stored sooner: cutting words, endings of names, the rule of content types.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from pinakes.query.sources import SOURCES
from pinakes.store.migrations import cutting, scripts

revision = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(cutting.filled(scripts.read("0011_loading.sql")))
    for source in SOURCES:
        scripts.run(scripts.read("0011_source.sql").format(table=source.table, name=source.name))


def downgrade() -> None:
    for source in SOURCES:
        scripts.run(scripts.read("0011_source_down.sql").format(table=source.table, name=source.name))
    scripts.run(cutting.filled(scripts.read("0011_down.sql")))
    scripts.run(scripts.read("0010_endings.sql"))
