"""``carrel env update``."""

from __future__ import annotations

from carrel.cli.commands.env.changing import command_on_names
from carrel.environments import Change

command = command_on_names("Update packages.", lambda names: Change(update=names), "carrel env update pandas --pin 'numpy<2'")
