"""Packages of files, and checksums of contents that zip archives need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of packages and of CRC-32s."""
    op.create_table(
        "package",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("expires", sa.DateTime(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package")),
    )
    for column in _INDEXED:
        op.create_index(op.f(f"ix_package_{column}"), "package", [column])
    op.create_table(
        "content_crc",
        sa.Column("checksum", sa.String(), nullable=False),
        sa.Column("crc32", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("checksum", name=op.f("pk_content_crc")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("content_crc")
    for column in _INDEXED:
        op.drop_index(op.f(f"ix_package_{column}"), table_name="package")
    op.drop_table("package")


_INDEXED = ("client", "expires")
