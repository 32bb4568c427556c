"""Until when a receiver asked to be left alone."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("endpoint", sa.Column("held_until_ms", sa.BigInteger()))
