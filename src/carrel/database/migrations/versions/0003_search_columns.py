"""Words of names, modules and summaries in columns of their own on PostgreSQL, under one index."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WEIGHTS = {"names": "a", "imports": "b", "summaries": "a,b,c"}


def upgrade() -> None:
    """Add the columns, which the database fills from what is there."""
    if op.get_bind().dialect.name == "sqlite":  # its text tables have such columns
        return
    columns = (f"ADD COLUMN {name} tsvector GENERATED ALWAYS AS (ts_filter(words, '{{{of}}}')) STORED" for name, of in _WEIGHTS.items())
    op.execute(f"ALTER TABLE search_vector {', '.join(columns)}")
    op.execute("DROP INDEX ix_search_vector_words")
    op.execute("DROP INDEX ix_search_vector_facets")
    op.execute("CREATE INDEX ix_search_vector_words ON search_vector USING gin (names, imports, summaries, words, facets)")


def downgrade() -> None:
    """Remove them."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute("DROP INDEX ix_search_vector_words")
    op.execute(f"ALTER TABLE search_vector {', '.join(f'DROP COLUMN {name}' for name in _WEIGHTS)}")
    op.execute("CREATE INDEX ix_search_vector_words ON search_vector USING gin (words)")
    op.execute("CREATE INDEX ix_search_vector_facets ON search_vector USING gin (facets)")
