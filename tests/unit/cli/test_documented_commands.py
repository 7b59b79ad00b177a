"""Every ``carrel …`` in the documentation is a command with those options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from cli_process import find_command

from carrel.cli.invocation import Command
from carrel.cli.main import cli

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [*sorted((ROOT / "docs" / "howto").glob("*.md")), ROOT / "README.md", ROOT / "docs" / "tutorial" / "first-steps.md"]
INLINE = re.compile(r"`(carrel [a-z][^`]*)`")
LINE = re.compile(r"^(?:\$ )?(carrel [a-z][^#\n]*)", re.MULTILINE)
ELSEWHERE = {"hub", "demo"}  # they become other programs


def calls(text: str) -> list[str]:
    return [*INLINE.findall(text), *LINE.findall("\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documented_calls_exist(document: Path) -> None:
    for call in calls(document.read_text("utf-8")):
        words = shlex.split(call.replace("…", ""))[1:]
        if words[0] in ELSEWHERE:
            continue
        found = cli.get_command(click.Context(cli), words[0])
        assert found is not None, call
        if isinstance(found, click.Group):
            if len(words) == 1:
                continue
            assert words[1] in found.list_commands(click.Context(found)), call
        command = find_command(words)
        assert isinstance(command, Command), call
        options = {option for parameter in command.params for option in parameter.opts}
        unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in options | {"--help"}]
        assert unknown == [], call


def test_something_is_looked_at() -> None:
    assert sum(len(calls(document.read_text("utf-8"))) for document in DOCUMENTS) > 40
