"""What a running installation measures about itself.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from pinakes.store.migrations import scripts

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(scripts.read("0005_figures.sql"))


def downgrade() -> None:
    scripts.run(scripts.read("0005_down.sql"))
