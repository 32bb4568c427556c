"""The first schema: mentions, claims, occurrences, alerts, deliveries, sources, endpoints, and the text index."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


PENDING = sa.text("state = 'pending'")
DEAD = sa.text("state = 'dead'")


def upgrade() -> None:
    op.create_table(
        "claim",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("verdicts", sa.JSON(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("mentions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("authors", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_claim"),
    )
    op.create_index("ix_claim_first_seen_ms_id", "claim", ["first_seen_ms", "id"], unique=False)
    op.create_table(
        "endpoint",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_success_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_endpoint"),
    )
    op.create_table(
        "mention",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("platform_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=True),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("edited_ms", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="live", nullable=False),
        sa.Column("relevant", sa.Boolean(), nullable=False),
        sa.Column("adverse_event", sa.Boolean(), nullable=False),
        sa.Column("alert", sa.Boolean(), nullable=False),
        sa.Column("classifier", sa.Text(), nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("text_version", sa.Text(), nullable=False),
        sa.Column("entry_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mention"),
        sa.UniqueConstraint("platform", "platform_id", name="uq_mention_platform_platform_id"),
    )
    op.create_index("ix_mention_platform_id", "mention", ["platform", "id"], unique=False)
    op.create_index("ix_mention_source_id", "mention", ["source", "id"], unique=False)
    op.create_table(
        "source",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("last_success_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_ms", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lag_s", sa.Float(), nullable=True),
        sa.Column("heard", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("matched", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("gaps", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_source"),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=True),
        sa.Column("mention_id", sa.BigInteger(), nullable=True),
        sa.Column("occurrence_n", sa.SmallInteger(), nullable=True),
        sa.Column("subject", sa.JSON(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_alert_claim_id"),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name="fk_alert_mention_id"),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
        sa.UniqueConstraint("dedupe_key", name="uq_alert_dedupe_key"),
    )
    op.create_index("ix_alert_claim_id_id", "alert", ["claim_id", "id"], unique=False)
    op.create_index("ix_alert_kind_id", "alert", ["kind", "id"], unique=False)
    op.create_table(
        "claim_author",
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_claim_author_claim_id"),
        sa.PrimaryKeyConstraint("claim_id", "platform", "author", name="pk_claim_author"),
    )
    op.create_table(
        "claim_platform",
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_claim_platform_claim_id"),
        sa.PrimaryKeyConstraint("claim_id", "platform", name="pk_claim_platform"),
    )
    op.create_table(
        "mention_text",
        sa.Column("mention_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name="fk_mention_text_mention_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mention_id", name="pk_mention_text"),
    )
    op.create_table(
        "occurrence",
        sa.Column("mention_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.SmallInteger(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("stance", sa.Text(), nullable=False),
        sa.Column("distance", sa.Boolean(), nullable=False),
        sa.Column("testimonial", sa.Boolean(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("verdicts", sa.JSON(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name="fk_occurrence_claim_id"),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name="fk_occurrence_mention_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mention_id", "n", name="pk_occurrence"),
    )
    op.create_index("ix_occurrence_claim_id_mention_id", "occurrence", ["claim_id", "mention_id"], unique=False)
    op.create_index("ix_occurrence_stance_mention_id", "occurrence", ["stance", "mention_id"], unique=False)
    op.create_index("ix_occurrence_type_mention_id", "occurrence", ["type", "mention_id"], unique=False)
    op.create_index("ix_occurrence_verdict_mention_id", "occurrence", ["verdict", "mention_id"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name="fk_delivery_alert_id"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("alert_id", "endpoint", name="uq_delivery_alert_id_endpoint"),
        sa.UniqueConstraint("webhook_id", name="uq_delivery_webhook_id"),
    )
    op.create_index(
        "ix_delivery_due", "delivery", ["endpoint", "next_ms", "alert_id"], sqlite_where=PENDING, postgresql_where=PENDING
    )
    op.create_index("ix_delivery_dead", "delivery", ["endpoint", "id"], sqlite_where=DEAD, postgresql_where=DEAD)
    op.create_index("ix_delivery_endpoint_id", "delivery", ["endpoint", "id"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("ms", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_attempt_delivery_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("delivery_id", "n", name="pk_attempt"),
    )
    if op.get_bind().dialect.name == "sqlite":
        # The words are cut and folded before they come here, so the plainest tokenizer serves.
        op.execute("CREATE VIRTUAL TABLE mention_search USING fts5(words, tokenize = 'ascii')")
    else:
        op.execute("CREATE TABLE mention_search (id BIGINT PRIMARY KEY, words tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_mention_search_words ON mention_search USING gin (words)")
