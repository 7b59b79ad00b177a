"""Rebuild a published environment on this machine and put a copy of its notebook where it can be run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from jupyter_core.paths import jupyter_data_dir

from carrel.client.hub import HubClient
from carrel.client.models import File, Package, Release
from carrel.client.references import Reference
from carrel.core.errors import BadRequest, Forbidden, InvalidFile, NotFound, Unprocessable
from carrel.core.kinds import Kind
from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments import Sources, already_built, environment_folder, inspect, install_kernelspec, rebuild
from carrel.environments.credentials import strip_url
from carrel.environments.locations import current_platform, data_folder
from carrel.formats.environment import load_lock
from carrel.formats.environment.lock import Lock, LockKind, split_conda_url
from carrel.sharing import notebook as notebooks

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
    lock: Lock | None

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


def origin(url: str) -> str:
    """Return scheme, host and port of *url*."""
    parts = urlsplit(strip_url(url))
    return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What was made: the notebook's copy, its kernel and the environment."""

    path: Path | None
    kernel_name: str | None
    environment: str | None
    prefix: Path | None
    built: bool


def fetch(client: HubClient, reference: Reference, cancel: CancelSignal | None = None) -> Publication:
    """Return the publication that *reference* names, with its notebook and lock read.

    Raises
    ------
    carrel.core.errors.NotFound
    """
    package = client.package(reference.namespace, reference.name)
    release = client.release(reference.namespace, reference.name, reference.version or "latest")
    notebook_file = next((file for file in release.files if file.kind == Kind.NOTEBOOK), None)
    lock_file = next((file for name in LOCK_FILENAMES for file in release.files if file.filename == name), None)
    if lock_file is None:
        lock_file = next(
            (f for f in release.files if f.kind == Kind.ENVIRONMENT and ("conda-lock" in f.filename or f.filename.startswith("pylock."))),
            None,
        )
    if notebook_file is None and lock_file is None:
        raise NotFound(
            f"{reference} holds neither a notebook nor a locked environment, so there is nothing to rebuild.", code="not_reproducible"
        )
    notebook = None
    if notebook_file is not None:
        notebook = notebooks.parse(client.read(notebook_file, limit=NOTEBOOK_BYTES, cancel=cancel))
    lock = _read_lock(lock_file.filename, client.read(lock_file, cancel=cancel)) if lock_file is not None else None
    return Publication(package, release, notebook_file, notebook, lock_file, lock)


def _read_lock(filename: str, content: bytes) -> Lock:
    try:
        return load_lock(filename, content, current_platform())
    except (BadRequest, NotFound) as error:
        if isinstance(error, InvalidFile):
            raise
        return load_lock(filename, content)  # a lock for another platform: it is shown, and not built


def target_prefix(lock: Lock, folder: Path | None = None) -> tuple[Path, bool]:
    """Return where the environment of *lock* lives and whether it is built: one folder for all notebooks with the same packages.

    An environment that somebody changed after it was rebuilt is left alone; the exact one is built beside it.
    """
    base = environment_folder(lock, folder)
    prefix, number = base, 1
    while prefix.exists():
        if already_built(lock, prefix):
            return prefix, True
        if not (prefix / "pyvenv.cfg").exists() and not (prefix / "conda-meta" / "history").exists():
            break  # the remains of a rebuild that was cut off: rebuilding clears them
        number += 1
        prefix = base.with_name(f"{base.name}-{number}")
    return prefix, False


class TrustStore:
    """Addresses of channels and indexes that the person agreed to install from, in a private file of this machine."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or data_folder() / "trusted-sources.json"

    def trusted(self) -> frozenset[str]:
        """Return the addresses."""
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return frozenset()
        return frozenset(item for item in found if isinstance(item, str)) if isinstance(found, list) else frozenset()

    def add(self, sources: Iterable[str]) -> None:
        """Remember *sources*."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(sorted(self.trusted() | set(sources)), indent=1), "utf-8")
        temporary.chmod(0o600)
        temporary.replace(self.path)


def new_sources(publication: Publication, known: Iterable[str], trust: TrustStore) -> tuple[str, ...]:
    """Return the addresses that this machine has not installed from: neither configured (*known*) nor agreed to."""
    trusted = [strip_url(source).rstrip("/") for source in [*known, *trust.trusted()]]
    return tuple(source for source in publication.sources if not any(source == base or source.startswith(base + "/") for base in trusted))


