"""The help texts, and the page of documentation made of them.

``python tests/golden/test_command.py`` writes them anew; read the difference before it is committed.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "cli"
REFERENCE: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "command_reference.py"))
COMMANDS: dict[str, tuple[tuple[str, ...], click.Command]] = {
    "-".join(words): (words, command) for words, command in REFERENCE["commands"]()
}


PAGES: dict[Path, str] = {
    **{GOLDEN / f"{name}.txt": REFERENCE["help_of"](*command) for name, command in COMMANDS.items()},
    REFERENCE["PAGE"]: REFERENCE["page"](),
}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_texts(path: Path) -> None:
    assert PAGES[path] == path.read_text("utf-8")


def test_no_help_text_is_left_over() -> None:
    assert set(GOLDEN.iterdir()) | {REFERENCE["PAGE"]} == set(PAGES)


if __name__ == "__main__":
    for folder in {path.parent for path in PAGES}:
        folder.mkdir(parents=True, exist_ok=True)
    for path, text in PAGES.items():
        path.write_text(text, encoding="utf-8")
