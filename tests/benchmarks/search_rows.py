"""What search is measured on: rows of packages and notebooks, and what people type."""

from __future__ import annotations

import random

from sqlalchemy import insert

from carrel.core.clock import now
from carrel.hub.packages.models import import_name, package
from carrel.hub.search.facets import document_facets
from carrel.hub.search.index import Document
from carrel.hub.search.repository import SearchRepository

_WORDS = (
    "data array plot graph cloud stream image signal table model text search parse render solve fit cache queue index learn "
    "neural vision sparse tensor matrix geo climate protein genome audio video network async http json yaml config test lint"
).split()
_COMMON = "a python library for fast and simple tools to work with".split()


def load(connection, namespace_id: int, *, count: int, notebooks: bool = False) -> None:
    """Write packages with names, modules, summaries and (notebooks) texts, as their listener indexes them."""
    generator = random.Random(7)
    repository = SearchRepository(connection)
    kind = "notebook" if notebooks else "conda"
    rows, modules, documents = [], [], []
    for number in range(count):
        name = f"{generator.choice(_WORDS)}-{generator.choice(_WORDS)}-{number:x}"
        summary = " ".join(generator.choices(_COMMON, k=8) + generator.choices(_WORDS, k=4))
        body = " ".join(generator.choices(_WORDS, k=300)) if notebooks else ""
        key = 1_000_000 + number
        rows.append(
            {
                "id": key,
                "namespace_id": namespace_id,
                "name": name,
                "name_key": name,
                "canonical_name": name,
                "kinds": [kind],
                "summary": summary,
                "visibility": "public",
                "latest_version": "1.0",
                "created_at": now(),
                "updated_at": now(),
            }
        )
        module = name.replace("-", "_")
        modules.append({"package_id": key, "name": module})
        documents.append(Document(key, name, (module,), summary, body, document_facets(namespace_id, "public", [kind], published=True)))
    connection.execute(insert(package), rows)
    connection.execute(insert(import_name), modules)
    for document in documents:
        repository.put(document, new=True)


def queries(count: int) -> list[str]:
    """Return what is sent while people type: every beginning of names, words and phrases."""
    generator = random.Random(11)
    found: list[str] = []
    while len(found) < count:
        whole = generator.choice(
            [
                f"{generator.choice(_WORDS)}-{generator.choice(_WORDS)}",
                generator.choice(_WORDS),
                f"{generator.choice(_COMMON)} {generator.choice(_WORDS)}",
                f"{generator.choice(_WORDS)} {generator.choice(_WORDS)} {generator.choice(_COMMON)}",
                "umat",
                "nothing like it",
            ]
        )
        found.extend(whole[:length] for length in range(1, len(whole) + 1))
    return found[:count]
