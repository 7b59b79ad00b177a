"""uv: an ``[[index]]`` in the person's ``uv.toml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carrel.cli.settings.source import Change, Source, damaged, home, user_config


def files(environ: Mapping[str, str], _source: Source) -> list[tuple[Path, Change]]:
    """Return ``UV_CONFIG_FILE``, else the person's ``uv.toml``."""
    if path := environ.get("UV_CONFIG_FILE"):
        return [(Path(path), change)]
    folder = Path(environ.get("APPDATA") or home(environ)) if os.name == "nt" else user_config(environ)
    return [(folder / "uv" / "uv.toml", change)]


def change(text: str, source: Source) -> str:
    """Make the index the first that uv asks; a name it has is not looked for in the next ones."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise damaged("uv.toml", error) from error
    indexes: Any = document.get("index")
    inline = indexes is not None and not isinstance(indexes, tomlkit.items.AoT)
    wanted: dict[str, Any] = {"name": source.name, "url": source.python_index, **({"default": True} if source.only else {})}
    others = [entry for entry in indexes or [] if not source.is_own("pypi", str(entry.get("url", "")))]
    if any(entry.get("name") == wanted["name"] for entry in others):
        wanted["name"] = f"hub-{source.name}"
    if source.only:
        others = []
    if indexes is not None and [dict(entry) for entry in indexes] == [wanted, *(dict(entry) for entry in others)]:
        return text
    table: Any = tomlkit.inline_table() if inline else tomlkit.table()
    table.update(wanted)
    made: Any = tomlkit.array() if inline else tomlkit.aot()
    for entry in (table, *others):
        made.append(entry)
    if indexes is None:
        document.add("index", made)
    else:
        document["index"] = made
    return tomlkit.dumps(document)
