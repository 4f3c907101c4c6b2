"""Aliases and the hierarchy of tags, and the endings of names that suggestions begin with.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from pinakes.store.migrations import scripts

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(scripts.read("0004_names.sql"))


def downgrade() -> None:
    scripts.run(scripts.read("0004_down.sql"))
