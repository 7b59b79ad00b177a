"""What an upload is going to do, decided before anything is sent, and then done several files at a time.

Kind, name and version are read from the bytes, as the hub will. Notebooks, environments and data files cannot say their
version: those of one package go into the next numbered release together, a draft until all of them are there. A run that was
interrupted is continued by the same command: what the hub has is recognised by its digest and not sent again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from carrel.cli.exits import problem_json
from carrel.cli.parallel import Counter, in_parallel
from carrel.client.models import File, Release
from carrel.client.transfer import sha256_of
from carrel.core.errors import BadRequest, Cancelled, CarrelError, FileExists, NotFound
from carrel.core.kinds import Kind
from carrel.core.names import canonical_package
from carrel.core.progress import OnProgress, Progress
from carrel.formats import Hints, read

if TYPE_CHECKING:
    from carrel.client.hub import HubClient

T = TypeVar("T")
# These cannot say which version they are.
_UNVERSIONED = frozenset({Kind.NOTEBOOK, Kind.ENVIRONMENT, Kind.FILE})
# What is wrong with one file says nothing about the next; other errors would only repeat.
_ABOUT_ONE_FILE = frozenset({400, 409, 413, 422})
_NO_VERSION = "0"


@dataclass(frozen=True)
class Wishes:
    """What the person said about all files of an upload."""

    namespace: str
    package: str | None = None
    version: str | None = None
    kind: str | None = None
    labels: tuple[str, ...] = ()
    visibility: str | None = None
    summary: str | None = None
    skip_existing: bool = False
    force: bool = False


@dataclass
class Item:
    """One file on its way.

    ``status`` is empty until it is ``planned``, ``present`` (the hub has these bytes), ``skipped`` (it has others),
    ``uploaded`` or ``failed``.
    """

    path: Path
    size: int = 0
    sha256: str = ""
    kind: Kind = Kind.FILE
    package: str = ""
    version: str = ""
    filename: str = ""
    subdir: str = ""
    status: str = ""
    file: File | None = None
    error: CarrelError | None = None

    @property
    def numbered(self) -> bool:
        """Whether the hub gives the version."""
        return not self.version

    def fail(self, error: CarrelError) -> None:
        """Give the file up because of *error*, or end everything when it concerns all files."""
        if error.status not in _ABOUT_ONE_FILE:
            raise error
        self.status, self.error = "failed", error

    def to_json(self) -> dict[str, Any]:
        """Return the file as the command answers it."""
        document: dict[str, Any] = {"path": str(self.path), "status": self.status}
        if self.error is not None:
            return {**document, "error": problem_json(self.error)}
        document |= {"filename": self.filename, "kind": self.kind.value, "package": self.package, "version": self.version}
        document |= {"subdir": self.subdir, "size": self.size, "sha256": self.sha256}
        if self.file is not None:
            document |= {"labels": list(self.file.labels), "download_url": self.file.download_url}
        return document


@dataclass
class _Release:
    """What is known of a release of the hub: its files by platform and name."""

    version: str
    files: dict[tuple[str, str], File] = field(default_factory=dict)

    @classmethod
    def of(cls, release: Release) -> _Release:
        return cls(release.version, {(file.subdir, file.filename): file for file in release.files})

    def has(self, item: Item) -> bool:
        found = self.files.get((item.subdir, item.filename))
        return found is not None and found.sha256 == item.sha256


class Upload:
    """One run of ``carrel upload``.

    Parameters
    ----------
    client : HubClient
    wishes : Wishes
    paths : sequence of Path
    jobs : int
        How many files are read and sent at the same time.
    cancel : threading.Event
    """

    def __init__(self, client: HubClient, wishes: Wishes, paths: Sequence[Path], jobs: int, cancel: threading.Event) -> None:
        self._client = client
        self._wishes = wishes
        self._jobs = jobs
        self._cancel = cancel
        self.items = [Item(path, path.stat().st_size) for path in paths]
        self.drafts: dict[str, str] = {}  # package -> version, of releases that are published when all is there

    # Before anything is sent

    def plan(self, on_progress: OnProgress) -> None:
        """Read the files, and find out what the hub has already."""
        total, lock = len(self.items), threading.Lock()
        done = 0

        def look(item: Item) -> None:
            nonlocal done
            self._read(item)
            with lock:
                done += 1
                on_progress(Progress("read", done, total))

        self._each(self.items, look)
        self._refuse_twins()
        known = [item for item in self._open() if item.version]
        by_release: dict[tuple[str, str], list[Item]] = {}
        for item in known:
            by_release.setdefault((canonical_package(item.package), item.version), []).append(item)
        self._each(list(by_release.values()), self._compare)
        numbered: dict[str, list[Item]] = {}
        for item in self._open():
            if item.numbered:
                numbered.setdefault(canonical_package(item.package), []).append(item)
        for items in numbered.values():
            self._find_release(items)

    def _read(self, item: Item) -> None:
        wishes = self._wishes
        item.package = wishes.package or ""
        try:
            with item.path.open("rb") as source:
                item.sha256, item.size = sha256_of(source, self._cancel)
                source.seek(0)
                hints = Hints(wishes.package, wishes.version or _NO_VERSION)
                found = read(item.path.name, source, wishes.kind, hints)
        except CarrelError as error:
            if isinstance(error, Cancelled):
                raise
            item.fail(error)
            return
        item.kind, item.filename, item.subdir = found.kind, found.filename, found.subdir
        item.package = found.package
        item.version = wishes.version or "" if found.kind in _UNVERSIONED else found.version

    def _refuse_twins(self) -> None:
        seen: dict[tuple[str, str, str, str], Item] = {}
        for item in self._open():
            key = (canonical_package(item.package), item.version, item.subdir, item.filename)
            first = seen.setdefault(key, item)
            if first is not item and first.sha256 != item.sha256:
                item.fail(
                    BadRequest(
                        f"{first.path} would become the same file, {item.filename} of {item.package}. Rename one of them, or upload them "
                        "one after the other with different --package.",
                        code="same_name",
                    )
                )

    def _compare(self, items: list[Item]) -> None:
        """Compare *items*, of one release, with what the hub has."""
        try:
            release = _Release.of(self._client.release(self._wishes.namespace, items[0].package, items[0].version))
        except NotFound:
            release = _Release(items[0].version)
        for item in items:
            self._settle(item, release)

    def _settle(self, item: Item, release: _Release) -> None:
        found = release.files.get((item.subdir, item.filename))
        if found is None or (self._wishes.force and found.sha256 == item.sha256):
            item.status = "planned"
        elif found.sha256 == item.sha256:
            item.status, item.file = "present", found
        elif self._wishes.skip_existing:
            item.status = "skipped"
        else:
            item.fail(self._taken(item))

    def _find_release(self, items: list[Item]) -> None:
        """Decide the release of *items*, files of one package that the hub is to number."""
        package = items[0].package
        try:
            releases = self._client.releases(self._wishes.namespace, package)
        except NotFound:
            releases = ()
        latest = next((_Release.of(release) for release in releases if release.state == "published"), None)
        if latest is not None and not self._wishes.force and all(latest.has(item) for item in items):
            chosen = latest
        else:
            drafts = [_Release.of(release) for release in releases if release.state == "draft" and release.files]
            own = {(item.subdir, item.filename): item.sha256 for item in items}
            resumed = next(
                (draft for draft in drafts if {key: file.sha256 for key, file in draft.files.items()}.items() <= own.items()), None
            )
            chosen = resumed or _Release("")
            self.drafts[package] = chosen.version
        for item in items:
            item.version = chosen.version
            self._settle(item, chosen)

    def _taken(self, item: Item) -> FileExists:
        force = "--force does not change that: " if self._wishes.force else ""
        where = f"{item.filename} of {self._wishes.namespace}/{item.package} {item.version}"
        return FileExists(
            f"{where} exists with other bytes. {force}A name is never given to other bytes, because clients keep what they have under it. "
            "Give the file a new version or build number, or go on without it with --skip-existing.",
            filename=item.filename,
        )

    # Sending

    def send(self, on_progress: OnProgress) -> None:
        """Upload what is planned, and publish the releases that are complete."""
        planned = [item for item in self.items if item.status == "planned"]
        made = self._start_drafts()
        counter = Counter("upload", sum(item.size for item in planned), on_progress)
        try:
            self._each(planned, lambda item: self._send(item, counter))
            self._relabel()
            for package, version in list(self.drafts.items()):
                if self._complete(package):
                    labels = self._wishes.labels or None
                    self._client.publish_release(self._wishes.namespace, package, version, labels)
                    del self.drafts[package]
        finally:
            for package, version in made.items():
                if not any(item.status == "uploaded" and item.package == package for item in self.items):
                    self.drafts.pop(package, None)
                    with contextlib.suppress(CarrelError):  # what went wrong before is what counts
                        self._client.delete_release(self._wishes.namespace, package, version)

    def _start_drafts(self) -> dict[str, str]:
        made: dict[str, str] = {}
        for package, version in self.drafts.items():
            if version:
                continue
            wishes = self._wishes
            draft = self._client.start_release(wishes.namespace, package, visibility=wishes.visibility, summary=wishes.summary)
            made[package] = draft.version
            for item in self.items:
                if item.package == package and item.numbered and item.status == "planned":
                    item.version = draft.version
        self.drafts |= made
        return made

    def _complete(self, package: str) -> bool:
        return all(item.status in ("uploaded", "present", "skipped") for item in self.items if item.package == package)

    def _send(self, item: Item, counter: Counter) -> None:
        wishes = self._wishes
        named = item.kind in _UNVERSIONED
        try:
            item.file = self._client.upload_file(
                wishes.namespace,
                item.path,
                item.path.name,
                package=item.package if named else wishes.package,
                version=item.version if named else wishes.version,
                kind=wishes.kind or item.kind.value,
                labels=wishes.labels,
                visibility=wishes.visibility,
                summary=wishes.summary,
                sha256=item.sha256,
                progress=counter.of(item.path),
                cancel=self._cancel,
            )
        except FileExists as error:
            if wishes.skip_existing:
                item.status = "skipped"
            else:
                item.fail(error)
        except CarrelError as error:
            item.fail(error)
        else:
            item.status = "uploaded"
        counter.finish(item.path, item.size)

    def _relabel(self) -> None:
        """Give what was there already the labels, and its package the visibility and summary, that an upload would have given."""
        wishes = self._wishes
        sent = {item.package for item in self.items if item.status == "uploaded"}
        there = [item for item in self.items if item.status == "present" and item.file is not None]
        for item in there:
            if item.file is not None and not set(wishes.labels) <= set(item.file.labels):
                labels = sorted({*item.file.labels, *wishes.labels})
                at = (wishes.namespace, item.package, item.version, item.filename)
                item.file = self._client.labels.set_on_file(*at, labels, item.subdir)
        if wishes.visibility or wishes.summary:
            for package in sorted({item.package for item in there} - sent):
                self._client.update_package(wishes.namespace, package, visibility=wishes.visibility, summary=wishes.summary)

    def _open(self) -> list[Item]:
        return [item for item in self.items if not item.status]

    def _each(self, work: Sequence[T], do: Callable[[T], None]) -> None:
        in_parallel(work, do, self._jobs, self._cancel)
