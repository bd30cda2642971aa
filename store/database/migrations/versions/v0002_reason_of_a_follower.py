"""Why a follower does not go on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("follower", sa.Column("reason", sa.String(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("follower", "reason")