def kernel_name(reference: Reference) -> str:
    """Return the name of the kernelspec for a release."""
    return _KERNEL_NAME.sub("-", f"carrel-{reference.namespace}-{reference.name}-{reference.version}".lower())


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
) -> Reproduced:
    """Rebuild the environment of a publication, give it a kernel and copy the notebook into *directory*.

    No dependency is solved: exactly the locked files are installed, and each must have its locked digest. An environment that
    exists already is used as it is.

    Raises
    ------
    carrel.core.errors.Forbidden
        With code ``sources_untrusted`` when packages would come from places that nobody agreed to (field ``sources``).
    carrel.core.errors.Unprocessable
        With code ``platform_mismatch`` when the lock is for another platform.
    """
    trust = trust or TrustStore()
    on_progress(Progress("fetch", message=f"Fetching {reference}"))
    publication = fetch(client, reference, cancel)
    exact = publication.reference
    kernelspec: dict[str, Any] | None = None
    prefix: Path | None = None
    name: str | None = None
    built = False
    if publication.lock is not None:
        lock = publication.lock
        if lock.platform and lock.platform != current_platform():
            raise Unprocessable(
                f"The environment of {exact} was captured on {lock.platform} and this machine is {current_platform()}. "
                "Ask its author to publish it from this platform.",
                code="platform_mismatch",
            )
        prefix, ready = target_prefix(lock, envs_folder)
        if not ready:
            unknown = new_sources(publication, known_sources, trust)
            if unknown and not trust_sources:
                raise Forbidden(
                    f"Packages would come from places that were not used here before: {', '.join(unknown)}. Agree to them first.",
                    code="sources_untrusted",
                    sources=list(unknown),
                )
            trust.add(unknown)
            on_progress(Progress("download", 0, lock.download_bytes, "bytes", f"Rebuilding {len(lock.conda) + len(lock.pypi)} packages"))
            rebuild(lock, prefix, sources=sources, on_event=on_progress, cancel=cancel)
            built = True
        name = kernel_name(exact)
        display = f"{exact.name} ({exact.namespace}/{exact.name} v{exact.version})"
        metadata = {"ref": str(exact), "hub": client.base_url, "sha256": lock.digest}
        install_kernelspec(prefix, name, display, user_data_folder=Path(jupyter_data_dir()), metadata=metadata)
        kernelspec = {"name": name, "display_name": display, "language": "python"}
    path = None
    if publication.notebook is not None and publication.notebook_file is not None:
        on_progress(Progress("copy", message="Copying the notebook"))
        path = _place(client, publication, directory, kernelspec, cancel)
    return Reproduced(path, name, inspect(prefix).id if prefix else None, prefix, built)


def _place(client: HubClient, publication: Publication, directory: Path, kernelspec: dict[str, Any] | None, cancel: CancelSignal) -> Path:
    if publication.notebook is None or publication.notebook_file is None:
        raise NotFound(f"{publication.reference} holds no notebook.")
    directory.mkdir(parents=True, exist_ok=True)
    files = [file for file in publication.release.files if file.kind == Kind.FILE]
    wanted = notebooks.publication(publication.notebook).get("files")
    paths = wanted if isinstance(wanted, dict) else {}
    places = [(file, _relative(str(paths.get(file.filename, file.filename)))) for file in files]
    if any(_is_other(directory / place, file) for file, place in places):
        directory = _free(directory, f"{publication.release.package}-v{publication.release.version}", "")
        directory.mkdir()
    for file, place in places:
        target = directory / place
        if not target.resolve().is_relative_to(directory.resolve()):
            raise BadRequest(f"The data file {file.filename} would lie outside of {directory}.", code="invalid_data_file")
        if not target.exists():
            client.download(file, target, cancel=cancel)
    copy = notebooks.untrusted_copy(publication.notebook, kernelspec)
    stem = PurePosixPath(publication.notebook_file.filename.replace("\\", "/")).stem or publication.release.package
    content = notebooks.serialize(copy)
    while True:
        path = _free(directory, stem, ".ipynb")
        with contextlib.suppress(FileExistsError), path.open("xb") as file_object:  # never over a file that appeared meanwhile
            file_object.write(content)
            return path


def _relative(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or not path.parts or any(part in ("..", "") or part.startswith(".") or ":" in part for part in path.parts):
        raise BadRequest(
            f"The publication names a data file {name[:200]!r} that cannot be placed beside the notebook.", code="invalid_data_file"
        )
    return path


def _is_other(path: Path, file: File) -> bool:
    if not path.exists():
        return False
    if not path.is_file() or path.stat().st_size != file.size:
        return True
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() != file.sha256


def _free(directory: Path, stem: str, suffix: str) -> Path:
    path = directory / f"{stem}{suffix}"
    number = 1
    while path.exists():
        path = directory / f"{stem}-{number}{suffix}"
        number += 1
    return path


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
