"""``carrel env``."""

from __future__ import annotations

import click

from carrel.cli.lazy import Lazy, LazyGroup

_HERE = "carrel.cli.commands.env"

COMMANDS: dict[str, Lazy] = {
    "list": Lazy(f"{_HERE}.list", "List the environments of this machine: size, last use, and who uses them."),
    "show": Lazy(f"{_HERE}.show", "Show an environment and what is installed in it."),
    "plan": Lazy(f"{_HERE}.plan", "Show what a change would do, and change nothing."),
    "install": Lazy(f"{_HERE}.install", "Install packages."),
    "remove": Lazy(f"{_HERE}.remove", "Remove packages."),
    "update": Lazy(f"{_HERE}.update", "Update packages."),
    "history": Lazy(f"{_HERE}.history", "List the changes of an environment."),
    "undo": Lazy(f"{_HERE}.undo", "Go back to an earlier state of an environment."),
    "export": Lazy(f"{_HERE}.export", "Write an environment as a file for other tools."),
    "diff": Lazy(f"{_HERE}.diff", "Compare the packages of two environments, revisions or locks."),
    "lock": Lazy(f"{_HERE}.lock", "Write exact locks of an environment, or of what a file asks for."),
    "create": Lazy(f"{_HERE}.create", "Create an environment."),
    "reproduce": Lazy(f"{_HERE}.reproduce", "Build the environment of a lock, exactly."),
    "doctor": Lazy(f"{_HERE}.doctor", "Find out what is wrong with an environment, and repair it."),
    "clean": Lazy(f"{_HERE}.clean", "Remove environments that nobody uses any more."),
}


@click.group("env", cls=LazyGroup, lazy=COMMANDS)
def command() -> None:
    """Look into environments, create, change, lock and reproduce them.

    Changes are shown before they are made, made whole or not at all, and can be undone. Commands without a folder mean the
    active environment.
    """
