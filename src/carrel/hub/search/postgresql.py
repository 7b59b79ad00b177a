"""Search on PostgreSQL: ``tsvector``, and trigrams where the extension is installed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, TextClause, text

from carrel.hub.search.index import Document, Query, Tier

_COLUMNS = {Tier.WORD: "names", Tier.IMPORT: "imports", Tier.SUMMARY: "summaries", Tier.BODY: "words"}
_RIGHTS = "facets && CAST(:any_of AS text[])"
_RIGHTS_OR_GIVEN = f"({_RIGHTS} OR package_id = ANY(CAST(:ids AS bigint[])))"
_VISIBLE = _RIGHTS + " AND facets @> CAST(:all_of AS text[])"
_KINDS = " AND (CAST(:kinds AS text[]) = '{}' OR facets && CAST(:kinds AS text[]))"
_ORDER = " ORDER BY package_id DESC LIMIT :limit"
_FIND_WORDS = {
    tier: text(f"SELECT package_id FROM search_vector WHERE {column} @@ CAST(:match AS tsquery) AND {_VISIBLE}{_KINDS}{_ORDER}")  # noqa: S608
    for tier, column in _COLUMNS.items()
}
_FIND_ANY = text(f"SELECT package_id FROM search_vector WHERE {_VISIBLE}{_KINDS}{_ORDER}")  # noqa: S608
_FIND_NAME = text(f"SELECT package_id FROM search_vector WHERE name LIKE :pattern AND {_VISIBLE}{_KINDS}{_ORDER}")  # noqa: S608
_PUT = text(
    """INSERT INTO search_vector (package_id, name, words, facets) VALUES (
        :id, :name,
        setweight(to_tsvector('simple', :names), 'A') || setweight(to_tsvector('simple', :imports), 'B')
        || setweight(to_tsvector('simple', :summary), 'C') || setweight(to_tsvector('simple', :body), 'D'),
        CAST(:facets AS text[]))
    ON CONFLICT (package_id) DO UPDATE SET name = excluded.name, words = excluded.words, facets = excluded.facets"""
)


class PostgresqlSearchIndex:
    """A :class:`carrel.hub.search.index.SearchIndex`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, document: Document, *, new: bool = False) -> None:
        """Index *document* in place of what was there; *new*: nothing was."""
        self._connection.execute(
            _PUT,
            {
                "id": document.package_id,
                "name": document.name.lower(),
                "names": _plain(document.names),
                "imports": _plain(" ".join(document.imports)),
                "summary": _plain(document.summary),
                "body": _plain(document.body),
                "facets": list(document.facets),
            },
        )

    def remove(self, package_id: int) -> None:
        """Forget a package."""
        self._connection.execute(text("DELETE FROM search_vector WHERE package_id = :id"), {"id": package_id})

    def find(self, query: Query, tier: Tier, limit: int) -> list[int]:
        """Return ids of at most *limit* packages that match in *tier*, newest first."""
        bounds: dict[str, Any] = {
            "any_of": list(query.any_of),
            "all_of": list(query.all_of),
            "kinds": list(query.kinds),
            "limit": limit,
        }
        run = self._connection.scalars if not query.ids else self._given
        if query.ids:
            bounds["ids"] = list(query.ids)
        if tier is Tier.SUBSTRING:
            if len(query.text) < 3:
                return []
            pattern = "%" + query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            return list(run(_FIND_NAME, {"pattern": pattern, **bounds}))
        if not query.words:
            return list(run(_FIND_ANY, bounds))
        *finished, last = query.words
        match = " & ".join([*(_lexeme(word, prefix=tier is Tier.WORD) for word in finished), _lexeme(last, prefix=True)])
        return list(run(_FIND_WORDS[tier], {"match": match, **bounds}))

    def _given(self, statement: TextClause, values: dict[str, Any]) -> Any:
        # Beside the facets, the packages that the caller was given.
        return self._connection.scalars(text(statement.text.replace(_RIGHTS, _RIGHTS_OR_GIVEN)), values)


def _lexeme(word: str, *, prefix: bool) -> str:
    quoted = "'" + word.replace("\\", "").replace("'", "''") + "'"
    return f"{quoted}:*" if prefix else quoted


def _plain(words: str) -> str:
    # The parser keeps "a_b" and "a.b" as one lexeme; typed text is split at every separator.
    return "".join(character if character.isalnum() else " " for character in words)
