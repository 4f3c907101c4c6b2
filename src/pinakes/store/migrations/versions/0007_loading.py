"""A bulk load counts its own taggings.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from pinakes.query.sources import SOURCES
from pinakes.store.migrations import scripts

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    for source in SOURCES:
        scripts.run(scripts.read("0007_source.sql").format(name=source.name))


def downgrade() -> None:
    for source in SOURCES:
        scripts.run(scripts.read("0007_down.sql").format(name=source.name))
