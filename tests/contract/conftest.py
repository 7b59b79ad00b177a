from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from carrel.database.engine import Database
from carrel.testing.rows import create_schema


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty hub database, once on each engine."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    else:
        database = Database(request.getfixturevalue("postgresql").url)
    create_schema(database)
    yield database
    database.dispose()
