"""Locks that are solved: of a specification, and of a captured environment for other platforms."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from carrel.core import clock
from carrel.core.errors import BadRequest, InvalidFile
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import asked, policies, specs, virtual_packages
from carrel.environments.locations import current_platform
from carrel.environments.models import Policy, Sources, Spec
from carrel.environments.naming import normalize
from carrel.environments.platform_solving import Wanted, solve
from carrel.environments.pypi import uv
from carrel.formats.environment import requirements, selectors
from carrel.formats.environment.lock import Lock, LockSet
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.environment.targets import python_for

_PLATFORMS = frozenset(
    "linux-32 linux-64 linux-aarch64 linux-armv6l linux-armv7l linux-loongarch64 linux-ppc64 linux-ppc64le linux-riscv64 linux-s390x "
    "osx-64 osx-arm64 win-32 win-64 win-arm64 freebsd-64 emscripten-wasm32 wasi-wasm32 zos-z".split()
)
_JUST_NOW = timedelta(minutes=10)


def lock(
    spec: EnvironmentSpec,
    platforms: Sequence[str],
    sources: Sources,
    *,
    policy: Policy | None = None,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> LockSet:
    """Return locks of an environment that holds what *spec* asks for, one for each of *platforms*.

    conda packages are solved first, on each platform against the virtual packages that its machines are taken to have; Python
    packages beside them, so that neither overwrites the other. Without conda packages the locks are of virtual environments.

    Parameters
    ----------
    platforms : sequence of str
        conda's names; empty means those of *spec*, else this machine's.
    sources : Sources
        Channels and indexes where *spec* names none, and how to sign in.

    Raises
    ------
    carrel.core.errors.Unsolvable
        It names the platform (field ``platform``) and the requirement.
    carrel.core.errors.BadRequest
        A platform, specification or selector that is none.
    carrel.core.errors.Cancelled
    """
    policy, cancel = policy or Policy(), cancel or NeverCancelled()
    chosen = check_platforms(platforms or spec.platforms or (current_platform(),))
    lines = asked.read_pip_lines(spec.pip)
    until = min((moment for moment in (policy.exclude_newer, spec.exclude_newer) if moment is not None), default=None)
    named = _parsed([*spec.dependencies, *(text for _, text in spec.selected)])
    named += [Spec(requirement.name, source="pypi", url=requirement.url) for requirement in map(Requirement, lines.requirements)]
    sources = policies.narrow(policy, _sources(spec, lines, sources), named)
    is_conda = bool(spec.dependencies or spec.selected)
    made = []
    for platform in chosen:
        on_event(Progress("solve", message=f"Solving for {platform}"))
        wanted = Wanted(
            platform=platform,
            virtual=virtual_packages.for_platform(platform, spec.system_requirements),
            conda=_conda_specs(spec, platform, with_python=bool(lines.requirements)) if is_conda else (),
            pypi=lines.requirements,
            python_version="" if is_conda else _python_version(spec.requires_python, cancel),
            prereleases=lines.prereleases,
            hashes=lines.hashes,
            constraints=(*spec.constraints, *([f"python {spec.requires_python}"] if is_conda and spec.requires_python else [])),
            pypi_constraints=spec.pip_constraints,
        )
        solved = solve(wanted, sources, policy, until, undated=False, on_event=on_event, cancel=cancel)
        _check_digests(spec, lines, solved)
        made.append(replace(solved, requested=(*wanted.conda, *lines.requirements), problems=(*lines.problems, *solved.problems)))
    return LockSet(tuple(made))


def _check_digests(spec: EnvironmentSpec, lines: asked.PipLines, solved: Lock) -> None:
    """Refuse what *spec* has no digest for, if it has one for everything that it names: pip and uv do so too."""
    if requirements.is_lock(spec.pip):
        unknown = [item.name for item in solved.pypi if normalize(item.name) not in lines.hashes]
        if unknown:
            raise InvalidFile(
                f"{', '.join(unknown[:5])} is needed and has no digest in the file, though everything else in it has.",
                code="digest_missing",
            )


def for_platforms(
    captured: Lock,
    platforms: Sequence[str],
    sources: Sources,
    *,
    policy: Policy | None = None,
    system_requirements: Iterable[tuple[str, str]] = (),
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> LockSet:
    """Return *captured*, unchanged, and locks of the same environment for other *platforms*.

    What was asked for is solved anew, as of the moment of capture: each package keeps its version where the platform has it,
    else it gets the nearest. What does not exist there is among the ``problems`` (``not_on_platform``) when it was a
    dependency; versions that were asked for and do not exist there are too (``other_version``).

    Raises
    ------
    carrel.core.errors.Unsolvable
        It names the platform (field ``platform``) and the requirement.
    """
    policy, cancel = policy or Policy(), cancel or NeverCancelled()
    others = [platform for platform in check_platforms(platforms) if platform != captured.platform]
    given = policy.exclude_newer or captured.exclude_newer
    until = given or captured.captured_at
    # of what is published in the minutes since a capture nothing is held back: not every index says when that was
    enforced = given or (until if clock.now() - until > _JUST_NOW else None)
    where = policies.narrow(policy, replace(sources, channels=captured.channels or sources.channels), ())
    wishes = asked.roots(captured)
    made = [captured]
    for platform in others:
        on_event(Progress("solve", message=f"Solving for {platform}"))
        wanted = Wanted(
            platform=platform,
            virtual=virtual_packages.for_platform(platform, tuple(system_requirements)),
            conda=wishes.conda,
            pypi=wishes.pypi,
            python_version=captured.python_version,
            like_conda={item.name: item.version for item in captured.conda},
            like_pypi={normalize(item.name): item.version for item in captured.pypi},
            optional=wishes.optional,
        )
        solved = solve(wanted, where, policy, enforced, undated=given is None, on_event=on_event, cancel=cancel)
        made.append(
            replace(
                solved,
                requested=captured.requested,
                captured_at=captured.captured_at,
                exclude_newer=until,
                problems=(*(problem for problem in captured.problems if problem.code not in _OF_PLATFORM), *solved.problems),
                kind=captured.kind,
            )
        )
    return LockSet(tuple(made))


_OF_PLATFORM = ("not_on_platform", "other_version", "local_channel", "unknown_origin")


def _conda_specs(spec: EnvironmentSpec, platform: str, *, with_python: bool) -> tuple[str, ...]:
    texts = list(spec.dependencies)
    for expression, text in spec.selected:
        try:
            if selectors.holds(expression, platform):
                texts.append(text)
        except ValueError as error:
            raise BadRequest(f"{error}.", code="invalid_selector") from error
    parsed = _parsed(texts)
    if with_python and not any(one.name == "python" for one in parsed):
        parsed.append(specs.parse("python", "conda"))
    return tuple(specs.conda_text(one) for one in parsed)


def _parsed(texts: Iterable[str]) -> list[Spec]:
    return [specs.parse(text, "conda") for text in texts]


def _sources(spec: EnvironmentSpec, lines: asked.PipLines, sources: Sources) -> Sources:
    channels = [channel for channel in spec.channels if channel != "nodefaults"] or list(sources.channels)
    for one in _parsed([*spec.dependencies, *(text for _, text in spec.selected)]):
        named = one.channel
        if named and not any(channel == named or channel.rstrip("/").endswith(f"/{named}") for channel in channels):
            channels.append(named)
    indexes = list(dict.fromkeys([*lines.indexes, *spec.indexes])) or list(sources.indexes)
    return replace(sources, channels=tuple(channels), indexes=tuple(indexes))


def _python_version(requires: str, cancel: CancelSignal) -> str:
    """Return the version of Python of a virtual environment: one of this machine's if any will do."""
    first = python_for(requires)
    if first == ".".join(map(str, sys.version_info[:3])):
        return first
    allowed = SpecifierSet(requires)
    here = [version for version, _ in uv.find_interpreters(cancel=cancel) if allowed.contains(version)]
    return max(here, key=Version) if here else first


def check_platforms(platforms: Sequence[str]) -> tuple[str, ...]:
    """Return *platforms*, each once.

    Raises
    ------
    BadRequest
        One is none (code ``unknown_platform``).
    """
    for platform in platforms:
        if platform not in _PLATFORMS:
            raise BadRequest(f"{platform[:80]!r} is not a platform; they are called linux-64, osx-arm64, win-64 …", code="unknown_platform")
    return tuple(dict.fromkeys(platforms))
