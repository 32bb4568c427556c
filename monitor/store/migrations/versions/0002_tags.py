"""Tags beside the words in PostgreSQL's text index, so that one index answers a search with filters."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    # Copied and not changed in place: every row changes, and would stay behind dead in the old table.
    op.execute("CREATE TABLE mention_search_2 (id BIGINT NOT NULL, words tsvector NOT NULL, tags text[] NOT NULL)")
    op.execute(
        """
        INSERT INTO mention_search_2 (id, words, tags)
        SELECT s.id, s.words, ARRAY['platform:' || m.platform, 'source:' || m.source] || COALESCE((
            SELECT array_agg(DISTINCT tag)
            FROM occurrence o, unnest(
                ARRAY['type:' || o.type, 'verdict:' || o.verdict, 'stance:' || o.stance, 'claim:' || o.claim_id]
            ) tag
            WHERE o.mention_id = s.id
        ), '{}')
        FROM mention_search s JOIN mention m ON m.id = s.id
        ORDER BY s.id
        """
    )
    op.execute("DROP TABLE mention_search")
    op.execute("ALTER TABLE mention_search_2 RENAME TO mention_search")
    op.execute("ALTER TABLE mention_search ADD CONSTRAINT mention_search_pkey PRIMARY KEY (id)")
    op.execute("CREATE INDEX ix_mention_search_words_tags ON mention_search USING gin (words, tags)")
    op.execute("ANALYZE mention_search")
