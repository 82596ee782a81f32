"""The tables. One row per rollout is the truth; the others remember what was said about it and to whom.

Times are seconds since the epoch: SQLite hands zoned datetimes back without their zone.
"""

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData()

IN_FLIGHT = text("phase NOT IN ('SCHEDULED', 'SUCCEEDED', 'ROLLED_BACK', 'CANCELLED')")
"""The rows that hold their target. What waits for its time does not."""

ROLLOUTS = Table(
    "rollouts",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("service", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("version", String(300), nullable=False),
    Column("phase", String(20), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("ended", Float),
    Column("body", Text, nullable=False),
    Index("rollouts_by_target", "service", "environment", "created"),
    # Two people at once: the database decides who was first.
    Index(
        "one_in_flight",
        "service",
        "environment",
        unique=True,
        sqlite_where=IN_FLIGHT,
        postgresql_where=IN_FLIGHT,
    ),
)

TARGETS = Table(
    "targets",
    METADATA,
    Column("service", String(128), primary_key=True),
    Column("environment", String(128), primary_key=True),
    Column("counter", Integer, nullable=False),
)

JOURNAL = Table(
    "journal",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("rollout", String(32), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("verb", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("code", String(60), nullable=False),
    Column("text", Text, nullable=False),
    Column("event", String(60), nullable=False),
    Column("tell", String(12), nullable=False),
    Column("data", Text, nullable=False),
    UniqueConstraint("rollout", "revision", "n"),
)

INBOX = Table(
    "inbox",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("at", Float, nullable=False),
    Column("door", String(20), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("rollout", String(32), nullable=False),
    Column("answer", Text),
    Index("inbox_open", "at", sqlite_where=text("answer IS NULL")),
    Index("inbox_by_rollout", "rollout"),
)

POSTS = Table(
    "posts",
    METADATA,
    Column("rollout", String(32), primary_key=True),
    Column("key", String(80), primary_key=True),
    Column("channel", String(32), nullable=False),
    Column("ts", String(40), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Index("posts_by_place", "channel", "ts"),
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("entry", Integer, primary_key=True),
    Column("sink", String(200), primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("due", Float),
    Column("state", String(12), nullable=False),
    Column("problem", Text, nullable=False),
    Index("deliveries_due", "due", sqlite_where=text("state = 'open'")),
)

# What keeps new versions out: a person's lock, a stopped line (all services of an environment), a version that was
# rolled back by itself. A row stays when it is over: who held what, and why, is history.
LOCKS = Table(
    "locks",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("service", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("version", String(300), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("rollout", String(32), nullable=False),
    Column("at", Float, nullable=False),
    Column("expires", Float),
    Column("nagged", Float),
    Column("released", Float),
    Column("released_by", String(200), nullable=False),
    Index("locks_open", "service", "environment", sqlite_where=text("released IS NULL")),
)

# What others should hear about locks, kept until it was said.
NOTICES = Table(
    "notices",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("body", Text, nullable=False),
    Column("told", Float),
    Index("notices_open", "id", sqlite_where=text("told IS NULL")),
)

# The numbers of every look, for the picture of a stage and for judging again what was judged.
LOOKS = Table(
    "looks",
    METADATA,
    Column("rollout", String(32), primary_key=True),
    Column("at", Float, primary_key=True),
    Column("cursor", Integer, nullable=False),
    Column("weight", Float, nullable=False),
    Column("body", Text, nullable=False),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("owner", String(100), nullable=False),
    Column("created", Float, nullable=False),
    Column("revoked", Float),
)

# What statistics need of a rollout that has ended, in columns: nobody has to read a hundred thousand bodies for it.
OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("rollout", String(32), primary_key=True),
    Column("service", String(128), nullable=False),
    Column("environment", String(128), nullable=False),
    Column("strategy", String(128), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("rollback", String(20), nullable=False),
    Column("code", String(60), nullable=False),
    Column("winner", String(1), nullable=False),
    Column("ended", Float, nullable=False),
    Column("machine_s", Float),
    Column("waited_s", Float),
    Column("warnings", Integer, nullable=False),
    Column("observed", String(12), nullable=False, server_default=""),
    Column("undid", String(32), nullable=False, server_default=""),
    Index("outcomes_by_end", "ended"),
)
