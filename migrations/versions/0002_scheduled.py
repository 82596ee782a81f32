"""A rollout that waits for its time does not hold its target."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BEFORE = "phase NOT IN ('SUCCEEDED', 'ROLLED_BACK', 'CANCELLED')"
_NOW = "phase NOT IN ('SCHEDULED', 'SUCCEEDED', 'ROLLED_BACK', 'CANCELLED')"


def upgrade() -> None:
    """Let several scheduled rollouts wait for one target."""
    _hold_where(_NOW)


def downgrade() -> None:
    """Let a target have one rollout, scheduled or not."""
    _hold_where(_BEFORE)


def _hold_where(held: str) -> None:
    op.drop_index("one_in_flight", "rollouts")
    op.create_index(
        "one_in_flight",
        "rollouts",
        ["service", "environment"],
        unique=True,
        sqlite_where=sa.text(held),
        postgresql_where=sa.text(held),
    )
