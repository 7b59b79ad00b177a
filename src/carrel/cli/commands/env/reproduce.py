"""``carrel env reproduce``."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

import click

from carrel.cli.commands.env import making
from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import cancellable, progress
from carrel.cli.places import source_options
from carrel.client.credentials import normalize_hub_url
from carrel.client.references import Reference
from carrel.core.errors import BadRequest, Conflict
from carrel.environments.elsewhere import Elsewhere, platform_mismatch, solve_elsewhere
from carrel.environments.environment_files import read_environment_file
from carrel.environments.locations import current_platform
from carrel.environments.models import Origin
from carrel.formats.environment.lock import LockSet

_ANSWER = {
    **making.ANSWER,
    "solved": "What differs from the lock, when it was solved anew for this platform: an object with `platform`, `captured_on`, "
    "`solved_as_of`, `packages`, `download_bytes`, `versions`, `builds`, `missing`, `extra` and `problems`; otherwise null.",
}
_EXAMPLES = (
    "carrel env reproduce conda-lock.yml",
    "carrel env reproduce analysis.ipynb --kernel",
    "carrel env reproduce pixi.lock --prefix ./env --kernel=analysis",
    "carrel env reproduce conda-lock.yml --solve",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("lock", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-p",
    "--prefix",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder of the environment (default: one of its own, shared by all who need exactly the same).",
)
@making.kernel_option
@click.option("--solve", is_flag=True, help="Where the lock is for other platforms: solve it anew for this one, as of when it was made.")
@click.option("-y", "--yes", is_flag=True, help="With --solve, do it without asking.")
@click.option("--replace", "replace_changed", is_flag=True, help="Replace an environment that was built there and changed since.")
@source_options
def command(
    invocation: Invocation,
    lock: Path,
    prefix: Path | None,
    kernel: str | None,
    solve: bool,
    yes: bool,
    replace_changed: bool,
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> None:
    """Build the environment of a lock, exactly.

    LOCK is a conda-lock.yml, pixi.lock, pylock.toml, uv.lock, a file with @EXPLICIT, or a notebook that was published or has a
    lock in it. Nothing is solved: exactly the locked files are installed, each compared with its digest; copies on your hub are
    taken first, and other channels and indexes are tried for what is gone. When the same environment was built before, it is
    there at once.
    """
    began = time.monotonic()
    locks = _read(invocation, lock)
    chosen = locks.for_platform(current_platform()) or next((one for one in locks.locks if not one.platform), None)
    solved: Elsewhere | None = None
    if chosen is None:
        if not solve:
            raise platform_mismatch(lock.name, locks.platforms)
        sources, _ = making.sources_for_rebuild(invocation, channels, indexes)
        with cancellable() as cancel, progress(invocation) as show:
            solved = solve_elsewhere(locks, current_platform(), sources, on_event=show, cancel=cancel)
        chosen = solved.lock
        if not yes:
            told = [f"{lock.name} was captured on {solved.captured.platform}. For {current_platform()}:", *solved.lines()]
            told += [problem.message for problem in chosen.problems]
            for line in told:
                click.echo(line, err=True)
            invocation.confirm("Build this?")
    place = making.place_of(chosen, prefix)
    try:
        made = making.build(
            invocation,
            chosen,
            place,
            channels=channels,
            indexes=indexes,
            origin=Origin(f"rebuilt from {lock.name}", (f"rebuild {lock.absolute()}",), "carrel env"),
            reference=str(lock.absolute()),
            replace_changed=replace_changed,
        )
    except Conflict as error:
        if error.fields.get("remedy") == "replace":
            error.detail += " Add --replace to replace it."
        raise
    making.answer(invocation, made, began=began, kernel=kernel, solved=solved.to_json() if solved else None)


def _read(invocation: Invocation, path: Path) -> LockSet:
    """Return the locks in a file; of a published notebook, those it was published with.

    Raises
    ------
    BadRequest
        The file says what is wanted, not what exactly (code ``not_a_lock``).
    """
    if path.suffix == ".ipynb" and (reference := _publication(invocation, path)) is not None:
        from carrel.sharing.reproduce import fetch

        published = fetch(invocation.client_for(reference), reference).locks
        if published is not None:
            return published
    found = read_environment_file(path, platform=current_platform())
    if not isinstance(found, LockSet):
        raise BadRequest(
            f"{path.name} says what is wanted, not exactly which packages. Make an environment of it with "
            f"'carrel env create -f {path.name}', or a lock with 'carrel env lock'.",
            code="not_a_lock",
        )
    return found


def _publication(invocation: Invocation, path: Path) -> Reference | None:
    """Return the publication that a notebook says it is a copy of, if it was published with its environment."""
    from carrel.sharing import notebook as notebooks

    try:
        notebook: Any = json.loads(path.read_bytes())
    except ValueError:
        return None
    said = notebooks.publication(notebook) if isinstance(notebook, dict) else {}
    parts = [said.get(key) for key in ("owner", "name", "version", "hub")]
    if not all(isinstance(part, str) and part for part in parts) or not said.get("environment"):
        return None
    namespace, name, version, hub = map(str, parts)
    reference = Reference.parse(f"{namespace}/{name}@{version}")
    known = invocation.known_hub()
    if known is None or normalize_hub_url(hub) != known:
        # what a file says must not choose whom packages are fetched from
        raise BadRequest(
            f"{path.name} was published on another hub than yours, {hub[:200]}. If you trust that one: "
            f"carrel reproduce {shlex.quote(reference.page(hub))}",
            code="other_hub",
        )
    return reference
