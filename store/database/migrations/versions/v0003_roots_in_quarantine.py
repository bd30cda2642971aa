"""Files of the same path below two roots are two files in quarantine."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the root tell entries apart."""
    _change(["collection", "path"], ["collection", "path", "root"])


def downgrade() -> None:
    """Keep the newest entry of each collection and path."""
    op.execute(
        "DELETE FROM quarantine WHERE id NOT IN (SELECT MAX(id) FROM quarantine GROUP BY collection, path)"
    )
    _change(["collection", "path", "root"], ["collection", "path"])


def _change(old: list[str], new: list[str]) -> None:
    with op.batch_alter_table("quarantine") as table:
        table.drop_constraint(op.f(f"uq_quarantine_{'_'.join(old)}"), type_="unique")
        table.create_unique_constraint(op.f(f"uq_quarantine_{'_'.join(new)}"), new)
