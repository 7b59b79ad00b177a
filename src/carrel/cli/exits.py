"""Exit codes, and errors as people and programs read them."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any

import click

from carrel.core.errors import CarrelError


class Exit(IntEnum):
    """What the exit code says. The numbers are a promise."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    SIGN_IN = 4
    CONFLICT = 5
    CANCELLED = 130


MEANINGS: dict[Exit, str] = {
    Exit.OK: "Done.",
    Exit.FAILURE: "It failed: the hub cannot be reached, a file is not what it claims to be, nothing satisfies a request, "
    "an environment has problems …",
    Exit.USAGE: "The command line cannot be understood, or an answer is needed and nobody can be asked.",
    Exit.NOT_FOUND: "What was named does not exist, or may not be seen by you.",
    Exit.SIGN_IN: "Sign in, or ask for the permission.",
    Exit.CONFLICT: "It contradicts what is there: a name is taken, something changed meanwhile or is in use.",
    Exit.CANCELLED: "Cancelled by Ctrl-C or by the answer to a question. What was there before is intact.",
}

_BY_STATUS = {
    401: Exit.SIGN_IN,
    403: Exit.SIGN_IN,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    423: Exit.CONFLICT,
    499: Exit.CANCELLED,
}


def exit_code(error: CarrelError) -> Exit:
    """Return the exit code of *error*."""
    return _BY_STATUS.get(error.status, Exit.FAILURE)


def problem_json(error: CarrelError) -> dict[str, Any]:
    """Return *error* as a member of an answer."""
    return {key: value for key, value in error.to_problem().items() if key not in ("type", "title")}


def error_json(error: CarrelError) -> dict[str, Any]:
    """Return *error* as ``--json`` shows it."""
    return {"error": problem_json(error)}


def report(error: CarrelError, *, as_json: bool) -> Exit:
    """Tell of *error*: a sentence on standard error, and with ``--json`` the problem on standard output."""
    if as_json:
        click.echo(json.dumps(error_json(error), indent=2, ensure_ascii=False, default=str))
    complain(error.detail)
    ways = [way for way in error.fields.get("ways_out") or () if "command" in way]
    if ways:
        click.echo("What is possible instead:", err=True)
    for way in ways:
        click.echo(f"  {way['text']}\n    {way['command']}", err=True)
    return exit_code(error)


def complain(sentence: str) -> None:
    """Write *sentence* to standard error as an error."""
    click.echo(click.style("Error: ", fg="red", bold=True) + sentence, err=True)
