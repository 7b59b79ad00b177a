"""Locks as files for people and other programs."""

from __future__ import annotations

from carrel.formats.environment import dump_lock, writing
from carrel.formats.environment import environment_yml as environment_yml_format
from carrel.formats.environment.lock import Lock, LockKind, LockSet


def environment_yml(lock: Lock, name: str = "") -> str:
    """Return *lock* as ``environment.yml``: what was asked for, at the versions it has."""
    return environment_yml_format.write(environment_yml_format.from_lock(lock, name)).decode()


def environment_file(lock: Lock) -> tuple[str, bytes]:
    """Return the name and content of the exact lock: ``conda-lock.yml`` or ``pylock.toml``."""
    return dump_lock(lock)


def environment_files(locks: LockSet) -> dict[str, bytes]:
    """Return the files of locks for several platforms, by name: one ``conda-lock.yml``, or a ``pylock.<platform>.toml`` for each."""
    first = locks.locks[0]
    if len(locks.locks) == 1:
        return dict([dump_lock(first)])
    if first.kind is LockKind.VENV:
        return {f"pylock.{lock.platform}.toml": writing.write(lock, "pylock.toml")[1] for lock in locks.locks}
    return dict([writing.write(locks, "conda-lock")])
