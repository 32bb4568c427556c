"""Alerts as work to be done: their state, who has them in hand, and what was done with them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    op.add_column("alert", sa.Column("state", sa.Text(), nullable=False, server_default="open"))
    op.add_column("alert", sa.Column("assignee", sa.Text()))
    op.create_index("ix_alert_open", "alert", ["id"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_table(
        "alert_review",
        sa.Column("id", _NUMBER, autoincrement=False),
        sa.Column("alert_id", sa.BigInteger(), sa.ForeignKey("alert.id", name="fk_alert_review_alert_id"), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("assignee", sa.Text()),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_alert_review"),
    )
    op.create_index("ix_alert_review_alert_id_id", "alert_review", ["alert_id", "id"])
