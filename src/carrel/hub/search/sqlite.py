"""Search on SQLite: FTS5."""

from __future__ import annotations

import json
from dataclasses import replace

from sqlalchemy import Connection, TextClause, text

from carrel.hub.search.facets import PUBLIC
from carrel.hub.search.index import Document, Query, Tier

_COLUMNS = {
    Tier.WORD: "names",
    Tier.IMPORT: "imports",
    Tier.SUMMARY: "names imports summary",
    Tier.BODY: "names imports summary body",
}
_FIND_TEXT = text("SELECT rowid FROM search_text WHERE search_text MATCH :match ORDER BY rowid DESC LIMIT :limit")
_FIND_GIVEN = text(
    "SELECT rowid FROM search_text WHERE search_text MATCH :match AND rowid IN (SELECT value FROM json_each(:ids))"
    " ORDER BY rowid DESC LIMIT :limit"
)
_ALL_GIVEN = text("SELECT rowid FROM search_text WHERE rowid IN (SELECT value FROM json_each(:ids)) ORDER BY rowid DESC LIMIT :limit")
_FIND_NAME = """SELECT search_name.rowid FROM search_name JOIN package ON package.id = search_name.rowid
    WHERE search_name MATCH :match AND ({any_of}) AND {all_of} ORDER BY search_name.rowid DESC LIMIT :limit"""
_DELETE = (text("DELETE FROM search_text WHERE rowid = :id"), text("DELETE FROM search_name WHERE rowid = :id"))
_INSERT_TEXT = text(
    "INSERT INTO search_text (rowid, names, imports, summary, body, facets) VALUES (:id, :names, :imports, :summary, :body, :facets)"
)
_INSERT_NAME = text("INSERT INTO search_name (rowid, name) VALUES (:id, :name)")


class SqliteSearchIndex:
    """A :class:`carrel.hub.search.index.SearchIndex`.

    Words are found by ``unicode61`` postings with prefix indexes, parts of names by trigrams. Nothing is ranked by
    ``bm25``: it reads every posting of every word first, which is what makes common words slow.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, document: Document, *, new: bool = False) -> None:
        """Index *document* in place of what was there; *new*: nothing was."""
        if not new:
            self.remove(document.package_id)
        self._connection.execute(
            _INSERT_TEXT,
            {
                "id": document.package_id,
                "names": document.names,
                "imports": " ".join(document.imports),
                "summary": document.summary,
                "body": document.body,
                "facets": " ".join(document.facets),
            },
        )
        self._connection.execute(_INSERT_NAME, {"id": document.package_id, "name": document.name.lower()})

    def remove(self, package_id: int) -> None:
        """Forget a package."""
        for statement in _DELETE:
            self._connection.execute(statement, {"id": package_id})

    def find(self, query: Query, tier: Tier, limit: int) -> list[int]:
        """Return ids of at most *limit* packages that match in *tier*, newest first."""
        if tier is Tier.SUBSTRING:
            if len(query.text) < 3:  # a trigram index knows nothing shorter
                return []
            return self._rows(_name_statement(query), _quote(query.text), limit, query.ids)
        found = self._rows(_FIND_TEXT, _match(query, tier), limit) if query.any_of else []
        if not query.ids:
            return found
        match = _match(replace(query, any_of=()), tier)
        given = self._rows(_FIND_GIVEN if match else _ALL_GIVEN, match, limit, query.ids)
        return sorted({*found, *given}, reverse=True)[:limit] if found else given

    def _rows(self, statement: TextClause, match: str, limit: int, ids: tuple[int, ...] = ()) -> list[int]:
        values: dict[str, object] = {"match": match, "limit": limit}
        if ids:
            values["ids"] = json.dumps(ids)
        return list(self._connection.scalars(statement, values).all())


def _match(query: Query, tier: Tier) -> str:
    parts = [_facets(query)]
    if query.words:
        *finished, last = query.words
        words = " AND ".join([*(_quote(word) + "*" if tier is Tier.WORD else _quote(word) for word in finished), f"{_quote(last)}*"])
        parts.insert(0, f"{{{_COLUMNS[tier]}}} : ({words})")
    return " AND ".join(part for part in parts if part)


def _name_statement(query: Query) -> TextClause:
    # Trigrams of names hold no facets; the rows say the same. The numbers are ids.
    alternatives = list(map(_condition, query.any_of))
    if query.ids:
        alternatives.append("package.id IN (SELECT value FROM json_each(:ids))")
    any_of = " OR ".join(alternatives) or "0"
    all_of = " AND ".join(map(_condition, query.all_of)) or "1"
    return text(_FIND_NAME.format(any_of=any_of, all_of=all_of))


def _condition(facet: str) -> str:
    if facet == PUBLIC:
        return "package.visibility = 'public'"
    namespace = f"package.namespace_id = {int(facet[1:])}"
    return namespace if facet[0] == "n" else f"({namespace} AND package.visibility <> 'private')"


def _facets(query: Query) -> str:
    groups = [query.any_of, *((facet,) for facet in query.all_of), query.kinds]
    return " AND ".join("facets : (" + " OR ".join(map(_quote, group)) + ")" for group in groups if group)


def _quote(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'
