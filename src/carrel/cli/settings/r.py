"""R: a marked block of ``.Rprofile`` that adds a repository."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from carrel.cli.settings.source import Change, Source, home


def files(environ: Mapping[str, str], _source: Source) -> list[tuple[Path, Change]]:
    """Return ``R_PROFILE_USER``, else the person's ``.Rprofile``."""
    named = environ.get("R_PROFILE_USER")
    return [(Path(named) if named else home(environ) / ".Rprofile", change)]


def change(text: str, source: Source) -> str:
    """Write the block of the namespace, in the place of an earlier one, else at the end."""
    name, url = json.dumps(source.name), json.dumps(source.r_repository)
    others = "" if source.only else f', getOption("repos")[setdiff(names(getOption("repos")), {name})]'
    block = (
        f"# >>> carrel {source.name} >>>\n"
        "# Written by 'carrel configure'; 'carrel configure --undo' takes it out.\n"
        f"options(repos = c({name} = {url}{others}))\n"
        f"# <<< carrel {source.name} <<<\n"
    )
    marked = re.compile(rf"^# >>> carrel {re.escape(source.name)} >>>\n.*?^# <<< carrel {re.escape(source.name)} <<<\n?", re.M | re.S)
    if marked.search(text):
        return marked.sub(lambda _match: block, text, count=1)
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return text + gap + block
