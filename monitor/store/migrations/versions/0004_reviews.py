"""Reviews of claims, the watchlist's names, states of the register, budgets and digests of endpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("mention", sa.Column("fresh", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("occurrence", sa.Column("sure", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("occurrence", sa.Column("found_as", sa.Text()))
    op.add_column("claim", sa.Column("proposition", sa.Text(), nullable=False, server_default=""))
    op.add_column("claim", sa.Column("number", sa.Text()))
    op.add_column("claim", sa.Column("muted_until_ms", sa.BigInteger()))
    op.add_column("claim", sa.Column("merged_into", sa.Text()))
    op.add_column("claim", sa.Column("put_forward_ms", sa.BigInteger()))
    op.add_column("claim", sa.Column("behind", sa.Text()))
    op.add_column("claim", sa.Column("ruling", sa.Text(), nullable=False, server_default=""))
    # What the register says now stands at the claim: the daemon writes it there at its next start.
    find = "instr" if op.get_bind().dialect.name == "sqlite" else "strpos"
    for ruling in ("; register entry ", "; no register entry "):
        place = f"{find}(why, '{ruling}')"
        op.execute(f"UPDATE occurrence SET why = substr(why, 1, {place} - 1) WHERE {place} > 0")
    op.execute("UPDATE claim SET put_forward_ms = last_seen_ms WHERE authors > 0")
    op.create_table(
        "review",
        sa.Column("id", _NUMBER, autoincrement=False),
        sa.Column("claim_id", sa.Text(), sa.ForeignKey("claim.id", name="fk_review_claim_id"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("until_ms", sa.BigInteger()),
        sa.Column("detail", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
    )
    op.create_index("ix_review_claim_id_id", "review", ["claim_id", "id"])
    op.create_table(
        "claim_wording",
        sa.Column("id", _NUMBER, autoincrement=False),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_claim_wording"),
        sa.UniqueConstraint("claim_id", name="uq_claim_wording_claim_id"),
    )
    op.create_index("ix_claim_wording_type_id", "claim_wording", ["type", "id"])
    op.create_table(
        "claim_move",
        sa.Column(
            "mention_id",
            sa.BigInteger(),
            sa.ForeignKey("mention.id", name="fk_claim_move_mention_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("found_as", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), sa.ForeignKey("claim.id", name="fk_claim_move_claim_id"), nullable=False),
        sa.PrimaryKeyConstraint("mention_id", "found_as", name="pk_claim_move"),
    )
    op.create_index("ix_claim_move_claim_id", "claim_move", ["claim_id"])
    op.create_table(
        "mention_watch",
        sa.Column(
            "mention_id",
            sa.BigInteger(),
            sa.ForeignKey("mention.id", name="fk_mention_watch_mention_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("mention_id", "name", name="pk_mention_watch"),
    )
    op.create_index("ix_mention_watch_name_mention_id", "mention_watch", ["name", "mention_id"])
    op.create_table(
        "register_version",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_register_version"),
    )
    op.create_table(
        "endpoint_hour",
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("hour_ms", sa.BigInteger(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "hour_ms", name="pk_endpoint_hour"),
    )
    op.create_table(
        "digest_item",
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), sa.ForeignKey("alert.id", name="fk_digest_item_alert_id"), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "alert_id", name="pk_digest_item"),
    )
    op.create_index("ix_digest_item_due_ms", "digest_item", ["due_ms"])
