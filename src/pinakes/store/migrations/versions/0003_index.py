"""The bitmap index: generations, codes, segments and deltas.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from pinakes.store.migrations import scripts

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(scripts.read("0003_index.sql"))


def downgrade() -> None:
    scripts.run(scripts.read("0003_down.sql"))
