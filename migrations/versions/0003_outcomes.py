"""How rollouts ended, in columns; those that ended before get what their rows and journals tell.

Nobody measured how long those waited for people, so their times stay empty: they count, and shift no median.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FINAL = ("SUCCEEDED", "ROLLED_BACK", "CANCELLED")


def upgrade() -> None:
    """Create the table and fill it."""
    outcomes = op.create_table(
        "outcomes",
        sa.Column("rollout", sa.String(length=32), nullable=False),
        sa.Column("service", sa.String(length=128), nullable=False),
        sa.Column("environment", sa.String(length=128), nullable=False),
        sa.Column("strategy", sa.String(length=128), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("rollback", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("winner", sa.String(length=1), nullable=False),
        sa.Column("ended", sa.Float(), nullable=False),
        sa.Column("machine_s", sa.Float(), nullable=True),
        sa.Column("waited_s", sa.Float(), nullable=True),
        sa.Column("warnings", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("rollout"),
    )
    op.create_index("outcomes_by_end", "outcomes", ["ended"], unique=False)
    past = list(_past())
    if past:
        op.bulk_insert(outcomes, past)


def _past() -> Iterator[dict[str, Any]]:
    rollouts = sa.table(
        "rollouts", *(sa.column(name) for name in ("id", "phase", "created", "ended", "body"))
    )
    journal = sa.table("journal", sa.column("rollout"), sa.column("code"))
    db = op.get_bind()
    warnings = sa.select(journal.c.rollout, sa.func.count()).group_by(journal.c.rollout)
    found = db.execute(warnings.where(journal.c.code == "check_warned")).all()
    warned = {rollout: int(count) for rollout, count in found}
    ids = db.scalars(
        sa.select(rollouts.c.id)
        .where(rollouts.c.phase.in_(_FINAL), rollouts.c.ended.is_not(None))
        .order_by(rollouts.c.created)
    ).all()
    strategies: dict[str, str] = {}
    for one in ids:
        # One by one: all bodies at once may be more than fits into memory.
        row = db.execute(sa.select(rollouts).where(rollouts.c.id == one)).one()
        try:
            found = _outcome(row.phase, json.loads(row.body), strategies)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # A row that cannot be read must not keep the bot from starting.
        if found is not None:
            strategies[one] = found["strategy"]
            yield {**found, "rollout": one, "ended": row.ended, "warnings": warned.get(one, 0)}


def _outcome(phase: str, body: dict[str, Any], strategies: dict[str, str]) -> dict[str, Any] | None:
    back, undone = body.get("back") or {}, body["rollback_of"]
    match phase:
        case "SUCCEEDED":
            outcome, rollback = ("undo", "after_success") if undone else ("succeeded", "")
        case _ if undone:
            return None
        case "ROLLED_BACK":
            outcome, rollback = "rolled_back", "automatic" if back.get("automatic") else "by_hand"
        case _:
            outcome, rollback = "resolved" if body["armed"] else "cancelled", ""
    return {
        **{name: body[name] for name in ("service", "environment")},
        "strategy": strategies.get(undone, body["plan"]["strategy"]),
        "outcome": outcome,
        "rollback": rollback,
        "code": back.get("code") or body["code"],
        "winner": "",
        "machine_s": None,
        "waited_s": None,
    }


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("outcomes")
