"""``carrel env rebuild``."""

from __future__ import annotations

from pathlib import Path

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import cancellable, count, progress
from carrel.cli.places import hub_headers
from carrel.core.errors import BadRequest
from carrel.environments import Sources, rebuild
from carrel.environments.locations import current_platform
from carrel.formats.environment import load_lock
from carrel.formats.environment.lock import Lock

_ANSWER = {
    "prefix": "Folder of the environment.",
    "kind": "`conda` or `venv`.",
    "python_version": "Empty without Python.",
    "packages": "Number of packages.",
    "digest": "SHA-256 of what is locked.",
}
_BY_SUFFIX = {".toml": "pylock.toml", ".yml": "conda-lock.yml", ".yaml": "conda-lock.yml"}


@subcommand(_ANSWER)
@click.argument("lock", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("prefix", type=click.Path(file_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Replace an environment that was rebuilt there and changed since.")
def command(invocation: Invocation, lock: Path, prefix: Path, replace: bool) -> None:
    """Build the environment of a lock.

    LOCK is a conda-lock.yml, a pylock.toml or a file with @EXPLICIT. Nothing is solved: exactly the locked files are
    installed, each compared with its digest. PREFIX is the folder of the new environment.
    """
    content = read(lock)
    with cancellable() as cancel, progress(invocation) as show:
        sources = Sources(headers=hub_headers(invocation))
        made = rebuild(content, prefix, sources=sources, replace_changed=replace, on_event=show, cancel=cancel)
    number = len(content.conda) + len(content.pypi)
    document = {
        "prefix": str(made.prefix),
        "kind": made.kind,
        "python_version": made.python_version,
        "packages": number,
        "digest": content.digest,
    }
    invocation.answer(document, f"Built {made.prefix} with {count(number, 'package')}.")


def read(path: Path) -> Lock:
    """Return the lock in a file; its form is told by the name, else by the suffix."""
    data = path.read_bytes()
    try:
        return load_lock(path.name, data, current_platform())
    except BadRequest as error:
        if error.code != "not_a_lock" or path.suffix not in _BY_SUFFIX:
            raise
    return load_lock(_BY_SUFFIX[path.suffix], data, current_platform())
