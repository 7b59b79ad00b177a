"""Where packages come from, and which environment is meant."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from carrel.cli.invocation import Invocation, usage
from carrel.core.errors import CarrelError
from carrel.environments import Installed, Sources, Spec, find_prefix
from carrel.environments.locations import environments_folder

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_CHANNELS = ("conda-forge",)


def source_options(function: F) -> F:
    """Add ``--channel`` and ``--index``."""
    channel = click.option(
        "--channel",
        "channels",
        multiple=True,
        metavar="CHANNEL",
        envvar="CARREL_CHANNELS",
        help="conda channel, name or address, best first; may be repeated (default: conda-forge; variable CARREL_CHANNELS).",
    )
    index = click.option(
        "--index",
        "indexes",
        multiple=True,
        metavar="ADDRESS",
        envvar="CARREL_INDEXES",
        help="PyPI index (simple API), best first; may be repeated (default: PyPI; variable CARREL_INDEXES).",
    )
    return channel(index(function))


class EnvironmentFolder(click.Path):
    """The folder of an environment, or the name of one that was made here; with *files*, also a file."""

    def __init__(self, *, files: bool = False) -> None:
        # whether it is an environment shows when it is looked into
        super().__init__(file_okay=files, path_type=Path)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the folder."""
        return super().convert(named_folder(os.fspath(value)), param, ctx)


def named_folder(text: str) -> Path:
    """Return the folder that *text* is the path of; where no environment is there, that of the environment made here under this name."""
    folder = Path(text)
    named = environments_folder() / text
    is_name = folder.name == text and not any((folder / mark).exists() for mark in ("conda-meta", "pyvenv.cfg"))
    return named if is_name and named.is_dir() else folder


def prefix_words(prefix: Path) -> str:
    """Return what to add to a command so that it means the environment at *prefix*; empty when that is the active one."""
    with contextlib.suppress(click.UsageError, CarrelError):
        if active_prefix().resolve() == prefix.resolve():
            return ""
    return f" --prefix {shlex.quote(str(prefix))}"


def prefix_option(function: F) -> F:
    """Add ``--prefix`` and ``--notebook``. The command's ``prefix`` is the folder that either names, None when neither does."""

    @functools.wraps(function)
    def run(invocation: Invocation, *arguments: Any, prefix: Path | None, notebook: Path | None, **options: Any) -> Any:
        return function(invocation, *arguments, prefix=chosen_prefix(invocation, prefix, notebook), **options)

    folder = click.option(
        "-p",
        "--prefix",
        type=EnvironmentFolder(),
        metavar="FOLDER",
        help="The environment's folder, or the name that it was created with (default: the active environment).",
    )
    file = click.option(
        "--notebook",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="The environment that this notebook runs in: of its running kernel, else of the kernel that it names.",
    )
    return folder(file(cast(F, run)))


def chosen_prefix(invocation: Invocation, prefix: Path | None, notebook: Path | None) -> Path | None:
    """Return the environment that is named by its folder or by a notebook, None when neither is given."""
    if notebook is None:
        return prefix
    if prefix is not None:
        usage("Name the environment by its folder or by a notebook, not by both.")
    from carrel.environments.notebooks import environment_of_notebook

    found = environment_of_notebook(notebook)
    told = f"the kernel {found.kernel_name!r} that it names" if found.by == "kernelspec" else "its running kernel"
    invocation.note(f"{notebook.name}: {found.prefix}, the environment of {told}.")
    return found.prefix


def which_folder(folder: Path | None, prefix: Path | None) -> Path | None:
    """Return the environment of a command that takes it as an argument too."""
    if folder is not None and prefix is not None:
        usage("Name the environment once.")
    return folder or prefix


def configured(channels: Sequence[str], indexes: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the chosen channels and indexes, else the default ones."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return tuple(channels) or DEFAULT_CHANNELS, tuple(indexes) or (PYPI_SIMPLE_ENDPOINT,)


def hub_headers(invocation: Invocation, other_hub: str | None = None) -> dict[str, dict[str, str]]:
    """Return the headers with which packages are fetched from the hub, by address; from *other_hub* with the token kept for it."""
    headers: dict[str, dict[str, str]] = {}
    known = invocation.known_hub()
    for url, chosen in ((known, True), (other_hub, False)):
        if url is not None and f"{url}/" not in headers and (token := invocation.token(url, chosen=chosen)):
            headers[f"{url}/"] = {"Authorization": f"Bearer {token}"}
    return headers


def sources_for_capture(invocation: Invocation, channels: Sequence[str], indexes: Sequence[str]) -> Sources:
    """Return where the origin of installed packages is looked up: own namespaces with packages, then the channels and indexes."""
    chosen_channels, chosen_indexes = configured(channels, indexes)
    own: list[str] = []
    own_channels: list[str] = []
    url = invocation.known_hub()
    if url is not None and invocation.token(url):
        try:
            client = invocation.client()
            for namespace in client.whoami().namespaces:
                if next(client.packages(namespace.name, kind="pypi"), None) is not None:
                    own.append(hub_index(url, namespace.name))
                if next(client.packages(namespace.name, kind="conda"), None) is not None:
                    own_channels.append(hub_channel(url, namespace.name))
        except CarrelError as error:
            invocation.warn(f"The packages on your hub are left out. {error.detail}")
    return Sources((*own_channels, *chosen_channels), (*own, *chosen_indexes), hub_headers(invocation))


def sources_for_change(
    invocation: Invocation, channels: Sequence[str], indexes: Sequence[str], specs: Iterable[Spec], packages: Iterable[Installed]
) -> Sources:
    """Return where a change takes packages from: the places of *specs*, those of the hub that *packages* came from, the chosen ones."""
    chosen_channels, chosen_indexes = configured(channels, indexes)
    specs = list(specs)
    found_channels = dict.fromkeys(spec.channel for spec in specs if spec.channel)
    found_indexes = dict.fromkeys(spec.index for spec in specs if spec.index)
    hub = invocation.known_hub()
    for package in packages:
        address = package.channel.rstrip("/")
        if hub and address.startswith(f"{hub}/conda/"):
            found_channels.setdefault(address)
        elif hub and address.startswith(f"{hub}/pypi/"):
            found_indexes.setdefault(address + "/")
    found_channels.update(dict.fromkeys(chosen_channels))
    found_indexes.update(dict.fromkeys(chosen_indexes))
    return Sources(tuple(found_channels), tuple(found_indexes), hub_headers(invocation))


def hub_index(hub_url: str, namespace: str) -> str:
    """Return the PyPI index of a namespace."""
    return f"{hub_url}/pypi/{namespace}/simple/"


def hub_channel(hub_url: str, namespace: str) -> str:
    """Return the conda channel of a namespace."""
    return f"{hub_url}/conda/{namespace}"


def active_prefix(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the environment that is active: ``VIRTUAL_ENV``, ``CONDA_PREFIX``, or the one of ``python`` on the path."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if (value := environ.get(variable)) and Path(value).is_dir():
            return Path(value)
    for program in ("python3", "python"):
        if found := shutil.which(program, path=environ.get("PATH")):
            return find_prefix(found)
    usage("No environment is active. Activate one, or name its folder.")
