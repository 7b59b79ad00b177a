"""Solving a whole environment for one platform: conda first, then Python packages beside what conda provides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from packaging.requirements import Requirement

from carrel.core import clock
from carrel.core.errors import BadRequest, CarrelError, Forbidden, Unsolvable
from carrel.core.progress import CancelSignal, OnProgress
from carrel.environments import policies
from carrel.environments.conda import engine, python_names
from carrel.environments.conda_origins import channels_in_use, conda_problems
from carrel.environments.credentials import strip_url
from carrel.environments.models import Policy, Sources
from carrel.environments.naming import normalize
from carrel.environments.pypi import locking as pypi_locking
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockKind, LockProblem, split_conda_url

_MOST_LEFT_OUT = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one platform's lock is solved from.

    Attributes
    ----------
    platform : str
        conda's name of it.
    virtual : tuple of str
        Its virtual packages, ``name=version=build``.
    conda, pypi : tuple of str
        Specifications; without conda ones the lock is of a virtual environment.
    python_version : str
        Of a virtual environment.
    prereleases : bool
        Of Python packages.
    hashes : mapping of str to collection of str
        The only digests that files of these Python packages may have.
    constraints, pypi_constraints : tuple of str
        Match specifications and requirements that hold without causing an installation.
    like_conda, like_pypi : mapping of str to str
        Versions to prefer.
    optional : frozenset of str
        Names to leave out where the platform does not have them.
    """

    platform: str
    virtual: tuple[str, ...]
    conda: tuple[str, ...]
    pypi: tuple[str, ...]
    python_version: str
    prereleases: bool = False
    hashes: Mapping[str, Collection[str]] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    pypi_constraints: tuple[str, ...] = ()
    like_conda: Mapping[str, str] = field(default_factory=dict)
    like_pypi: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


def solve(
    wanted: Wanted,
    sources: Sources,
    policy: Policy,
    until: datetime | None,
    *,
    undated: bool,
    on_event: OnProgress,
    cancel: CancelSignal,
) -> Lock:
    """Return the lock of one platform.

    Parameters
    ----------
    until : datetime, optional
        What was published later is not considered; what does not say when, only with *undated*.

    Raises
    ------
    carrel.core.errors.Unsolvable
        It names the platform.
    carrel.core.errors.Forbidden
        Something comes from a source that *policy* does not allow.
    """
    with_date = clock.to_rfc3339(until) if until else None
    records: list[dict[str, Any]] = []
    problems: list[LockProblem] = []
    if wanted.conda:
        answer = _naming(
            wanted.platform,
            lambda: engine.lock(
                wanted.platform,
                wanted.conda,
                sources=sources,
                on_event=on_event,
                cancel=cancel,
                virtual_packages=list(wanted.virtual),
                like=dict(wanted.like_conda),
                optional=sorted(wanted.optional),
                pins=[*wanted.constraints, *policies.conda_pins(policy)],
                exclude_newer=with_date,
                undated=undated,
            ),
        )
        records = answer["records"]
        problems += [_absent(name, wanted) for name in answer["absent"]]
        problems += [_relaxed(name, spec, records, wanted) for name, spec in sorted(answer["relaxed"].items())]
    conda = tuple(sorted(map(_locked, records), key=lambda item: item.name))
    python = next((item.version for item in conda if item.name == "python"), "" if wanted.conda else wanted.python_version)
    pypi: tuple[LockedPypi, ...] = ()
    if wanted.pypi:
        if not python:
            raise BadRequest("Python packages are asked for, and no Python is.", code="no_python")
        provided = python_names.provided(records)
        pypi, left_out = _python_packages(wanted, python, provided, sources, policy, with_date, on_event, cancel)
        problems += left_out
    _check_allowed(policy, sources, conda, pypi)
    return Lock(
        platform=wanted.platform,
        python_version=python,
        channels=channels_in_use(conda, sources),
        conda=conda,
        pypi=pypi,
        captured_at=clock.now(),
        kind=LockKind.CONDA if wanted.conda else LockKind.VENV,
        problems=(*conda_problems(conda), *problems),
        virtual_packages=wanted.virtual,
        exclude_newer=until,
    )


