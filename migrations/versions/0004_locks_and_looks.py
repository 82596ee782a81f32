"""What keeps new versions out, the numbers of every look, and the ways back from a message to its rollout."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables, empty, and two indexes."""
    op.create_index("posts_by_place", "posts", ["channel", "ts"], unique=False)
    op.create_index("inbox_by_rollout", "inbox", ["rollout"], unique=False)
    op.create_table(
        "locks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("service", sa.String(length=128), nullable=False),
        sa.Column("environment", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=300), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rollout", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=True),
        sa.Column("nagged", sa.Float(), nullable=True),
        sa.Column("released", sa.Float(), nullable=True),
        sa.Column("released_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "locks_open",
        "locks",
        ["service", "environment"],
        unique=False,
        sqlite_where=sa.text("released IS NULL"),
    )
    op.create_table(
        "looks",
        sa.Column("rollout", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rollout", "at"),
    )


def downgrade() -> None:
    """Drop both tables and both indexes."""
    op.drop_index("inbox_by_rollout", table_name="inbox")
    op.drop_index("posts_by_place", table_name="posts")
    op.drop_table("looks")
    op.drop_index("locks_open", table_name="locks")
    op.drop_table("locks")
