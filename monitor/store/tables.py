"""The record, as tables: one description for SQLite and PostgreSQL.

Times are milliseconds since 1970 (UTC). A mention's id comes from its place in the stream and so grows with time of arrival: a
page "newest first" is a walk along the primary key, also through the text index. A post's words stand in `mention_text` and,
folded for search, in `mention_search` (made by the migrations, since it is a different thing on each database; on PostgreSQL with
tags beside the words, see `tags.py`): nowhere else, so that they can be deleted. Quotes are offsets into that text.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.types import JSON

from monitor.store.citations import Citations

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

mention = Table(
    "mention",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("platform", Text, nullable=False),
    Column("platform_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("url", Text),
    Column("author", Text),  # as `privacy.authors` says: a keyed hash, the plain name, or nothing
    Column("language", Text),
    Column("created_ms", BigInteger),  # as the platform says; the clocks of posters lie
    Column("seen_ms", BigInteger, nullable=False),
    Column("edited_ms", BigInteger),
    Column("state", Text, nullable=False, server_default="live"),
    Column("relevant", Boolean, nullable=False),
    Column("adverse_event", Boolean, nullable=False),
    Column("alert", Boolean, nullable=False),
    Column("classifier", Text, nullable=False),
    Column("register", Text, nullable=False),
    Column("text_version", Text, nullable=False),  # Post.version of the text that was judged
    Column("entry_number", BigInteger, nullable=False),  # the stream entry that brought this text: the later one wins
    Column("fresh", Boolean, nullable=False, server_default=true()),  # Post.fresh
    UniqueConstraint("platform", "platform_id"),
)
Index(None, mention.c.source, mention.c.id)
Index(None, mention.c.platform, mention.c.id)
Index(None, mention.c.platform, mention.c.author)

mention_text = Table(
    "mention_text",
    metadata,
    Column(
        "mention_id",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("mention.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("text", Text, nullable=False),
)

claim = Table(
    "claim",
    metadata,
    Column("id", Text, primary_key=True),
    Column("claim", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("proposition", Text, nullable=False, server_default=""),  # the lexicon's key; empty where a review split the claim off
    Column("number", Text),  # that belongs to its identity
    Column("entry", Text),  # id of the register's entry, where there is one
    Column("verdict", Text, nullable=False),
    Column("verdicts", JSON, nullable=False),
    Column("basis", Text, nullable=False),
    Column("ruling", Text, nullable=False, server_default=""),  # what the register says, in words: the end of each `why`
    Column("evidence", Citations, nullable=False),  # the citations that the verdict was given on
    Column("register", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),  # open | confirmed | dismissed
    Column("muted_until_ms", BigInteger),  # while that is to come, it is muted
    Column("merged_into", Text),  # then everything of it is under that other claim, which is not merged
    Column("put_forward_ms", BigInteger),  # when a fresh post last put it forward
    Column("behind", Text),  # what has yet to follow a change of it, `verdicts.Behind`
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("mentions", Integer, nullable=False, server_default="0"),
    Column("authors", Integer, nullable=False, server_default="0"),
)
Index(None, claim.c.first_seen_ms, claim.c.id)

claim_platform = Table(
    "claim_platform",
    metadata,
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    Column("platform", Text, nullable=False),
    Column("mentions", Integer, nullable=False),
    PrimaryKeyConstraint("claim_id", "platform"),
)

# Who put a claim forward, so that "distinct authors" is a count of rows; an author is the same string as in `mention`.
claim_author = Table(
    "claim_author",
    metadata,
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    Column("platform", Text, nullable=False),
    Column("author", Text, nullable=False),
    PrimaryKeyConstraint("claim_id", "platform", "author"),
)

occurrence = Table(
    "occurrence",
    metadata,
    Column("mention_id", BigInteger, ForeignKey("mention.id", ondelete="CASCADE"), nullable=False),
    Column("n", SmallInteger, nullable=False),  # its place among the mention's claims, from 0
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    Column("type", Text, nullable=False),
    Column("stance", Text, nullable=False),
    Column("distance", Boolean, nullable=False),
    Column("testimonial", Boolean, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("verdicts", JSON, nullable=False),
    Column("basis", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("why", Text, nullable=False),  # up to what the register says, which stands at the claim
    Column("sure", Boolean, nullable=False, server_default=true()),  # else it was joined to the claim as the likeliest
    Column("found_as", Text),  # the claim's id as the reader gave it, where a review put it under another claim
    PrimaryKeyConstraint("mention_id", "n"),
)
Index(None, occurrence.c.claim_id, occurrence.c.mention_id)
Index(None, occurrence.c.type, occurrence.c.mention_id)
Index(None, occurrence.c.verdict, occurrence.c.mention_id)
Index(None, occurrence.c.stance, occurrence.c.mention_id)
# The few that were joined to their claims as the likeliest, for a person to look at.
Index(
    "ix_occurrence_doubtful",
    occurrence.c.claim_id,
    occurrence.c.mention_id,
    sqlite_where=text("sure = 0"),
    postgresql_where=text("NOT sure"),
)

# What people said of claims, the newest last: nothing is ever changed here.
review = Table(
    "review",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("reviewer", Text, nullable=False),
    Column("note", Text),
    Column("until_ms", BigInteger),  # of a mute
    Column("detail", JSON),  # of a merge or a split: the other claim, the mentions
)
Index(None, review.c.claim_id, review.c.id)

# How the classifier saw the first wording of a claim that the lexicon does not know.
claim_wording = Table(
    "claim_wording",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("claim_id", Text, nullable=False, unique=True),  # whose row comes later in the same transaction
    Column("type", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),
)
Index(None, claim_wording.c.type, claim_wording.c.id)

# What a person said of single mentions: what the reader finds in them as `found_as` belongs to `claim_id`, also when it is read
# again. A split names another claim than the reader did, a confirmed occurrence the same. Where that claim was merged, the claim
# that it was merged into holds: nothing here changes by a merge, so that one can be taken back.
claim_move = Table(
    "claim_move",
    metadata,
    Column("mention_id", BigInteger, ForeignKey("mention.id", ondelete="CASCADE"), nullable=False),
    Column("found_as", Text, nullable=False),
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    PrimaryKeyConstraint("mention_id", "found_as"),
)
Index(None, claim_move.c.claim_id)

# Names of the watchlist that a mention speaks of.
mention_watch = Table(
    "mention_watch",
    metadata,
    Column("mention_id", BigInteger, ForeignKey("mention.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("mention_id", "name"),
)
Index(None, mention_watch.c.name, mention_watch.c.mention_id)

# Every state of the register that judged something, so that an edit can be looked at and taken back.
register_version = Table(
    "register_version",
    metadata,
    Column("version", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),  # when it last came into force
    Column("files", JSON, nullable=False),  # {name: text}
)

# When each of them came into force, the same one perhaps several times; and when all claims on record had been held against it.
register_use = Table(
    "register_use",
    metadata,
    Column("at_ms", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("version", Text, ForeignKey("register_version.version"), nullable=False),
    Column("held_ms", BigInteger),
)

# The outbox: an alert is written in the transaction of what caused it. `dedupe_key` says what may be said only once.
alert = Table(
    "alert",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("dedupe_key", Text, nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("claim_id", Text, ForeignKey("claim.id")),
    Column("mention_id", BigInteger, ForeignKey("mention.id")),
    Column("occurrence_n", SmallInteger),
    Column("subject", JSON),  # what an alert without a claim speaks of: a source, an endpoint, items
    Column("summary", Text, nullable=False),  # never a post's own words
    Column("state", Text, nullable=False, server_default="open"),  # open | done
    Column("assignee", Text),  # who has it in hand
)
Index(None, alert.c.kind, alert.c.id)
Index(None, alert.c.claim_id, alert.c.id)
Index("ix_alert_open", alert.c.id, sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'"))

# What people did with alerts (assigned, done), the newest last: nothing is ever changed here.
alert_review = Table(
    "alert_review",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("alert_id", BigInteger, ForeignKey("alert.id"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("reviewer", Text, nullable=False),
    Column("assignee", Text),  # whom it was given to
    Column("note", Text),
)
Index(None, alert_review.c.alert_id, alert_review.c.id)

delivery = Table(
    "delivery",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("alert_id", BigInteger, ForeignKey("alert.id"), nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("webhook_id", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),  # all of them
    Column("tries", Integer, nullable=False, server_default="0"),  # since it was last put in the queue: the schedule's step
    Column("next_ms", BigInteger, nullable=False),  # while pending, nobody takes it before; a sender takes it by moving this
    UniqueConstraint("alert_id", "endpoint"),
)
Index(
    "ix_delivery_due",
    delivery.c.endpoint,
    delivery.c.next_ms,
    delivery.c.alert_id,
    sqlite_where=text("state = 'pending'"),
    postgresql_where=text("state = 'pending'"),
)
Index(
    "ix_delivery_dead",
    delivery.c.endpoint,
    delivery.c.id,
    sqlite_where=text("state = 'dead'"),
    postgresql_where=text("state = 'dead'"),
)
Index(None, delivery.c.endpoint, delivery.c.id)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", BigInteger, ForeignKey("delivery.id", ondelete="CASCADE"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("status", Integer),  # None where no answer came
    Column("ms", Integer, nullable=False),
    Column("error", Text),
    Column("answer", Text),  # its first kilobyte
    PrimaryKeyConstraint("delivery_id", "n"),
)

# How many alerts an endpoint was given in an hour (milliseconds since 1970 of its start), where it has a budget.
endpoint_hour = Table(
    "endpoint_hour",
    metadata,
    Column("endpoint", Text, nullable=False),
    Column("hour_ms", BigInteger, nullable=False),
    Column("alerts", Integer, nullable=False),
    PrimaryKeyConstraint("endpoint", "hour_ms"),
)

# Alerts that wait for an endpoint's next digest.
digest_item = Table(
    "digest_item",
    metadata,
    Column("endpoint", Text, nullable=False),
    Column("alert_id", BigInteger, ForeignKey("alert.id"), nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("endpoint", "alert_id"),
)
Index(None, digest_item.c.due_ms)

endpoint = Table(
    "endpoint",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),  # ok | failing | disabled
    Column("reason", Text),
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("last_success_ms", BigInteger),
    Column("failing_since_ms", BigInteger),  # when the first of those failed
    Column("spent_until_ms", Float, nullable=False, server_default="0"),  # with a rate: up to when it is used up
    Column("held_until_ms", BigInteger),  # its receiver asked to be left alone until then
)

spending = Table(
    "spending",
    metadata,
    Column("day", Text, nullable=False),  # of UTC, 2026-11-22
    Column("unit", Text, nullable=False),  # nanodollars | tokens
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "unit"),
)
