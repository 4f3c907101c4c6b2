"""Which tags' names changed lately.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from pinakes.store.migrations import scripts

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run(scripts.read("0006_name_changes.sql"))


def downgrade() -> None:
    scripts.run(scripts.read("0006_down.sql"))
