"""Since when an endpoint fails, and what of its rate is used up."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("endpoint", sa.Column("failing_since_ms", sa.BigInteger()))
    op.add_column("endpoint", sa.Column("spent_until_ms", sa.Float(), nullable=False, server_default="0"))
