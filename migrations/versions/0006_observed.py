"""What the counts would have done where they only observed, and which rollout an undo undid.

What was undone is read off the rows; nobody observed before.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns, and fill in what was undone."""
    for name, length in (("observed", 12), ("undid", 32)):
        column = sa.Column(name, sa.String(length=length), nullable=False, server_default="")
        op.add_column("outcomes", column)
    _fill()


def _fill() -> None:
    rollouts = sa.table("rollouts", sa.column("id"), sa.column("body"))
    outcomes = sa.table("outcomes", *(sa.column(name) for name in ("rollout", "outcome", "undid")))
    db = op.get_bind()
    undos = db.scalars(sa.select(outcomes.c.rollout).where(outcomes.c.outcome == "undo")).all()
    for one in undos:
        body = db.scalar(sa.select(rollouts.c.body).where(rollouts.c.id == one))
        try:
            undone = str(json.loads(body or "")["rollback_of"])[:32]
        except (ValueError, KeyError, TypeError):
            continue  # A row that cannot be read must not keep the bot from starting.
        db.execute(sa.update(outcomes).where(outcomes.c.rollout == one).values(undid=undone))


def downgrade() -> None:
    """Drop both columns."""
    for name in ("undid", "observed"):
        op.drop_column("outcomes", name)
