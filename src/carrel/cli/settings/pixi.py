"""pixi: its ``config.toml``, and the file of credentials that it shares with rattler.

The channel in ``default-channels`` is written into every new project, so it never holds a token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from carrel.cli.settings.source import Change, Source, damaged, first_existing, home, user_config

_DEFAULT = "conda-forge"  # what pixi uses where nothing is set


def files(environ: Mapping[str, str], source: Source) -> list[tuple[Path, Change]]:
    """Return pixi's settings, and the file of credentials when there is a token."""
    own = Path(environ["PIXI_HOME"]) if environ.get("PIXI_HOME") else home(environ) / ".pixi"
    found: list[tuple[Path, Change]] = [(first_existing(own / "config.toml", user_config(environ) / "pixi" / "config.toml"), change)]
    if source.token:
        kept = environ.get("RATTLER_AUTH_FILE")
        found.append((Path(kept) if kept else home(environ) / ".rattler" / "credentials.json", keep_token))
    return found


def change(text: str, source: Source) -> str:
    """Put the channel first among those of new projects, and the index among those for Python packages."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise damaged("pixi's config.toml", error) from error
    channels = [str(item) for item in document.get("default-channels") or [_DEFAULT]]
    url = source.address("conda")
    wanted = [url] if source.only else [url, *(item for item in channels if not source.is_own("conda", item))]
    if channels != wanted:
        document["default-channels"] = wanted
    if "pypi-config" not in document:
        document.add("pypi-config", tomlkit.table())
    pypi: Any = document["pypi-config"]
    index = source.python_index
    if source.only:
        if pypi.get("index-url") != index:
            pypi["index-url"] = index
        pypi.pop("extra-index-urls", None)
    else:
        extra = [str(item) for item in pypi.get("extra-index-urls") or []]
        indexes = [index, *(item for item in extra if not source.is_own("pypi", item))]
        if extra != indexes:
            pypi["extra-index-urls"] = indexes
    return tomlkit.dumps(document)


def keep_token(text: str, source: Source) -> str:
    """Add the token to the credentials of rattler, by host."""
    try:
        document = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise damaged("The file of rattler's credentials", error) from error
    host = urlsplit(source.hub_url).hostname or source.host
    if document.get(host) == {"BearerToken": source.token}:
        return text
    return json.dumps({**document, host: {"BearerToken": source.token}}, indent=2) + "\n"
