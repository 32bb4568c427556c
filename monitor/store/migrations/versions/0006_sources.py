"""Coverage of sources, news of the evidence, deletions."""

import datetime as dt
import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_index("ix_mention_platform_author", "mention", ["platform", "author"])
    op.add_column("source", sa.Column("failing_ms", sa.BigInteger()))
    op.add_column("source", sa.Column("told", sa.Text()))
    op.add_column("source", sa.Column("told_ms", sa.BigInteger()))
    op.add_column("source", sa.Column("last_post_ms", sa.BigInteger()))
    op.add_column("source", sa.Column("quiet", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("source", sa.Column("late", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("source", sa.Column("late_ms", sa.BigInteger()))
    op.create_table(
        "coverage",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "since_ms", name="pk_coverage"),
    )
    gap = op.create_table(
        "gap",
        sa.Column("id", _NUMBER, autoincrement=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("noted_ms", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text()),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_ms", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_gap"),
    )
    op.create_index("ix_gap_source_id", "gap", ["source", "id"])
    _move_gaps(gap)
    op.execute("ALTER TABLE source DROP COLUMN gaps")
    op.create_table(
        "evidence_news",
        sa.Column("id", _NUMBER, autoincrement=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("published_ms", sa.BigInteger()),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evidence_news"),
        sa.UniqueConstraint("register", "item", "state", name="uq_evidence_news_register_item_state"),
    )
    op.create_table(
        "erased",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("before_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_erased"),
    )
    op.create_table(
        "forgotten",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_forgotten"),
    )
    op.create_table(
        "sweep",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "step", name="pk_sweep"),
    )


def _move_gaps(gap: sa.Table) -> None:
    """The possible gaps that stood with each source, as rows: of them only is known when they were noted."""
    connection = op.get_bind()
    rows: list[dict[str, object]] = []
    for name, gaps in connection.execute(sa.text("SELECT name, gaps FROM source")).all():
        for one in json.loads(gaps) if isinstance(gaps, str) else gaps:
            at = _ms(one.get("at", ""))
            times = {"since_ms": at, "until_ms": at, "noted_ms": at}
            rows.append({"id": len(rows) + 1, "source": name, **times, "cause": one.get("what", ""), "state": "lost"})
    if rows:
        connection.execute(gap.insert(), rows)


def _ms(text: str) -> int:
    try:
        return round(dt.datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0
