"""Write docs/reference/command.md from the commands themselves: ``python docs/command_reference.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from carrel.cli.exits import MEANINGS
from carrel.cli.invocation import Command
from carrel.cli.main import cli

PAGE = Path(__file__).parent / "reference" / "command.md"
WIDTH = 80

INTRODUCTION = """# The carrel command

<!-- Written by docs/command_reference.py; change the commands and run it again. -->

`pip install carrel` brings it. Sign in once with `carrel login --hub ADDRESS`; every command then uses that hub, unless
`--hub` or the variable `CARREL_HUB_URL` names another.

Answers go to standard output; progress, remarks, questions and errors to standard error. With `--json` the answer is one
JSON document with the members listed below. Members are added now and then, and never renamed or removed. A command that
fails says so in one sentence; with `--json` it prints `{"error": {"code", "status", "detail", …}}` as well, where `code` is
stable. `--debug`, or the variable `CARREL_DEBUG`, shows where an error comes from.

Colours and bars are shown on a terminal alone, and colours never where `NO_COLOR` is set.
"""

VARIABLES = {
    "CARREL_HUB_URL": "Address of the hub, in place of the one signed in to last.",
    "CARREL_TOKEN": "Token for that hub, in place of the kept one. It is sent to no other hub.",
    "CARREL_CONFIG_DIR": "Folder of kept tokens, and of what 'carrel configure' can undo.",
    "CARREL_DATA_DIR": "Folder of rebuilt environments.",
    "CARREL_CACHE_DIR": "Folder of downloaded packages.",
    "CARREL_CHANNELS": "conda channels, separated by spaces, in place of `conda-forge`.",
    "CARREL_INDEXES": "PyPI indexes (simple API), separated by spaces, in place of PyPI.",
    "CARREL_DEBUG": "Any value shows where errors come from.",
    "NO_COLOR": "Any value switches colours off.",
}

COMPLETION = """## Completion

The shell completes commands and options after one line in its start file:

```sh
eval "$(_CARREL_COMPLETE=bash_source carrel)"    # ~/.bashrc
eval "$(_CARREL_COMPLETE=zsh_source carrel)"     # ~/.zshrc
_CARREL_COMPLETE=fish_source carrel | source     # ~/.config/fish/completions/carrel.fish
```
"""


def commands(group: click.Group = cli, words: tuple[str, ...] = ("carrel",)) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words that call it, in the order of the help."""
    yield words, group
    context = click.Context(group, info_name=" ".join(words))
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, (*words, name))
        else:
            yield (*words, name), found


def help_of(words: tuple[str, ...], command: click.Command) -> str:
    """Return what ``--help`` prints."""
    context = click.Context(
        command, info_name=" ".join(words), terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=["-h", "--help"]
    )
    return command.get_help(context) + "\n"


def page() -> str:
    """Return the text of the page."""
    parts = [INTRODUCTION, "## Exit codes\n", "| code | meaning |", "|---|---|"]
    parts += [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()]
    parts += ["", "## Variables\n", "| variable | meaning |", "|---|---|"]
    parts += [f"| `{name}` | {meaning} |" for name, meaning in VARIABLES.items()]
    parts += ["", COMPLETION]
    for words, command in commands():
        level = "##" if len(words) <= 2 else "###"
        parts += [f"{level} {' '.join(words)}\n", f"```text\n{help_of(words, command)}```\n"]
        if isinstance(command, Command) and command.json_answer:
            parts += ["| JSON | meaning |", "|---|---|"]
            parts += [f"| `{name}` | {meaning} |" for name, meaning in command.json_answer.items()]
            parts += [""]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
