"""Groups whose commands are imported when they are called, so that ``--help`` and completion answer at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class Lazy(NamedTuple):
    """Where a command is: its module, whose attribute ``command`` it is, the line that lists it, and the heading above."""

    module: str
    summary: str
    section: str = "Commands"


class HelpfulGroup(click.Group):
    """A group that lists its commands as they were added and, asked for one that it does not have, names the likely one.

    Parameters
    ----------
    elsewhere : mapping of str to str
        Words that people know from other programs, and what is called instead.
    """

    def __init__(self, *args: Any, elsewhere: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.elsewhere = dict(elsewhere or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were added."""
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may be meant."""
        word = args[0]
        if self.get_command(ctx, word) is None and not word.startswith("-"):
            raise click.UsageError(self._unknown(ctx, word), ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; ``--list`` where a command ``list`` is meant is told of."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            word = error.option_name.lstrip("-")
            if found := self._likely(ctx, word):
                raise click.UsageError(f"There is no option {error.option_name}. Did you mean {found}?", ctx) from error
            raise

    def _unknown(self, ctx: click.Context, word: str) -> str:
        found = self._likely(ctx, word)
        hint = f" Did you mean {found}?" if found else f" {ctx.command_path!r} --help lists the commands.".replace("'", "")
        return f"There is no command {ctx.command_path} {word}.{hint}"

    def _likely(self, ctx: click.Context, word: str) -> str:
        if word in self.elsewhere:
            return self.elsewhere[word]
        from difflib import get_close_matches

        names = self.list_commands(ctx)
        plain = word.replace("_", "-")
        found = [plain] if plain in names else get_close_matches(plain, names, n=1, cutoff=0.6)
        return f"'{ctx.command_path} {found[0]}'" if found else ""


class LazyGroup(HelpfulGroup):
    """A group that knows its commands by name.

    Parameters
    ----------
    lazy : mapping of str to Lazy
        In the order in which they are listed.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command and return it."""
        if cmd_name not in self.lazy:
            return None
        found: click.Command = import_module(self.lazy[cmd_name].module).command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, under their headings, without importing them."""
        width = max(map(len, self.lazy), default=0)
        for section in dict.fromkeys(entry.section for entry in self.lazy.values()):
            with formatter.section(section):
                formatter.write_dl([(name.ljust(width), entry.summary) for name, entry in self.lazy.items() if entry.section == section])


def noun(name: str, commands: Iterable[click.Command], text: str, elsewhere: Mapping[str, str] | None = None) -> HelpfulGroup:
    """Return the group ``carrel NAME`` of *commands*, explained by *text*."""
    made = HelpfulGroup(name, help=text, elsewhere=elsewhere)
    for command in commands:
        made.add_command(command)
    return made
