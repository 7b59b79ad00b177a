"""``carrel env lock``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
from click.core import ParameterSource

from carrel.cli.commands.env.choosing import date_option, moment, part_options
from carrel.cli.invocation import Invocation, is_interactive, subcommand, usage
from carrel.cli.output import cancellable, count, progress
from carrel.cli.places import (
    EnvironmentFolder,
    active_prefix,
    configured,
    hub_channel,
    hub_headers,
    hub_index,
    prefix_option,
    source_options,
    sources_for_capture,
)
from carrel.core.errors import CarrelError, NotFound
from carrel.core.names import validate_namespace
from carrel.core.progress import CancelSignal, OnProgress
from carrel.environments import Policy, Sources, capture
from carrel.environments.environment_files import read_environment_file
from carrel.environments.exporting import environment_files
from carrel.environments.files import write_atomically
from carrel.environments.locations import current_platform
from carrel.environments.locking import check_platforms, for_platforms, lock
from carrel.environments.remedies import Remedied, can_be_carried_out, carry_out
from carrel.formats.environment import writing
from carrel.formats.environment.lock import Lock, LockKind, LockProblem, LockSet

_FORMATS = ("conda-lock", "pixi.lock", "pylock.toml", "explicit", "requirements.txt")
_ANSWER = {
    "prefix": "Folder of the environment, or null.",
    "source": "The file that was locked, or null.",
    "kind": "`conda` or `venv`.",
    "platform": "As conda names it; of the first lock.",
    "python_version": "Empty without Python.",
    "conda": "Number of conda packages of the first lock.",
    "pypi": "Number of Python packages of the first lock.",
    "digest": "SHA-256 of what the first lock holds: equal environments have equal ones.",
    "locks": "Objects with `platform`, `conda`, `pypi`, `digest`, `download_bytes`, `exclude_newer`, `virtual_packages` and `problems`.",
    "problems": "What the first lock cannot hold: objects with `name`, `code`, `message` and `remedy`.",
    "notes": "What the file says and the locks do not hold, as sentences.",
    "remedied": "What --remedy uploaded: objects with `name`, `version`, `filename`, `sha256` and `how`.",
    "files": "The written files.",
    "content": "The lock itself when no file was written, or null.",
}
_EXAMPLES = (
    "carrel env lock -o conda-lock.yml",
    "carrel env lock ./env --platform osx-arm64 --platform win-64 -o conda-lock.yml",
    "carrel env lock environment.yml --platform linux-64 --exclude-newer 2026-01-31",
    "carrel env lock ./env --remedy acme",
)
_HOW = {
    "build_wheel": "build a wheel and upload it",
    "upload_wheel": "upload its wheel",
    "copy_package": "upload the package",
}


@dataclass(frozen=True)
class _Parts:
    """Which parts of a project's file are meant; no groups means the default ones."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass
class _Made:
    """What was locked, and on the way uploaded."""

    locks: LockSet
    prefix: Path | None = None
    source: Path | None = None
    notes: tuple[str, ...] = ()
    remedied: list[Remedied] = field(default_factory=list)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("what", required=False, metavar="[PREFIX|FILE]", type=EnvironmentFolder(files=True))
