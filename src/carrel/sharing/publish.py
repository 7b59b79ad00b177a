"""Publish a notebook with the environment it ran in, as one release that is complete or absent."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from carrel.client.hub import HubClient
from carrel.client.models import Release
from carrel.client.references import Reference
from carrel.core.digests import digest
from carrel.core.errors import CarrelError, NotFound, Unprocessable
from carrel.core.kinds import Kind
from carrel.core.names import slugify, validate_namespace, validate_package
from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments import Sources, capture
from carrel.formats.environment import dump_lock, environment_yml, load_lock
from carrel.formats.environment.lock import Lock
from carrel.sharing import notebook as notebooks
from carrel.sharing.reachability import out_of_reach
from carrel.sharing.secrets import Decision, Finding, Where, redact, redact_text, scan_notebook, scan_text
from carrel.sharing.secrets.findings import make_finding

SCANNED_FILE_BYTES = 20 * 1000 * 1000


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What to publish and where.

    Attributes
    ----------
    filename : str
        Name of the notebook's file.
    notebook : mapping
        Its JSON content.
    folder : pathlib.Path
        Where the notebook lies; data files are found below it.
    namespace, name : str
    prefix : pathlib.Path or None
        Environment to capture; None publishes the notebook alone.
    visibility : str or None
        None leaves the package's own, or the namespace's default.
    outputs : {"keep", "images", "clear"}
    decisions : mapping
        What to do about each finding, by its id.
    data_files : sequence of str
        Paths relative to *folder*.
    """

    filename: str
    notebook: Mapping[str, Any]
    folder: Path
    namespace: str
    name: str
    prefix: Path | None = None
    visibility: str | None = None
    message: str = ""
    summary: str = ""
    outputs: notebooks.Outputs = "keep"
    decisions: Mapping[str, str] = field(default_factory=dict)
    data_files: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A finished publication.

    ``unchanged``: the hub had it already and no version was made; ``warnings``: sentences for the person who published.
    """

    url: str
    namespace: str
    name: str
    version: str
    unchanged: bool
    metadata: dict[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Upload:
    filename: str
    kind: Kind
    content: bytes | Path  # a path is streamed

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @property
    def sha256(self) -> str:
        if isinstance(self.content, bytes):
            return digest(self.content).sha256
        with self.content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def scan_environment(texts: Mapping[str, str]) -> list[Finding]:
    """Return the secrets in the files that describe an environment, by file name."""
    return [make_finding(match, Where.ENVIRONMENT, text, file=name) for name, text in texts.items() for match in scan_text(text)]


def scan_data_files(folder: Path, names: Sequence[str]) -> list[Finding]:
    """Return the secrets in the text files *names* below *folder*; binary and very large files are not read."""
    found: list[Finding] = []
    for name in names:
        path = notebooks.resolve_data_file(folder, name)
        text = _text_of(path)
        if text is not None:
            found += [make_finding(match, Where.ATTACHMENT, text, file=name) for match in scan_text(text)]
    return found


def _text_of(path: Path) -> str | None:
    if path.stat().st_size > SCANNED_FILE_BYTES:
        return None
    content = path.read_bytes()
    if b"\0" in content[:8192]:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def environment_files(lock: Lock) -> dict[str, bytes]:
    """Return the files under which *lock* is shared: the exact one and ``environment.yml``."""
    filename, content = dump_lock(lock)
    return {filename: content, "environment.yml": environment_yml.write(environment_yml.from_lock(lock))}


def require_decisions(findings: Sequence[Finding], decisions: Mapping[str, str]) -> None:
    """Refuse when a sure finding has not been decided about.

    Raises
    ------
    carrel.core.errors.Unprocessable
        With code ``secrets_undecided`` and the findings, masked.
    """
    for value in decisions.values():
        if value not in {decision.value for decision in Decision}:
            raise Unprocessable(f"{value!r} is not a decision: use redact, remove_output or not_secret.", code="invalid_decision")
    open_ = [finding for finding in findings if finding.strong and finding.id not in decisions]
    if open_:
        places = ", ".join(sorted({_place(finding) for finding in open_}))
        raise Unprocessable(
            f"The notebook holds what looks like {len(open_)} secret{'s' if len(open_) > 1 else ''} ({places}). Decide for each whether "
            "to redact it in the published copy. A key that was printed should be revoked.",
            code="secrets_undecided",
            findings=[finding.to_json() for finding in open_],
        )


def _place(finding: Finding) -> str:
    where = finding.file or (f"cell {finding.cell + 1}" if finding.cell is not None else "notebook")
    return f"{finding.kind} in {where}, {finding.where.value}"


def publish(request: PublishRequest, client: HubClient, sources: Sources, *, on_progress: OnProgress, cancel: CancelSignal) -> Published:
    """Publish *request*.

    Nothing is visible on the hub before everything is there. When the work fails or is cancelled the draft is removed; when
    the latest release already has exactly this content no new version is made.

    Raises
    ------
    carrel.core.errors.CarrelError
    """
    validate_namespace(request.namespace)
    validate_package(request.name)
    on_progress(Progress("scan", message="Looking for secrets"))
    copy = notebooks.prepare(notebooks.check(request.notebook), request.outputs)
    findings = scan_notebook(copy) + scan_data_files(request.folder, request.data_files)
    require_decisions(findings, request.decisions)
    copy = redact(copy, findings, request.decisions)
    data = _data_uploads(request, findings)

    lock: Lock | None = None
    if request.prefix is not None:
        on_progress(Progress("capture", message="Capturing the environment"))
        lock = capture(request.prefix, sources, on_event=on_progress, cancel=cancel)
    latest = _latest(client, request)
    uploads = [*_environment_uploads(client, request, lock, latest), *data.values()]
    members = _members(request, client, lock, {path: upload.filename for path, upload in data.items()})

    filename = PurePosixPath(request.filename).name

    def notebook_upload(version: str) -> _Upload:
        content = notebooks.serialize(notebooks.embed(copy, {**members, "version": version}))
        return _Upload(filename, Kind.NOTEBOOK, content)

    if_changed = None
    if latest is not None:
        if_changed = {upload.filename: upload.sha256 for upload in [*uploads, notebook_upload(latest.version)]}
    release = client.start_release(
        request.namespace,
        request.name,
        visibility=request.visibility,
        summary=request.summary or notebooks.summary(copy) or None,
        message=request.message or None,
        kind=Kind.NOTEBOOK.value,
        if_changed=if_changed,
    )
    metadata = {**members, "version": release.version}
    if release.unchanged:
        return _published(client, release, metadata)
    try:
        _upload_all(client, release, [*uploads, notebook_upload(release.version)], on_progress, cancel)
        finished = client.publish_release(request.namespace, request.name, release.version)
    except BaseException:
        with contextlib.suppress(CarrelError):
            client.delete_release(request.namespace, request.name, release.version)
        raise
    return _published(client, finished, metadata, lock)


def _published(client: HubClient, release: Release, metadata: dict[str, Any], lock: Lock | None = None) -> Published:
    reference = Reference(release.namespace, release.package, release.version)
    url = release.url or reference.page(client.base_url)
    warnings: list[str] = []
    if lock is not None:
        with contextlib.suppress(CarrelError):  # it is published, whatever can be said about it
            warning = out_of_reach(client, client.package(release.namespace, release.package), lock)
            warnings += [warning] if warning else []
    return Published(url, release.namespace, release.package, release.version, release.unchanged, metadata, tuple(warnings))


def _latest(client: HubClient, request: PublishRequest) -> Release | None:
    try:
        return client.release(request.namespace, request.name)
    except NotFound:
        return None


def _members(request: PublishRequest, client: HubClient, lock: Lock | None, files: Mapping[str, str]) -> dict[str, Any]:
    members: dict[str, Any] = {"hub": client.base_url, "owner": request.namespace, "name": request.name}
    if lock is not None:
        members["environment"] = {"file": dump_lock(lock)[0], "sha256": lock.digest, "platform": lock.platform}
    if files:
        members["files"] = {filename: path for path, filename in files.items()}
    return members


def _environment_uploads(client: HubClient, request: PublishRequest, lock: Lock | None, latest: Release | None) -> list[_Upload]:
    if lock is None:
        return []
    filename, _ = dump_lock(lock)
    previous = next((file for file in latest.files if file.filename == filename), None) if latest else None
    if previous is not None:
        # The moment of capture is part of the file. The same packages keep the earlier moment, so that nothing has changed.
        with contextlib.suppress(CarrelError):
            before = load_lock(filename, client.read(previous), lock.platform)
            if before.digest == lock.digest:
                lock = dataclasses.replace(lock, captured_at=before.captured_at)
    texts = {name: content.decode() for name, content in environment_files(lock).items()}
    findings = scan_environment(texts)
    require_decisions(findings, request.decisions)
    for name in texts:
        texts[name] = redact_text(texts[name], _to_redact(findings, request.decisions, name))
    return [_Upload(name, Kind.ENVIRONMENT, text.encode()) for name, text in texts.items()]


def _to_redact(findings: Sequence[Finding], decisions: Mapping[str, str], name: str) -> list[Finding]:
    """Return the findings of the file *name* to take out. Guesses stay in files: replacing them may break the file."""
    return [f for f in findings if f.file == name and decisions.get(f.id, "redact" if f.strong else "not_secret") != Decision.NOT_SECRET]


def _data_uploads(request: PublishRequest, findings: Sequence[Finding]) -> dict[str, _Upload]:
    uploads: dict[str, _Upload] = {}
    taken = {PurePosixPath(request.filename).name}
    for name in request.data_files:
        path = notebooks.resolve_data_file(request.folder, name)
        own = _to_redact(findings, request.decisions, name)
        if any(request.decisions.get(finding.id) == Decision.REMOVE_OUTPUT for finding in own):
            continue
        content = redact_text(path.read_text("utf-8"), own).encode() if own else path
        filename = path.name
        if filename in taken:  # two folders may hold files of one name; a release may not
            filename = slugify(str(PurePosixPath(name).parent)) + "-" + path.name
        taken.add(filename)
        uploads[name] = _Upload(filename, Kind.FILE, content)
    return uploads


def _upload_all(client: HubClient, release: Release, uploads: Sequence[_Upload], on_progress: OnProgress, cancel: CancelSignal) -> None:
    total = sum(upload.size for upload in uploads)
    sent = 0
    for upload in uploads:
        before = sent

        def report(progress: Progress, before: int = before) -> None:
            on_progress(Progress("upload", before + progress.done, total, "bytes"))

        on_progress(Progress("upload", sent, total, "bytes", f"Uploading {upload.filename}"))
        client.upload_file(
            release.namespace,
            upload.content,
            upload.filename,
            package=release.package,
            version=release.version,
            kind=upload.kind.value,
            progress=report,
            cancel=cancel,
        )
        sent += upload.size