def _python_packages(
    wanted: Wanted,
    python: str,
    provided: Mapping[str, str],
    sources: Sources,
    policy: Policy,
    until: str | None,
    on_event: OnProgress,
    cancel: CancelSignal,
) -> tuple[tuple[LockedPypi, ...], list[LockProblem]]:
    requirements = list(wanted.pypi)
    problems: list[LockProblem] = []
    while True:
        request = pypi_locking.Wanted(
            requirements=tuple(requirements),
            platform=wanted.platform,
            virtual_packages=wanted.virtual,
            python_version=python,
            provided=provided,
            like=dict(wanted.like_pypi),
            constraints=(
                *wanted.pypi_constraints,
                *(pin for name, pin in policies.pypi_pins(policy).items() if name not in provided),
            ),
            exclude_newer=until,
            prereleases=wanted.prereleases,
            hashes=wanted.hashes,
        )
        try:
            packages, more = _naming(
                wanted.platform, partial(pypi_locking.lock, request, sources=sources, on_event=on_event, cancel=cancel)
            )
            return packages, [*problems, *more]
        except Unsolvable as error:
            text = f"{error.detail} {error.fields.get('explanation', '')}".lower()
            culprit = next((name for name in requirements if name in wanted.optional and f"{name} " in text.replace("`", " ")), None)
            if culprit is None or len(problems) == _MOST_LEFT_OUT:
                raise _held(error, provided, requirements) from error
            requirements.remove(culprit)
            problems.append(_absent(culprit, wanted))


def _held(error: Unsolvable, provided: Mapping[str, str], requirements: Sequence[str]) -> Unsolvable:
    """Return *error*, with what conda provides where that is in the way."""
    names = {normalize(Requirement(text).name) for text in requirements if "://" not in text}
    text = f"{error.detail} {error.fields.get('explanation', '')}"
    held = [f"{name} {version}" for name, version in sorted(provided.items()) if f"{name}==" in text or (name in names and name in text)]
    if not held:
        return error
    return Unsolvable(f"{error.detail} conda provides {', '.join(held[:3])}, which pip must not replace.", **error.fields)


def _naming(platform: str, work: Callable[[], Any]) -> Any:
    """Do *work*; its failure to solve names *platform*."""
    try:
        return work()
    except Unsolvable as error:
        raise Unsolvable(f"For {platform}: {error.detail}", code=error.code, **{**error.fields, "platform": platform}) from error
    except CarrelError as error:
        error.fields.setdefault("platform", platform)
        raise


def _locked(record: Mapping[str, Any]) -> LockedConda:
    url = strip_url(str(record["url"]))
    channel, subdir, _ = split_conda_url(url)
    return LockedConda(
        name=record["name"],
        version=str(record["version"]),
        build=str(record.get("build") or ""),
        url=url,
        sha256=record.get("sha256") or "",
        md5=record.get("md5") or "",
        size=int(record.get("size") or 0),
        subdir=record.get("subdir") or subdir,
        channel=channel,
        depends=tuple(record.get("depends") or ()),
    )


def _absent(name: str, wanted: Wanted) -> LockProblem:
    version = {**dict(wanted.like_conda), **dict(wanted.like_pypi)}.get(name, "")
    message = f"{name} {version} was left out: there is no {name} for {wanted.platform}. Other packages brought it where it was captured."
    return LockProblem("not_on_platform", message.replace("  ", " "), name)


def _relaxed(name: str, spec: str, records: Sequence[Mapping[str, Any]], wanted: Wanted) -> LockProblem:
    found = next((f"{record['version']} {record.get('build') or ''}".strip() for record in records if record["name"] == name), "none")
    return LockProblem("other_version", f"{spec} was asked for, and {wanted.platform} has no such package: {name} {found} was taken.", name)


def _check_allowed(policy: Policy, sources: Sources, conda: Sequence[LockedConda], pypi: Sequence[LockedPypi]) -> None:
    """Check where packages come from: what is allowed may be named by the channel's name, archives by their index."""
    for name, addresses in [
        *((item.name, [item.url, *(c for c in sources.channels if item.channel.endswith(f"/{c}"))]) for item in conda),
        *((item.name, [item.index or item.url]) for item in pypi),
    ]:
        if not any(policies.is_allowed(policy, address) for address in addresses):
            raise Forbidden(
                f"{name} would come from {strip_url(addresses[0])}, which is not allowed here.",
                code="source_not_allowed",
                allowed=list(policy.allowed or ()),
            )
