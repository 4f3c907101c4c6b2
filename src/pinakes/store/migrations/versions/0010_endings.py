"""Endings of names in half the time.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

from pinakes.store.migrations import scripts

revision = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(scripts.read("0010_endings.sql"))


def downgrade() -> None:
    scripts.run(scripts.read("0010_down.sql"))
