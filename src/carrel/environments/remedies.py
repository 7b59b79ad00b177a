"""Carrying out what a lock's problems ask for, so that the environment can be rebuilt elsewhere.

Packages that exist on this machine alone are uploaded to a namespace of a hub: a wheel is built from an editable
installation's sources, taken from where it was installed from, or put together again from its installed files; a conda
package is copied, to the byte, from the folder or cache that still has its archive. The next capture, with the namespace among
its sources, finds them there.

conda packages are never put together again from an extracted folder: the lock promises the digest of the archive that was
installed, and no archive made later has it.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from packaging.version import Version

from carrel.core.errors import CarrelError, Conflict, FileExists, NotFound, Unprocessable
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress, ignore_progress
from carrel.environments import conda_meta, files, inspection, remedy_notes, wheels
from carrel.environments.conda_meta import CondaRecord
from carrel.environments.distributions import Distribution, url_to_path
from carrel.environments.models import Sources
from carrel.environments.naming import normalize
from carrel.formats.environment.lock import LockProblem

_UPLOADING = frozenset(("build_wheel", "upload_wheel", "copy_package"))


class Hub(Protocol):
    """What is needed of a client of the hub (``carrel.client.HubClient`` is one)."""

    def package(self, namespace: str, name: str) -> Any:
        """Return a package; raise :class:`~carrel.core.errors.NotFound` when there is none."""

    def upload_file(
        self,
        namespace: str,
        content: Path,
        filename: str,
        *,
        visibility: str | None = None,
        progress: OnProgress = ...,
        cancel: CancelSignal | None = None,
    ) -> Any:
        """Upload one file and return its description; raise :class:`~carrel.core.errors.FileExists` when other bytes have its name."""


@dataclass(frozen=True, slots=True)
class Remedied:
    """What was uploaded.

    Attributes
    ----------
    name, version : str
        The version of a built wheel may be another than the installed one; see :func:`carry_out`.
    filename : str
    sha256 : str
    how : {"built", "taken", "repacked", "copied"}
    """

    name: str
    version: str
    filename: str
    sha256: str
    how: str


def can_be_carried_out(problem: LockProblem) -> bool:
    """Whether :func:`carry_out` can do something about *problem*."""
    return problem.remedy in _UPLOADING and bool(problem.name)


def carry_out(
    problem: LockProblem,
    prefix: str | Path,
    client: Hub,
    namespace: str,
    *,
    sources: Sources | None = None,
    network: bool = False,
    visibility: str = "private",
    on_event: OnProgress = ignore_progress,
    cancel: CancelSignal | None = None,
) -> Remedied:
    """Upload the package that *problem* is about from the environment at *prefix* to *namespace*.

    A wheel has the installed version. Where the namespace has other bytes under that version, from an earlier state of the same
    sources for instance, the new one gets a local version that tells the state (``1.2+g3f9a0c1e``).

    Parameters
    ----------
    sources : Sources, optional
        Indexes with what is needed for building.
    network : bool
        Whether building may fetch from them.
    visibility : str
        Of packages that the namespace does not have yet; existing ones keep theirs.

    Raises
    ------
    carrel.core.errors.Unprocessable
        Nothing can be uploaded for this problem (code ``no_remedy``).
    carrel.core.errors.NotFound
        The package, its sources or its archive are gone (codes ``package_not_installed``, ``sources_gone``, ``archive_gone``).
    carrel.core.errors.Conflict
        The installed files were changed (``changed_since_installed``).
    carrel.core.errors.Unavailable
        It cannot be built (``build_failed``).
    carrel.core.errors.CarrelError
        What the hub refuses.
    """
    cancel, sources = cancel or NeverCancelled(), sources or Sources()
    prefix = inspection.absolute(prefix)
    if not can_be_carried_out(problem):
        raise Unprocessable(f"{problem.message} This cannot be done from here.", code="no_remedy")
    if problem.remedy == "copy_package":
        return _copy(_record(prefix, problem.name), client, namespace, visibility, on_event, cancel)
    distribution = next((one for one in inspection.python_distributions(prefix) if one.key == normalize(problem.name)), None)
    if distribution is None:
        raise NotFound(f"{problem.name} is not installed in {prefix.name} any more.", code="package_not_installed")
    identity = remedy_notes.identity_of(distribution)
    with tempfile.TemporaryDirectory(prefix="carrel-wheel-") as folder:
        wheel, how = _wheel(distribution, prefix, Path(folder), sources, network=network, on_event=on_event, cancel=cancel)
        wheel, sha256 = _upload_wheel(wheel, distribution, identity, client, namespace, visibility, on_event, cancel)
        version = wheel.name.split("-")[1]
        if remedy_notes.identity_of(distribution) != identity:
            raise Conflict(f"{distribution.name} was changed while it was uploaded. Do it again.", code="changed_meanwhile")
    remedy_notes.add(prefix, remedy_notes.Note(distribution.key, identity, version, sha256))
    return Remedied(distribution.name, version, wheel.name, sha256, how)


def _wheel(
    distribution: Distribution, prefix: Path, folder: Path, sources: Sources, *, network: bool, on_event: OnProgress, cancel: CancelSignal
) -> tuple[Path, str]:
    """Return a wheel that is what is installed, and how it was come by."""
    source = _source(distribution)
    if distribution.editable_location is None:
        if source is not None and source.suffix == ".whl" and source.is_file() and wheels.holds_the_same(source, distribution):
            return source, "taken"
        try:
            return wheels.repack(distribution, folder), "repacked"
        except CarrelError:
            if source is None or not source.is_dir():
                raise
    if source is None or not source.is_dir():
        raise NotFound(
            f"The sources of {distribution.name} {distribution.version} are gone from this machine. Install it again.", code="sources_gone"
        )
    python = inspection.python_executable(prefix)
    if python is None:
        raise NotFound(f"{prefix.name} has no Python to build for.", code="interpreter_not_found")
    built = wheels.build(
        source, folder, python=python, version=distribution.version, sources=sources, network=network, on_event=on_event, cancel=cancel
    )
    return built, "built"


def _source(distribution: Distribution) -> Path | None:
    if distribution.editable_location is not None:
        return Path(distribution.editable_location)
    url = str(distribution.direct_url.get("url") or "")
    if urlsplit(url).scheme != "file" or "vcs_info" in distribution.direct_url:
        return None
    return Path(url_to_path(url)) / str(distribution.direct_url.get("subdirectory") or "")


def _upload_wheel(
    wheel: Path,
    distribution: Distribution,
    identity: str,
    client: Hub,
    namespace: str,
    visibility: str,
    on_event: OnProgress,
    cancel: CancelSignal,
) -> tuple[Path, str]:
    try:
        return wheel, _upload(wheel, distribution.key, client, namespace, visibility, on_event, cancel)
    except FileExists:
        local = Version(distribution.version).local
        version = f"{Version(wheel.name.split('-')[1]).public}+{f'{local}.' if local else ''}g{identity[:8]}"
        with tempfile.TemporaryDirectory(prefix="carrel-wheel-") as folder:
            copy = Path(folder, wheel.name)
            copy.write_bytes(wheel.read_bytes())
            renamed = wheels.with_version(copy, version)
            return Path(renamed.name), _upload(renamed, distribution.key, client, namespace, visibility, on_event, cancel)


def _upload(path: Path, package: str, client: Hub, namespace: str, visibility: str, on_event: OnProgress, cancel: CancelSignal) -> str:
    """Upload *path* and return its SHA-256."""
    on_event(Progress("upload", message=f"Uploading {path.name}"))
    try:
        client.package(namespace, package)
        chosen = None
    except NotFound:
        chosen = visibility
    uploaded = client.upload_file(namespace, path, path.name, visibility=chosen, progress=on_event, cancel=cancel)
    return str(uploaded.sha256)


def _record(prefix: Path, name: str) -> CondaRecord:
    for record in conda_meta.read_records(prefix) if conda_meta.is_conda_prefix(prefix) else ():
        if record.name == name:
            return record
    raise NotFound(f"{name} is not installed in {prefix.name} any more.", code="package_not_installed")


def _copy(record: CondaRecord, client: Hub, namespace: str, visibility: str, on_event: OnProgress, cancel: CancelSignal) -> Remedied:
    for path in _archives(record):
        if not path.is_file():
            continue
        found = files.digests(path)
        if found.sha256 == record.sha256 if record.sha256 else found.md5 == record.md5:
            sha256 = _upload(path, record.name, client, namespace, visibility, on_event, cancel)
            return Remedied(record.name, record.version, path.name, sha256, "copied")
    raise NotFound(
        f"The archive of {record.name} {record.version} is neither where it was installed from nor in a package cache. Install it again, "
        "from a channel that others can reach or from the archive itself.",
        code="archive_gone",
    )


def _archives(record: CondaRecord) -> list[Path]:
    """Return where the archive of *record* may lie."""
    found = []
    if record.url.startswith("file:"):
        found.append(Path(url_to_path(record.url)))
    try:
        kept = json.loads(record.path.read_bytes()).get("package_tarball_full_path")
    except (OSError, ValueError):
        kept = None
    if kept:
        found.append(Path(kept))
    if record.extracted:
        found += [Path(record.extracted + suffix) for suffix in (".conda", ".tar.bz2")]
    return found
