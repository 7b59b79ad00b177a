"""What creating and reproducing share: where an environment goes, its kernels, building it, and telling how to use it."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from carrel.cli.invocation import Invocation, usage
from carrel.cli.output import cancellable, count, progress
from carrel.cli.places import configured, hub_channel, hub_headers, hub_index
from carrel.core.errors import CarrelError, NotFound
from carrel.core.progress import OnProgress, Progress
from carrel.environments import Environment, Sources, already_built, environment_folder, install_kernelspecs, rebuild
from carrel.environments.locations import environments_folder
from carrel.environments.models import Origin
from carrel.formats.environment.lock import Lock

F = TypeVar("F", bound=Callable[..., Any])
ANSWER = {
    "prefix": "Folder of the environment.",
    "kind": "`conda` or `venv`.",
    "python_version": "Empty without Python.",
    "packages": "Number of packages.",
    "digest": "SHA-256 of what is locked; null for a copy.",
    "built": "Whether it was built now; false when it was there.",
    "seconds": "How long that took.",
    "kernels": "Names of the kernels that were set up.",
    "warnings": "What to know about it, as sentences.",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


@dataclass
class Made:
    """An environment that is there now.

    Attributes
    ----------
    packages : int
        How many are in it.
    digest : str or None
        Of what is locked; None for a copy.
    built : bool
        Whether it was built now.
    warnings : list of str
        What to know about it, as sentences.
    """

    environment: Environment
    packages: int
    digest: str | None = None
    built: bool = True
    warnings: list[str] = field(default_factory=list)


def kernel_option(function: F) -> F:
    """Add ``--kernel[=NAME]``; the command gets an empty name for the environment's own, None without the option."""
    return click.option(
        "--kernel",
        is_flag=False,
        flag_value="",
        default=None,
        metavar="[NAME]",
        help="Offer it in Jupyter, under this name (default: that of the environment), with a kernel for each of its languages.",
    )(function)


def folder_of(name: str) -> Path:
    """Return where the environment *name* lives among those that are made here."""
    if not _NAME.match(name):
        usage(f"{name!r} cannot be the name of an environment: use letters, digits, '-', '_' and '.'. A folder is named with --prefix.")
    return environments_folder() / name


def place_of(lock: Lock, prefix: Path | None) -> Path:
    """Return *prefix*, else the folder that everybody shares who needs the same as *lock*."""
    return (prefix or environment_folder(lock)).absolute()


def sources_for_rebuild(invocation: Invocation, channels: Sequence[str], indexes: Sequence[str]) -> tuple[Sources, list[str]]:
    """Return where archives are looked for beside their own addresses, and the addresses of hubs, which are asked first."""
    chosen_channels, chosen_indexes = configured(channels, indexes)
    hub = invocation.known_hub()
    own: list[str] = []
    if hub is not None and invocation.token(hub):
        try:
            own = [namespace.name for namespace in invocation.client().whoami().namespaces]
        except CarrelError as error:
            invocation.warn(f"Copies on your hub are not looked for. {error.detail}")
    sources = Sources(
        tuple(dict.fromkeys([*(hub_channel(str(hub), name) for name in own), *chosen_channels])),
        tuple(dict.fromkeys([*(hub_index(str(hub), name) for name in own), *chosen_indexes])),
        hub_headers(invocation),
    )
    return sources, [hub] if hub else []


def chosen_sources(invocation: Invocation, channels: Sequence[str], indexes: Sequence[str]) -> Sources:
    """Return the chosen channels and indexes, else the default ones, with how to sign in to the hub."""
    return Sources(*configured(channels, indexes), hub_headers(invocation))


def build(
    invocation: Invocation,
    lock: Lock,
    prefix: Path,
    *,
    channels: Sequence[str] = (),
    indexes: Sequence[str] = (),
    origin: Origin,
    reference: str = "",
    replace_changed: bool = False,
) -> Made:
    """Build the environment of *lock*, or find it there."""
    told: list[str] = []
    built = not already_built(lock, prefix)
    sources, hubs = sources_for_rebuild(invocation, channels, indexes) if built else (Sources(), [])
    with cancellable() as cancel, progress(invocation) as show:
        environment = rebuild(
            lock,
            prefix,
            sources=sources,
            hubs=hubs,
            reference=reference,
            replace_changed=replace_changed,
            origin=origin,
            on_event=_keeping(show, told),
            cancel=cancel,
        )
    return Made(environment, len(lock.conda) + len(lock.pypi), lock.digest, built, told)


def _keeping(show: OnProgress, warnings: list[str]) -> OnProgress:
    def note(report: Progress) -> None:
        if report.stage == "warning":
            warnings.append(report.message)
        else:
            show(report)

    return note


def give_kernels(prefix: Path, kernel: str | None) -> list[str]:
    """Make the kernels that ``--kernel`` asks for; return their names."""
    if kernel is None:
        return []
    from jupyter_core.paths import jupyter_data_dir

    shown = kernel or (prefix.parent.name if prefix.name.startswith(".") else prefix.name)
    name = re.sub(r"[^a-z0-9._-]+", "-", shown.lower()).strip("-.") or "environment"
    return [folder.name for folder in install_kernelspecs(prefix, name, shown, user_data_folder=Path(jupyter_data_dir()))]


def answer(invocation: Invocation, made: Made, *, began: float, kernel: str | None, **more: Any) -> None:
    """Set the kernels up and tell where everything is; *more* are further members of the answer."""
    environment, told = made.environment, list(made.warnings)
    try:
        kernels = give_kernels(environment.prefix, kernel)
    except NotFound as error:
        kernels = []
        told.append(error.detail)
    for text in told:
        invocation.warn(text)
    seconds = time.monotonic() - began
    document = {
        "prefix": str(environment.prefix),
        "kind": environment.kind,
        "python_version": environment.python_version,
        "packages": made.packages,
        "digest": made.digest,
        "built": made.built,
        "seconds": round(seconds, 2),
        "kernels": kernels,
        "warnings": told,
        **more,
    }
    done = f"{environment.prefix} was there ({seconds:.1f} s)."
    if made.built:
        done = f"Built {environment.prefix} with {count(made.packages, 'package')} in {seconds:.1f} s."
    lines = [done, f"  Use it with        {how_to_use(environment)}"]
    lines += [f"  In Jupyter         kernel {name}" for name in kernels]
    lines += [] if kernels or kernel is not None else ["  Offer it in Jupyter with the option --kernel."]
    invocation.answer(document, lines)


def how_to_use(made: Environment) -> str:
    """Return the line that activates an environment."""
    folder = shlex.quote(str(made.prefix))
    if made.kind == "conda":
        return f"conda activate {folder}"
    return f"{folder}\\Scripts\\activate" if os.name == "nt" else f"source {folder}/bin/activate"
