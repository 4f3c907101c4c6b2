"""Names are compared by a key: one spelling a tag; what is there already is merged and told.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

from pinakes.store.migrations import scripts

revision = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(scripts.read("0012_keys.sql"))


def downgrade() -> None:
    scripts.run(scripts.read("0012_down.sql"))
