"""What others should hear about locks: kept until it was said."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, empty."""
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("told", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "notices_open", "notices", ["id"], unique=False, sqlite_where=sa.text("told IS NULL")
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_index("notices_open", table_name="notices")
    op.drop_table("notices")