@prefix_option
@click.option(
    "--platform", "platforms", multiple=True, metavar="NAME", help="Lock for this platform too, such as osx-arm64; may be repeated."
)
@part_options
@date_option
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="File or folder to write (default: standard output).")
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), help="The format (default: what the name of the file says, else the usual one)."
)
@click.option(
    "--remedy", metavar="NAMESPACE", help="Upload what exists on this machine alone to this namespace of the hub, and lock it there."
)
@click.option("--network", is_flag=True, help="Let builds of wheels fetch what they need from the indexes.")
@click.option("-y", "--yes", is_flag=True, help="Upload without asking.")
@source_options
@click.pass_context
def command(
    context: click.Context,
    invocation: Invocation,
    what: Path | None,
    prefix: Path | None,
    platforms: tuple[str, ...],
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    exclude_newer: str | None,
    output: Path | None,
    form: str | None,
    remedy: str | None,
    network: bool,
    yes: bool,
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> None:
    """Write exact locks of an environment, or of what a file asks for.

    Of an environment everything is written down as it is, with addresses and digests; for other platforms the same is solved as
    of the same moment, with the same versions where they exist. environment.yml, pixi.toml, pyproject.toml, requirements.txt,
    scripts and notebooks are solved. What other machines cannot get is told; --remedy brings it to the hub.
    """
    if what is not None and prefix is not None:
        usage("Name the environment once.")
    if what is not None and not what.exists():
        raise NotFound(f"There is no file and no environment {str(what)!r}.", code="file_not_found")
    if remedy is not None:
        validate_namespace(remedy)
    platforms = check_platforms(platforms)
    policy = Policy(exclude_newer=moment(exclude_newer))
    with cancellable() as cancel, progress(invocation) as show:
        if what is not None and what.is_file():
            if remedy:
                usage("--remedy is for environments: what a file asks for is not on this machine.")
            given = {name for name in ("channels", "indexes") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
            sources = Sources(*configured(channels, indexes), hub_headers(invocation))
            parts = _Parts(extras, groups)
            locks, notes = _of_file(what, parts, platforms, sources, policy, given, show, cancel)
            made = _Made(locks, source=what, notes=notes)
        else:
            if extras or groups:
                usage("--extra and --group are for files.")
            folder = what or prefix or active_prefix()
            sources = sources_for_capture(invocation, channels, indexes)
            if remedy:
                url = invocation.hub_url
                hub = (hub_channel(url, remedy), hub_index(url, remedy))
                sources = replace(sources, channels=_first(hub[0], sources.channels), indexes=_first(hub[1], sources.indexes))
            captured = capture(folder, sources, on_event=show, cancel=cancel)
            made = _Made(LockSet((captured,)), prefix=folder)
    if remedy and made.prefix is not None:
        made.remedied = _carry_out(invocation, captured, made.prefix, remedy, sources, yes=yes, network=network)
    if made.prefix is not None:
        with cancellable() as cancel, progress(invocation) as show:
            if made.remedied:
                captured = capture(made.prefix, sources, on_event=show, cancel=cancel)
            made.locks = for_platforms(captured, platforms, sources, policy=policy, on_event=show, cancel=cancel)
    _answer(invocation, made, _contents(made.locks, form, output), output)


def _first(value: str, others: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([value, *others]))


def _of_file(
    file: Path,
    parts: _Parts,
    platforms: tuple[str, ...],
    sources: Sources,
    policy: Policy,
    given: set[str],
    show: OnProgress,
    cancel: CancelSignal,
) -> tuple[LockSet, tuple[str, ...]]:
    """Return the locks of what *file* asks for, and what of it they do not hold; of a lock, with locks for more platforms."""
    platform = platforms[0] if platforms else current_platform()
    found = read_environment_file(file, platform=platform, extras=parts.extras, groups=parts.groups or None)
    if isinstance(found, LockSet):
        missing = [platform for platform in platforms if found.for_platform(platform) is None]
        wider = for_platforms(found.locks[0], missing, sources, policy=policy, on_event=show, cancel=cancel)
        return LockSet((*found.locks, *wider.locks[1:])), ()
    if "channels" in given:
        found = replace(found, channels=())
    if "indexes" in given:
        found = replace(found, indexes=())
    return lock(found, platforms, sources, policy=policy, on_event=show, cancel=cancel), found.notes


def _carry_out(
    invocation: Invocation, captured: Lock, prefix: Path, namespace: str, sources: Sources, *, yes: bool, network: bool
) -> list[Remedied]:
    """Upload what can be, each after a question; what fails is told and does not stop the others."""
    client = invocation.signed_in_client()
    done = []
    for problem in captured.problems:
        if not can_be_carried_out(problem):
            continue
        if not yes:
            if not is_interactive():
                usage("Nobody can be asked here. Look at the problems first, then add --yes.")
            click.echo(problem.message, err=True)
            if not click.confirm(f"{problem.name}: {_HOW[problem.remedy]} to {namespace}?", err=True):
                continue
        try:
            with cancellable() as cancel, progress(invocation) as show:
                done.append(carry_out(problem, prefix, client, namespace, sources=sources, network=network, on_event=show, cancel=cancel))
        except CarrelError as error:
            if error.status in (401, 403, 499):
                raise
            log = str(error.fields.get("log") or "").strip().splitlines()[-6:]
            invocation.warn("\n  ".join([f"{problem.name}: {error.detail}", *log]))
    return done


def _contents(locks: LockSet, form: str | None, output: Path | None) -> dict[str, bytes]:
    """Return the files, by name."""
    if form is None and output is not None and not output.is_dir():
        form = writing.format_of(output.name)
        if form not in _FORMATS:
            usage(f"The name {output.name!r} does not tell the format of a lock. Add --format.")
    usual = "pylock.toml" if locks.locks[0].kind is LockKind.VENV else "conda-lock"
    if form in (None, usual):
        return environment_files(locks)
    if len(locks.locks) > 1 and LockSet not in writing.FORMATS[form].values:
        usage(f"{form} is for one platform. Use --format {usual}.")
    return dict([writing.write(locks, form)])


def _write(contents: dict[str, bytes], output: Path | None) -> list[Path]:
    if output is None:
        if len(contents) > 1:
            usage(f"There are {len(contents)} files to write. Name a folder with -o.")
        return []
    if len(contents) > 1 and not output.is_dir():
        # pylock.toml of several platforms: the names say which
        output = output.parent
    files = []
    for name, content in contents.items():
        path = output / name if output.is_dir() else output
        write_atomically(path, content)
        files.append(path)
    return files


def _problem(problem: LockProblem) -> dict[str, str]:
    return {"name": problem.name, "code": problem.code, "message": problem.message, "remedy": problem.remedy}


def _answer(invocation: Invocation, made: _Made, contents: dict[str, bytes], output: Path | None) -> None:
    files = _write(contents, output)
    first = made.locks.locks[0]
    several = len(made.locks.locks) > 1
    for note in made.notes:
        invocation.warn(note)
    told: dict[str, None] = {}
    for one in made.locks.locks:
        for problem in one.problems:
            text = problem.message if one is first or problem in first.problems else f"{one.platform}: {problem.message}"
            if text not in told:
                invocation.warn(text)
            told[text] = None
    if made.prefix is not None and any(map(can_be_carried_out, first.problems)):
        invocation.note("Add --remedy NAMESPACE to bring what is on this machine alone to the hub.")
    document = {
        "prefix": str(made.prefix) if made.prefix else None,
        "source": str(made.source) if made.source else None,
        "kind": first.kind.value,
        "platform": first.platform,
        "python_version": first.python_version,
        "conda": len(first.conda),
        "pypi": len(first.pypi),
        "digest": first.digest,
        "locks": [
            {
                "platform": one.platform,
                "conda": len(one.conda),
                "pypi": len(one.pypi),
                "digest": one.digest,
                "download_bytes": one.download_bytes,
                "exclude_newer": one.exclude_newer.isoformat() if one.exclude_newer else None,
                "virtual_packages": list(one.virtual_packages),
                "problems": [_problem(problem) for problem in one.problems],
            }
            for one in made.locks.locks
        ],
        "problems": [_problem(problem) for problem in first.problems],
        "notes": list(made.notes),
        "remedied": [dataclasses.asdict(one) for one in made.remedied],
        "files": [str(file) for file in files],
        "content": None if files else next(iter(contents.values())).decode(),
    }
    lines = [f"Uploaded {one.filename}." for one in made.remedied]
    if files:
        packages = count(len(first.conda) + len(first.pypi), "package")
        what = ", ".join(f"{count(len(one.conda) + len(one.pypi), 'package')} for {one.platform}" for one in made.locks.locks)
        lines.append(f"Wrote {', '.join(map(str, files))} with {what if several else packages}.")
    else:
        for line in lines:
            invocation.note(line)
        lines = [str(document["content"]).rstrip("\n")]
    invocation.answer(document, lines)
