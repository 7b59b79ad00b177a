"""Locks as files for people and other programs."""

from __future__ import annotations

from carrel.formats.environment import dump_lock
from carrel.formats.environment import environment_yml as environment_yml_format
from carrel.formats.environment.lock import Lock


def environment_yml(lock: Lock, name: str = "") -> str:
    """Return *lock* as ``environment.yml``: what was asked for, at the versions it has."""
    return environment_yml_format.write(environment_yml_format.from_lock(lock, name)).decode()


def environment_file(lock: Lock) -> tuple[str, bytes]:
    """Return the name and content of the exact lock: ``conda-lock.yml`` or ``pylock.toml``."""
    return dump_lock(lock)
