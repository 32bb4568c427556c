"""Merges that can be taken back, doubtful occurrences found quickly, and every time at which a register came into force."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "register_use",
        sa.Column("at_ms", _NUMBER, autoincrement=False, nullable=False),
        sa.Column(
            "version", sa.Text(), sa.ForeignKey("register_version.version", name="fk_register_use_version"), nullable=False
        ),
        sa.Column("held_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("at_ms", name="pk_register_use"),
    )
    op.execute("INSERT INTO register_use (at_ms, version) SELECT max(at_ms), max(version) FROM register_version GROUP BY at_ms")
    op.create_index(
        "ix_occurrence_doubtful",
        "occurrence",
        ["claim_id", "mention_id"],
        sqlite_where=sa.text("sure = 0"),
        postgresql_where=sa.text("NOT sure"),
    )
    _name_what_was_split_off()


def _name_what_was_split_off() -> None:
    """Mentions of a split whose claim was merged later were said to be of the claim it went into; the history knows better."""
    connection = op.get_bind()
    splits = connection.execute(
        sa.text(
            "SELECT r.detail, r.claim_id, c.merged_into FROM review r JOIN claim c ON c.id = r.claim_id "
            "WHERE r.action = 'split' AND c.merged_into IS NOT NULL ORDER BY r.id"
        )
    )
    for detail, claim_id, merged_into in splits.all():
        said: Any = json.loads(detail) if isinstance(detail, str) else detail
        if not said or "from" not in said:  # the note at the claim that lost the mentions
            continue
        for name in said["mentions"]:
            connection.execute(
                sa.text("UPDATE claim_move SET claim_id = :own WHERE mention_id = :mention AND claim_id = :other"),
                {"own": claim_id, "mention": _number_of(name), "other": merged_into},
            )


def _number_of(name: str) -> int:
    """The stored id of a mention: the ids that users see count in Crockford's base 32."""
    number = 0
    for char in name.partition("_")[2]:
        number = number * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(char)
    return number
