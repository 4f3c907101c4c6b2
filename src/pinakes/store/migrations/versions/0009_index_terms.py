"""Terms for the number of tags, and codes with their first line apart; indexes are built anew.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from pinakes.store.migrations import scripts

revision = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(scripts.read("0009_index_terms.sql"))


def downgrade() -> None:
    scripts.run(scripts.read("0009_down.sql"))
