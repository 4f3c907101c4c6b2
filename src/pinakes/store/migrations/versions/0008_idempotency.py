"""What a POST with an Idempotency-Key made.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from pinakes.store.migrations import scripts

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(scripts.read("0008_idempotency.sql"))


def downgrade() -> None:
    scripts.run(scripts.read("0008_down.sql"))
