"""Rebuild a published environment on this machine and put a copy of its notebook where it can be run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir

from carrel.client.hub import HubClient
from carrel.client.models import File, Package, Release
from carrel.client.references import Reference
from carrel.core.errors import Forbidden, NotFound
from carrel.core.kinds import Kind
from carrel.core.progress import CancelSignal, OnProgress, Progress, ignore_progress
from carrel.environments import Sources, already_built, environment_folder, inspect, install_kernelspecs, rebuild
from carrel.environments.building import is_marked
from carrel.environments.credentials import strip_url
from carrel.environments.elsewhere import Elsewhere, platform_mismatch, solve_elsewhere
from carrel.environments.locations import current_platform
from carrel.environments.models import Origin
from carrel.environments.rebuilding import add_reference
from carrel.formats.environment import identifying, load_lock, reading
from carrel.formats.environment.identifying import LOCKS
from carrel.formats.environment.lock import Lock, LockKind, LockSet, split_conda_url
from carrel.sharing import notebook as notebooks
from carrel.sharing.placing import place
from carrel.sharing.trust import TrustStore, new_sources, origin

LOCK_FILENAMES = ("conda-lock.yml", "pylock.toml")
NOTEBOOK_BYTES = 100_000_000
_KERNEL_NAME = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Publication:
    """A release with what can be rebuilt of it."""

    package: Package
    release: Release
    notebook_file: File | None
    notebook: dict[str, Any] | None
    lock_file: File | None
    locks: LockSet | None

    @property
    def lock(self) -> Lock | None:
        """The lock for this platform, else the one that was captured elsewhere."""
        return (self.locks.for_platform(current_platform()) or self.locks.locks[0]) if self.locks else None

    @property
    def fits(self) -> bool:
        """Whether there is a lock for this platform."""
        return self.lock is not None and (not self.lock.platform or self.lock.platform in (current_platform(), "noarch"))

    @property
    def language(self) -> str | None:
        """Language of the notebook, None where it does not tell."""
        metadata = (self.notebook or {}).get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        for told, key in (("kernelspec", "language"), ("language_info", "name")):
            part = metadata.get(told)
            if isinstance(part, dict) and isinstance(part.get(key), str) and part[key]:
                return str(part[key])
        return None

    @property
    def reference(self) -> Reference:
        """The release's exact reference."""
        return Reference(self.release.namespace, self.release.package, self.release.version)

    @property
    def sources(self) -> tuple[str, ...]:
        """Addresses that packages come from, without credentials: channels, indexes, and servers of files elsewhere.

        What counts is where the archives are fetched from: a lock may name any channel or index beside another address.
        """
        if self.lock is None:
            return ()
        found = dict.fromkeys(strip_url(channel) for channel in self.lock.channels)
        for conda in self.lock.conda:
            found.setdefault(split_conda_url(strip_url(conda.url))[0])
        for pypi in self.lock.pypi:
            if pypi.index:
                found.setdefault(strip_url(pypi.index))
            if not pypi.index or origin(pypi.url) != origin(pypi.index):
                found.setdefault(origin(pypi.url))
        return tuple(dict.fromkeys(source.rstrip("/") for source in found))


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What was made.

    Attributes
    ----------
    path : Path or None
        The notebook's copy.
    kernel_name, environment, prefix
        The notebook's kernel, the environment's id and folder.
    built : bool
        Whether the environment was built now.
    kernels : tuple of str
        All kernels that were set up: one for each language of the environment.
    solved : Elsewhere or None
        What was built instead of what was captured on another platform.
    warnings : tuple of str
        What is to be known, such as a source with other bytes than locked.
    language : str
        Of the notebook's kernel; empty without one.
    """

    path: Path | None
    kernel_name: str | None
    environment: str | None
    prefix: Path | None
    built: bool
    kernels: tuple[str, ...] = ()
    solved: Elsewhere | None = None
    warnings: tuple[str, ...] = ()
    language: str = ""


def fetch(client: HubClient, reference: Reference, cancel: CancelSignal | None = None) -> Publication:
    """Return the publication that *reference* names, with its notebook and lock read.

    Raises
    ------
    carrel.core.errors.NotFound
    """
    package = client.package(reference.namespace, reference.name)
    release = client.release(reference.namespace, reference.name, reference.version or "latest")
    notebook_file = next((file for file in release.files if file.kind == Kind.NOTEBOOK), None)
    names = (LOCK_FILENAMES[0], f"pylock.{current_platform()}.toml", *LOCK_FILENAMES[1:])
    lock_file = next((file for name in names for file in release.files if file.filename == name), None)
    if lock_file is None:
        lock_file = next((file for file in release.files if file.kind == Kind.ENVIRONMENT and _is_lock(file)), None)
    if notebook_file is None and lock_file is None:
        raise NotFound(
            f"{reference} holds neither a notebook nor a locked environment, so there is nothing to rebuild.", code="not_reproducible"
        )
    notebook = None
    if notebook_file is not None:
        notebook = notebooks.parse(client.read(notebook_file, limit=NOTEBOOK_BYTES, cancel=cancel))
    locks = _read_locks(lock_file.filename, client.read(lock_file, cancel=cancel)) if lock_file is not None else None
    return Publication(package, release, notebook_file, notebook, lock_file, locks)


def _is_lock(file: File) -> bool:
    """Whether *file* is one of the locks that the pages of a hub say can be reproduced."""
    told = file.attributes.get("format")
    return told in LOCKS if told else identifying.by_name(file.filename) in LOCKS


def _read_locks(filename: str, content: bytes) -> LockSet:
    """Return the locks of a file, for other platforms too: they are shown, and not built.

    Raises
    ------
    carrel.core.errors.BadRequest
    """
    found = reading.read(filename, content, platform=current_platform())
    return found if isinstance(found, LockSet) else LockSet((load_lock(filename, content),))


def target_prefix(lock: Lock, folder: Path | None = None) -> tuple[Path, bool]:
    """Return where the environment of *lock* lives and whether it is built: one folder for all notebooks with the same packages.

    What somebody changed after it was rebuilt, or put there, is left alone; the exact one is built beside it. One that is being
    built now is shared, and what was left of a rebuild that was cut off is cleared by rebuilding.
    """
    base = environment_folder(lock, folder)
    prefix, number = base, 1
    while prefix.exists():
        if already_built(lock, prefix):
            return prefix, True
        if is_marked(prefix) or (prefix.is_dir() and not any(prefix.iterdir())):
            break
        number += 1
        prefix = base.with_name(f"{base.name}-{number}")
    return prefix, False


def kernel_name(reference: Reference) -> str:
    """Return the name of the kernelspec for a release."""
    return _KERNEL_NAME.sub("-", f"carrel-{reference.namespace}-{reference.name}-{reference.version}".lower())


def solve_here(
    publication: Publication, sources: Sources, on_progress: OnProgress = ignore_progress, cancel: CancelSignal | None = None
) -> Elsewhere:
    """Return what a publication from another platform becomes on this one, with what differs. Nothing is installed.

    Raises
    ------
    carrel.core.errors.Unsolvable
    carrel.core.errors.NotFound
        It has no environment.
    """
    if publication.locks is None:
        raise NotFound(f"{publication.reference} holds no locked environment.", code="not_reproducible")
    return solve_elsewhere(publication.locks, current_platform(), sources, on_event=on_progress, cancel=cancel)


def with_hub(sources: Sources, client: HubClient, reference: Reference) -> Sources:
    """Return *sources*, the namespace of *reference* on its hub first: where copies of what it needs are likely to be."""
    channel = f"{client.base_url}/conda/{reference.namespace}"
    index = f"{client.base_url}/pypi/{reference.namespace}/simple/"
    return replace(
        sources,
        channels=tuple(dict.fromkeys((channel, *sources.channels))),
        indexes=tuple(dict.fromkeys((index, *sources.indexes))),
    )


def reproduce(
    client: HubClient,
    reference: Reference,
    directory: Path,
    *,
    known_sources: Iterable[str],
    trust_sources: bool,
    sources: Sources,
    on_progress: OnProgress,
    cancel: CancelSignal,
    envs_folder: Path | None = None,
    trust: TrustStore | None = None,
    allow_solve: bool = False,
    program: str = "",
) -> Reproduced:
    """Rebuild the environment of a publication, give it kernels and copy the notebook into *directory*.

    Nothing is solved: exactly the locked files are installed, and each must have its locked digest. An environment that exists
    already is used as it is. The notebook gets the kernel of its language.

    Parameters
    ----------
    allow_solve : bool
        Whether a publication from another platform may be solved anew for this one; what differs is in the result.
    program : str
        On whose behalf, for the history of the environment (``carrel reproduce``, ``jupyter``); guessed by default.

    Raises
    ------
    carrel.core.errors.Forbidden
        With code ``sources_untrusted`` when packages would come from places that nobody agreed to (field ``sources``).
    carrel.core.errors.Unprocessable
        With code ``platform_mismatch`` when there is no lock for this platform (fields ``platforms``, ``solvable``).
    """
    trust = trust or TrustStore()
    on_progress(Progress("fetch", message=f"Fetching {reference}"))
    publication = fetch(client, reference, cancel)
    made = _Made()
    if publication.locks is not None:
        if not publication.fits and not allow_solve:
            raise platform_mismatch(f"The environment of {publication.reference}", publication.locks.platforms)
        agreement = _Agreement(trust, tuple(known_sources), trust_sources)
        made = _make(client, publication, sources, agreement, envs_folder, program, on_progress, cancel)
    path = None
    if publication.notebook is not None and publication.notebook_file is not None:
        on_progress(Progress("copy", message="Copying the notebook"))
        path = place(client, publication, directory, made.kernelspec, cancel)
        if made.prefix is not None:
            add_reference(made.prefix, str(path.absolute()))
    return Reproduced(
        path=path,
        kernel_name=made.kernelspec["name"] if made.kernelspec else None,
        environment=inspect(made.prefix).id if made.prefix else None,
        prefix=made.prefix,
        built=made.built,
        kernels=made.kernels,
        solved=made.solved,
        warnings=tuple(made.warnings),
        language=made.kernelspec["language"] if made.kernelspec else "",
    )


@dataclass(slots=True)
class _Made:
    """An environment with its kernels, as far as there is one."""

    prefix: Path | None = None
    built: bool = False
    solved: Elsewhere | None = None
    kernels: tuple[str, ...] = ()
    kernelspec: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Agreement:
    """What the person has agreed to install from, and whether they agree to the rest."""

    trust: TrustStore
    known: tuple[str, ...]
    to_all: bool

    def require(self, publication: Publication) -> None:
        """Note the agreement to the places of *publication*; see :func:`reproduce`."""
        unknown = new_sources(publication, self.known, self.trust)
        if unknown and not self.to_all:
            raise Forbidden(
                f"Packages would come from places that were not used here before: {', '.join(unknown)}. Agree to them first.",
                code="sources_untrusted",
                sources=list(unknown),
            )
        self.trust.add(unknown)


def _make(
    client: HubClient,
    publication: Publication,
    sources: Sources,
    agreement: _Agreement,
    envs_folder: Path | None,
    program: str,
    on_progress: OnProgress,
    cancel: CancelSignal,
) -> _Made:
    made = _Made()
    lock, exact = publication.lock, publication.reference
    if lock is None:
        return made
    if not publication.fits:
        agreement.require(publication)
        made.solved = solve_here(publication, sources, on_progress, cancel)
        lock = made.solved.lock
    prefix, ready = target_prefix(lock, envs_folder)
    if not ready:
        agreement.require(publication)
        on_progress(Progress("download", 0, lock.download_bytes, "bytes", f"Rebuilding {len(lock.conda) + len(lock.pypi)} packages"))
    rebuild(
        lock,
        prefix,
        sources=with_hub(sources, client, exact),
        hubs=[client.base_url],
        reference=str(exact),
        origin=Origin(f"rebuilt from {exact}", (f"rebuild {exact.page(client.base_url)}",), program),
        on_event=noting(on_progress, made.warnings),
        cancel=cancel,
    )
    made.prefix, made.built = prefix, not ready
    try:
        made.kernels, made.kernelspec = _give_kernels(client, publication, lock, prefix)
    except NotFound as error:
        made.warnings.append(error.detail)  # an environment without kernels is one for other programs
    return made


def noting(on_progress: OnProgress, warnings: list[str]) -> OnProgress:
    """Return *on_progress*, with warnings kept in *warnings* too."""

    def note(report: Progress) -> None:
        if report.stage == "warning":
            warnings.append(report.message)
        on_progress(report)

    return note


def _give_kernels(client: HubClient, publication: Publication, lock: Lock, prefix: Path) -> tuple[tuple[str, ...], dict[str, Any] | None]:
    """Make a kernelspec for each language of the environment; return their names, and what the notebook says of its own."""
    exact = publication.reference
    display = f"{exact.name} ({exact.namespace}/{exact.name} v{exact.version})"
    metadata = {"ref": str(exact), "hub": client.base_url, "sha256": lock.digest}
    folders = install_kernelspecs(prefix, kernel_name(exact), display, user_data_folder=Path(jupyter_data_dir()), metadata=metadata)
    specs = [(folder.name, json.loads((folder / "kernel.json").read_bytes())) for folder in folders]
    wanted = (publication.language or "").lower()
    name, spec = next((one for one in specs if one[1]["language"].lower() == wanted), specs[0])
    names = tuple(name for name, _ in specs)
    return names, {"name": name, "display_name": spec["display_name"], "language": spec["language"]}


def lock_packages(lock: Lock) -> list[dict[str, Any]]:
    """Return the packages of *lock* as they are shown before anything is installed."""
    listed: list[dict[str, Any]] = [
        {"name": p.name, "version": p.version, "source": "conda", "channel": strip_url(p.channel)} for p in lock.conda
    ]
    listed += [
        {"name": p.name, "version": p.version, "source": "pypi", "channel": strip_url(p.index) if p.index else None} for p in lock.pypi
    ]
    return sorted(listed, key=lambda item: str(item["name"]))


def describe_kind(lock: Lock) -> str:
    """Return ``conda`` or ``venv``."""
    return "venv" if lock.kind is LockKind.VENV else "conda"
