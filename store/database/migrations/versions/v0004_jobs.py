"""Jobs of UWS."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of jobs."""
    op.create_table(
        "job",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("owner", sa.String()),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("run_id", sa.String()),
        sa.Column("phase", sa.String(), nullable=False),
        *(
            sa.Column(name, sa.DateTime(), nullable=name not in ("created", "destruction"))
            for name in _MOMENTS
        ),
        sa.Column("execution_duration", sa.Double(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String()),
        sa.Column("failure", sa.Text()),
        sa.Column("failure_transient", sa.Boolean()),
        sa.Column("result_file", sa.String()),
        sa.Column("result_type", sa.String()),
        sa.Column("result_name", sa.String()),
        sa.Column("result_size", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    for column in _INDEXED:
        op.create_index(op.f(f"ix_job_{column}"), "job", [column])


def downgrade() -> None:
    """Drop the table of jobs."""
    for column in _INDEXED:
        op.drop_index(op.f(f"ix_job_{column}"), table_name="job")
    op.drop_table("job")


_MOMENTS = ("created", "queued", "started", "ended", "destruction", "heartbeat")
_INDEXED = ("owner", "client", "phase", "destruction")
