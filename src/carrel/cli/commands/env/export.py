"""``carrel env export``."""

from __future__ import annotations

import stat
from pathlib import Path

import click

from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.output import cancellable, count, progress
from carrel.cli.places import EnvironmentFolder, active_prefix, prefix_option, source_options, sources_for_capture, which_folder
from carrel.core.errors import Conflict
from carrel.environments import capture, inspect
from carrel.environments.files import write_atomically
from carrel.formats.environment import writing
from carrel.formats.environment.notebook_writing import FORMS

_ANSWER = {
    "prefix": "Folder of the environment.",
    "format": "Name of the format.",
    "platform": "As conda names it.",
    "python_version": "Empty without Python.",
    "conda": "Number of conda packages in the environment.",
    "pypi": "Number of Python packages from indexes.",
    "digest": "SHA-256 of what is installed: equal environments have equal ones.",
    "problems": "What other machines cannot get: objects with `name`, `code`, `message` and `remedy`.",
    "file": "The written file, or null.",
    "content": "What would be in it when no file was written, or null.",
}
_EXAMPLES = (
    "carrel env export -o environment.yml",
    "carrel env export --format requirements.txt",
    "carrel env export ./env --format explicit -o explicit.txt",
    "carrel env export --notebook analysis.ipynb --into analysis.ipynb",
    "carrel env export --from-history -o environment.yml",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("folder", required=False, metavar="[PREFIX]", type=EnvironmentFolder())
@prefix_option
@click.option("--format", "form", type=click.Choice(list(writing.FORMATS)), help="The format (default: what the name of the file says).")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="File or folder to write (default: standard output).")
@click.option(
    "--into",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Script or notebook to write it into; everything else in it stays as it is.",
)
@click.option(
    "--as",
    "notebook_form",
    type=click.Choice(list(FORMS)),
    help="How to write in a notebook (default: script, or conda for conda packages).",
)
@click.option("--name", default="", help="Name of the environment in the file (default: that of the environment).")
@click.option("--from-history", is_flag=True, help="Only what was asked for, as it was asked for.")
@click.option("--no-builds", is_flag=True, help="conda packages with their versions alone.")
@source_options
def command(
    invocation: Invocation,
    folder: Path | None,
    prefix: Path | None,
    form: str | None,
    output: Path | None,
    into: Path | None,
    notebook_form: str | None,
    name: str,
    from_history: bool,
    no_builds: bool,
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> None:
    """Write an environment as a file for other tools.

    Locks (conda-lock, pixi.lock, explicit, pylock.toml, requirements.txt) name every package with its digest; environment.yml,
    pixi.toml, scripts and notebooks are solved again by who reads them. PREFIX is a folder or a name; by default it is the active
    environment.
    """
    form = form or _format(output, into)
    known = writing.FORMATS[form]
    if into is not None and not known.into:
        usage(f"--into is for scripts and notebooks, and {form} is a file of its own. Use -o.")
    if notebook_form and form != "notebook":
        usage("--as is for notebooks.")
    environment = inspect(which_folder(folder, prefix) or active_prefix())
    sources = sources_for_capture(invocation, channels, indexes)
    with cancellable() as cancel, progress(invocation) as show:
        lock = capture(environment.prefix, sources, on_event=show, cancel=cancel)
    options = writing.Options(
        name=name or environment.name,
        builds=not no_builds,
        from_history=from_history,
        into=into.read_bytes() if into is not None else None,
        form=notebook_form or "",
    )
    filename, content = writing.write(lock, form, options)
    target = output / filename if output is not None and output.is_dir() else output or into
    if target is not None:
        _write(target, content, before=options.into if target == into else None)
    for problem in lock.problems:
        invocation.warn(problem.message)
    document = {
        "prefix": str(environment.prefix),
        "format": form,
        "platform": lock.platform,
        "python_version": lock.python_version,
        "conda": len(lock.conda),
        "pypi": len(lock.pypi),
        "digest": lock.digest,
        "problems": [
            {"name": problem.name, "code": problem.code, "message": problem.message, "remedy": problem.remedy} for problem in lock.problems
        ],
        "file": str(target) if target else None,
        "content": None if target else content.decode(),
    }
    told = f"Wrote {target}: {count(len(lock.conda) + len(lock.pypi), 'package')}." if target else content.decode().rstrip("\n")
    invocation.answer(document, told)


def _write(target: Path, content: bytes, before: bytes | None) -> None:
    """Write *target*: the file that a link leads to, with the permissions that it has.

    Raises
    ------
    Conflict
        It no longer holds *before* (code ``changed_meanwhile``): somebody saved it at this very time.
    """
    place = target.resolve()
    try:
        mode = stat.S_IMODE(place.stat().st_mode)
        if before is not None and place.read_bytes() != before:
            raise Conflict(f"{target} was changed just now. Nothing was written: try again.", code="changed_meanwhile")
    except FileNotFoundError:
        mode = None
    if content == before:
        return  # a notebook that is open elsewhere need not be loaded again
    write_atomically(place, content)
    if mode is not None:
        place.chmod(mode)


def _format(output: Path | None, into: Path | None) -> str:
    """Return the format that the files on the command line are of; without any, what conda writes."""
    for path in (output, into):
        if path is not None and not path.is_dir():
            found = writing.format_of(path.name)
            if found is None:
                usage(f"The name {path.name!r} does not tell the format. Add --format.")
            return found
    return "environment.yml"
