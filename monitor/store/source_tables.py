"""The tables about where posts come from and what becomes of them there; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import JSON

from monitor.store.tables import metadata

source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("last_success_ms", BigInteger),
    Column("last_error", Text),
    Column("last_error_ms", BigInteger),
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("lag_s", Float),
    Column("heard", BigInteger, nullable=False, server_default="0"),
    Column("matched", BigInteger, nullable=False, server_default="0"),
    # All before it is judged: from where to go on if Redis, whose own is later, has lost everything.
    Column("cursor", Text),
    Column("failing_ms", BigInteger),  # since when it fails, poll after poll
    Column("told", Text),  # down | silent: what endpoints were last told of it, until they are told that it is over
    Column("told_ms", BigInteger),  # since when it is so
    Column("last_post_ms", BigInteger),  # when it was last heard to say something
    Column("quiet", JSON, nullable=False, server_default="{}"),  # {day: longest quiet time in seconds} of the last days
    Column("late", BigInteger, nullable=False, server_default="0"),  # posts heard for a time that was covered before
    Column("late_ms", BigInteger),  # when the last of them came
)

# Times that were surely covered, joined where they touch, and those that were not. Both are bounded in number for each source.
coverage = Table(
    "coverage",
    metadata,
    Column("source", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", "since_ms"),
)

gap = Table(
    "gap",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("noted_ms", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("state", Text, nullable=False),  # open | refilled | lost
    Column("ticket", Text),  # the collector's own text on how to fetch it
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_ms", BigInteger, nullable=False, server_default="0"),  # of an open one: not tried before
)
Index(None, gap.c.source, gap.c.id)

# What is new on record elsewhere, for the editor of the register.
evidence_news = Table(
    "evidence_news",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("register", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("url", Text),
    Column("summary", Text, nullable=False),
    Column("entries", JSON, nullable=False, server_default="[]"),  # of the register, that cite it
    Column("published_ms", BigInteger),
    Column("seen_ms", BigInteger, nullable=False),
    UniqueConstraint("register", "item", "state"),
)

# Names (`monitor.notices`) of posts and authors that were erased a short while ago: a worker may still have them in its hands.
# What was heard before then is not written down any more.
erased = Table(
    "erased",
    metadata,
    Column("name", Text, primary_key=True),
    Column("before_ms", BigInteger, nullable=False),
)

# Keyed hashes of posts and people that asked to be forgotten: nothing of theirs is taken in again.
forgotten = Table(
    "forgotten",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
)

# How far a walk along the mentions got that looks at each when it has a certain age: the id of the last one.
sweep = Table(
    "sweep",
    metadata,
    Column("name", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("upto", BigInteger, nullable=False),
    PrimaryKeyConstraint("name", "step"),
)

# Subscriptions at the hubs of feeds, by the last part of the callback's address, which only the hub knows.
websub = Table(
    "websub",
    metadata,
    Column("token", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("hub", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("callback", Text, nullable=False),
    Column("private", Boolean, nullable=False),  # whether the hub may have a private address
    Column("secret", Text, nullable=False),  # what the hub signs with
    Column("state", Text, nullable=False),  # asked | subscribed | denied | leaving
    Column("attempts", Integer, nullable=False, server_default="0"),  # since the hub last confirmed
    Column("next_ms", BigInteger, nullable=False),  # when the hub is to be asked again
    Column("until_ms", BigInteger),  # the end of the lease
)
Index(None, websub.c.source)

# What hubs pushed: only until it is read.
websub_push = Table(
    "websub_push",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
Index(None, websub_push.c.source, websub_push.c.id)
