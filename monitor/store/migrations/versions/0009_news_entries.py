"""Which entries of the register cite what there is news of."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("evidence_news", sa.Column("entries", sa.JSON(), nullable=False, server_default="[]"))
