"""``carrel env remove``."""

from __future__ import annotations

from carrel.cli.commands.env.changing import command_on_names
from carrel.environments import Change

command = command_on_names("Remove packages.", lambda names: Change(remove=names), "carrel env remove scipy --dry-run")
