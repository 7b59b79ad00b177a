"""``carrel env capture``."""

from __future__ import annotations

from pathlib import Path

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import cancellable, count, progress
from carrel.cli.places import active_prefix, source_options, sources_for_capture
from carrel.environments import capture, environment_file, environment_yml
from carrel.environments.files import write_atomically

_ANSWER = {
    "prefix": "Folder of the environment.",
    "kind": "`conda` or `venv`.",
    "platform": "As conda names it.",
    "python_version": "Empty without Python.",
    "conda": "Number of conda packages.",
    "pypi": "Number of Python packages from indexes.",
    "digest": "SHA-256 of what is locked: equal environments have equal ones.",
    "problems": "What could not be locked: objects with `name`, `code` and `message`.",
    "file": "The written file, or null.",
    "content": "The lock itself when no file was written, or null.",
}


@subcommand(_ANSWER)
@click.argument("prefix", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="File or folder to write to (default: standard output)."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["lock", "environment.yml"]),
    default="lock",
    show_default=True,
    help="The exact lock, or what was asked for at the versions it has.",
)
@source_options
def command(
    invocation: Invocation,
    prefix: Path | None,
    output: Path | None,
    form: str,
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> None:
    """Write the exact lock of an environment.

    The lock of a conda environment is a conda-lock.yml, that of a venv a pylock.toml. Every package is named with its address
    and digest; what cannot be locked is told.
    """
    prefix = prefix or active_prefix()
    sources = sources_for_capture(invocation, channels, indexes)
    with cancellable() as cancel, progress(invocation) as show:
        lock = capture(prefix, sources, on_event=show, cancel=cancel)
    filename, content = environment_file(lock)
    if form == "environment.yml":
        filename, content = "environment.yml", environment_yml(lock).encode()
    if output is not None:
        if output.is_dir():
            output = output / filename
        write_atomically(output, content)
    for problem in lock.problems:
        invocation.warn(problem.message)
    document = {
        "prefix": str(prefix),
        "kind": lock.kind.value,
        "platform": lock.platform,
        "python_version": lock.python_version,
        "conda": len(lock.conda),
        "pypi": len(lock.pypi),
        "digest": lock.digest,
        "problems": [{"name": problem.name, "code": problem.code, "message": problem.message} for problem in lock.problems],
        "file": str(output) if output else None,
        "content": None if output else content.decode(),
    }
    told = f"Wrote {output} with {count(len(lock.conda) + len(lock.pypi), 'package')}." if output else content.decode().rstrip("\n")
    invocation.answer(document, told)
