"""An exact lock of an environment: every package with its address and digest, and what could not be found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from carrel.core import clock
from carrel.core.errors import CarrelError, Unavailable, Unsolvable
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import conda_meta, inspection, python_wishes, remedy_notes, virtual_packages
from carrel.environments.conda_origins import channels_in_use, conda_problems, locked_conda
from carrel.environments.credentials import redact, strip_url
from carrel.environments.distributions import Distribution
from carrel.environments.locations import current_platform
from carrel.environments.models import Environment, Sources
from carrel.environments.naming import normalize
from carrel.environments.pypi import archives, pylock, uv
from carrel.formats.environment.lock import Lock, LockedPypi, LockKind, LockProblem

_UPLOAD = "Upload it to your namespace and install it from there."
_BUILD = "Build a wheel of it, upload that to your namespace and install it from there."


def capture(
    prefix: str | Path,
    sources: Sources,
    *,
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Lock:
    """Return the exact lock of the environment at *prefix*.

    conda packages are taken from conda's own records; what came from a folder of this machine is looked for, by its digest, in
    the channels of *sources*. Python packages are looked up, at exactly their versions, on the indexes of *sources*, and the
    file with the very tags of the installed wheel is chosen; what was installed from elsewhere counts as found when
    :mod:`carrel.environments.remedies` uploaded it and it has not changed since. What cannot be found does not stop the capture:
    it is told in ``problems``, with what to do about it.

    No address in the lock holds credentials, and no folder of this machine is named.
    """
    cancel = cancel or NeverCancelled()
    environment = inspection.inspect(prefix)
    on_event(Progress("capture", message="Reading what is installed"))
    records = conda_meta.read_records(environment.prefix) if environment.kind == "conda" else []
    found = inspection.python_distributions(environment.prefix)
    conda = locked_conda(environment, records, sources, on_event, cancel)
    pypi, problems = _pypi(environment, found, sources, on_event, cancel)
    requested = conda_meta.requested_specs(environment.prefix) if environment.kind == "conda" else {}
    asked = [redact(specs[0]) for _, specs in sorted(requested.items()) if specs]
    wishes = python_wishes.asked_for(environment.prefix, found)
    python = [d for d in found if d.requested and (environment.kind != "conda" or d.key not in requested)]
    asked += [wishes.get(d.key, f"{d.key}=={d.version}") for d in python]
    return Lock(
        platform=environment.platform,
        python_version=environment.python_version,
        requested=tuple(asked),
        channels=channels_in_use(conda, sources),
        conda=conda,
        pypi=tuple(sorted(archives.complete(pypi, sources, cancel, metadata=False), key=lambda package: package.name)),
        captured_at=clock.now(),
        kind=LockKind.CONDA if environment.kind == "conda" else LockKind.VENV,
        problems=(*conda_problems(conda), *problems),
        virtual_packages=virtual_packages.detect() if environment.platform == current_platform() else (),
    )


def _pypi(
    environment: Environment, found: Sequence[Distribution], sources: Sources, on_event: OnProgress, cancel: CancelSignal
) -> tuple[list[LockedPypi], list[LockProblem]]:
    locked: list[LockedPypi] = []
    problems: list[LockProblem] = []
    wanted: list[Distribution] = []
    uploaded = remedy_notes.valid(environment.prefix, found)
    for distribution in found:
        direct = _from_direct_url(distribution)
        if direct is not None:
            locked.append(direct)
        elif (package := _uploaded(environment, distribution, uploaded, sources, cancel)) is not None:
            locked.append(package)
        elif problem := _local_problem(distribution):
            problems.append(problem)
        else:
            wanted.append(distribution)
    if not wanted:
        return locked, problems
    on_event(Progress("capture", 0, len(wanted), "packages", "Looking up where packages came from"))
    packages, failures = _look_up(environment, wanted, sources, cancel)
    for distribution in wanted:
        archive = _archive(packages.get(distribution.key), distribution)
        if archive is None:
            problems.append(_not_found(distribution, failures.get(distribution.key), sources))
        else:
            locked.append(_locked(distribution, packages[distribution.key], archive, sources))
    on_event(Progress("capture", len(wanted), len(wanted), "packages"))
    return locked, problems


def _uploaded(
    environment: Environment,
    distribution: Distribution,
    notes: Mapping[str, remedy_notes.Note],
    sources: Sources,
    cancel: CancelSignal,
) -> LockedPypi | None:
    """Return the wheel that was made of *distribution* and uploaded, if an index of *sources* still has it."""
    note = notes.get(distribution.key)
    python = environment.python_executable
    if note is None or python is None or not sources.indexes:
        return None
    try:
        # it may have been uploaded a moment ago
        packages = uv.lock_pins(python, {distribution.key: note.version}, sources=sources, cancel=cancel, refresh=True)
    except CarrelError as error:
        if error.status == 499:
            raise
        return None
    for archive in (one for package in packages for one in (*package.get("wheels", ()), package.get("sdist"))):
        if archive and (archive.get("hashes") or {}).get("sha256") == note.sha256:
            return replace(_locked(distribution, packages[0], archive, sources), version=note.version)
    return None


def _from_direct_url(distribution: Distribution) -> LockedPypi | None:
    """Return the lock entry of a distribution that was installed from the address of an archive."""
    url = str(distribution.direct_url.get("url") or "")
    archive = distribution.direct_url.get("archive_info")
    if archive is None or urlsplit(url).scheme not in ("http", "https"):
        return None
    sha256 = _archive_sha256(distribution)
    if not sha256:
        return None
    return LockedPypi(distribution.name, distribution.version, strip_url(url), sha256, requires_dist=distribution.requires)


def _archive_sha256(distribution: Distribution) -> str:
    archive = distribution.direct_url.get("archive_info") or {}
    sha256 = (archive.get("hashes") or {}).get("sha256") or ""
    legacy = str(archive.get("hash") or "")
    return str(sha256 or (legacy.removeprefix("sha256=") if legacy.startswith("sha256=") else ""))


def _local_problem(distribution: Distribution) -> LockProblem | None:
    name, direct = distribution.name, distribution.direct_url
    if distribution.editable_location is not None:
        message = f"{name} {distribution.version} is installed in editable mode from a folder of this machine. {_BUILD}"
        return LockProblem("editable", message, name, "build_wheel")
    if "vcs_info" in direct:
        message = f"{name} {distribution.version} was installed from a repository. {_BUILD}"
        return LockProblem("from_repository", message, name, "build_wheel")
    if "dir_info" in direct:
        message = f"{name} {distribution.version} was installed from a folder of this machine. {_BUILD}"
        return LockProblem("local_folder", message, name, "build_wheel")
    return None


def _look_up(
    environment: Environment, wanted: Sequence[Distribution], sources: Sources, cancel: CancelSignal
) -> tuple[dict[str, dict[str, Any]], dict[str, CarrelError]]:
    """Return what indexes know of exactly these versions, and why they know nothing of the others."""
    python = environment.python_executable
    if python is None or not sources.indexes:
        return {}, {}
    pins = {distribution.key: distribution.version for distribution in wanted}
    try:
        packages = uv.lock_pins(python, pins, sources=sources, cancel=cancel)
    except (Unsolvable, Unavailable):
        # one unknown package hides all others: ask for each
        return _look_up_each(python, pins, sources, cancel)
    except CarrelError as error:
        if error.status == 499:
            raise
        return {}, dict.fromkeys(pins, error)
    return {normalize(package["name"]): package for package in packages}, {}


def _look_up_each(
    python: Path, pins: dict[str, str], sources: Sources, cancel: CancelSignal
) -> tuple[dict[str, dict[str, Any]], dict[str, CarrelError]]:
    packages: dict[str, dict[str, Any]] = {}
    failures: dict[str, CarrelError] = {}

    # uv takes a package from the first index that knows its name: another may have the version that is installed
    places = [sources, *(replace(sources, indexes=(index,)) for index in sources.indexes[1:])]

    def ask(name: str) -> None:
        for place in places:
            try:
                packages[name] = uv.lock_pins(python, {name: pins[name]}, sources=place, cancel=cancel)[0]
            except CarrelError as error:
                if error.status == 499:
                    raise
                failures.setdefault(name, error)
            else:
                failures.pop(name, None)
                return

    with ThreadPoolExecutor(4) as pool:
        for result in [pool.submit(ask, name) for name in pins]:
            result.result()
    return packages, failures


def _archive(package: dict[str, Any] | None, distribution: Distribution) -> dict[str, Any] | None:
    """Return the file that *distribution* was installed from."""
    if package is None:
        return None
    archive = pylock.wheel_with_tags(package, distribution.tags) or package.get("sdist")
    sha256 = str(((archive or {}).get("hashes") or {}).get("sha256") or "")
    if archive is None or not sha256 or not archive.get("url"):
        return None
    installed_from = _archive_sha256(distribution)
    # a wheel from a folder counts as the index's only if it is the same to the byte
    if distribution.direct_url and installed_from != sha256:
        return None
    return dict(archive)


def _locked(distribution: Distribution, package: dict[str, Any], archive: dict[str, Any], sources: Sources) -> LockedPypi:
    url = strip_url(archive["url"])
    return LockedPypi(
        name=distribution.name,
        version=distribution.version,
        url=url,
        sha256=archive["hashes"]["sha256"],
        size=int(archive.get("size") or 0),
        index=strip_url(str(package.get("index") or archives.index_of(url, sources.indexes))),
        requires_python=str(package.get("requires-python") or ""),
        requires_dist=distribution.requires,
    )


def _not_found(distribution: Distribution, failure: CarrelError | None, sources: Sources) -> LockProblem:
    name, version = distribution.name, distribution.version
    if distribution.direct_url:
        message = f"{name} {version} was installed from a file of this machine. {_UPLOAD}"
        return LockProblem("local_wheel", message, name, "upload_wheel")
    if not sources.indexes:
        message = f"{name} {version} came from a package index, and none is set up here. Add the index."
        return LockProblem("no_index", message, name, "add_index")
    if failure is not None and not isinstance(failure, Unsolvable | Unavailable):
        return LockProblem("index_unreachable", f"{name} {version} could not be looked up: {failure.detail}", name, "add_index")
    message = f"{name} {version} is not on the indexes that are set up here. Add the index it came from, or upload it to your namespace."
    return LockProblem("not_on_index", message, name, "upload_wheel")
