"""Bytes and releases on their way: drafts, uploads, downloads."""

from __future__ import annotations

import io
import mimetypes
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from carrel.client import transfer
from carrel.client.decoding import decode
from carrel.client.endpoints import Endpoints, path
from carrel.client.models import File, Release
from carrel.core.errors import Cancelled
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, ignore_progress

UPLOAD_SECONDS = 600.0  # the hub answers an upload after it has verified and stored it


class PublishingMethods(Endpoints):
    """The part of :class:`carrel.client.hub.HubClient` that moves bytes and publishes releases."""

    def start_release(
        self,
        namespace: str,
        name: str,
        *,
        version: str | None = None,
        visibility: str | None = None,
        summary: str | None = None,
        message: str | None = None,
        kind: str | None = None,
        if_changed: Mapping[str, str] | None = None,
    ) -> Release:
        """Open a draft release that nobody else sees until :meth:`publish_release`.

        Parameters
        ----------
        version : str, optional
            By default the next integer.
        if_changed : mapping of str to str, optional
            Digests (SHA-256) by file name. If the latest published release has exactly these files, it is returned with
            ``unchanged`` set and no draft is made.
        """
        body = {
            "version": version,
            "visibility": visibility,
            "summary": summary,
            "message": message,
            "kind": kind,
            "if_changed": dict(if_changed) if if_changed is not None else None,
        }
        response = self._http.request(
            "POST", path("packages", namespace, name, "releases"), json={key: value for key, value in body.items() if value is not None}
        )
        document = dict(response.json())
        document["unchanged"] = response.headers.get("Carrel-Unchanged", "").lower() == "true"
        return decode(Release, document)

    def publish_release(self, namespace: str, name: str, version: str, labels: Iterable[str] | None = None) -> Release:
        """Make a draft release visible."""
        body = {} if labels is None else {"labels": list(labels)}
        return decode(Release, self._http.json("POST", path("packages", namespace, name, "releases", version, "publish"), json=body))

    def upload_file(
        self,
        namespace: str,
        content: Path | bytes,
        filename: str,
        *,
        package: str | None = None,
        version: str | None = None,
        kind: str | None = None,
        labels: Iterable[str] = (),
        visibility: str | None = None,
        summary: str | None = None,
        sha256: str | None = None,
        progress: OnProgress = ignore_progress,
        cancel: CancelSignal | None = None,
    ) -> File:
        """Upload one file, streamed; the hub checks the digest on arrival.

        Parameters
        ----------
        sha256 : str, optional
            Digest of the content where it is known already; it is computed otherwise.

        Raises
        ------
        carrel.core.errors.FileExists
            The name is taken by other bytes.
        carrel.core.errors.MetadataMismatch
            The file says something else than the arguments.
        """
        params: list[tuple[str, str]] = [("label", label) for label in labels]
        options = {"package": package, "version": version, "kind": kind, "visibility": visibility, "summary": summary}
        params += [(key, value) for key, value in options.items() if value is not None]
        cancel = cancel or NeverCancelled()
        source: BinaryIO = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
        with source:
            if sha256 is None:
                sha256, size = transfer.sha256_of(source, cancel)
            else:
                size = source.seek(0, io.SEEK_END)
                source.seek(0)
            headers = {
                "Content-Type": mimetypes.guess_type(filename)[0] or "application/octet-stream",
                "Content-Length": str(size),
                "Carrel-Sha256": sha256,
            }
            body: Any = transfer.ReportingReader(source, size, progress, cancel)
            document = self._http.json(
                "PUT",
                path("namespaces", namespace, "files", filename),
                params=params,
                data=body,
                headers=headers,
                timeout=UPLOAD_SECONDS,
                cancel=cancel,
            )
        if cancel.is_set():
            raise Cancelled("Cancelled.")
        return decode(File, document)

    def download(self, file: File, dest: Path, progress: OnProgress = ignore_progress, cancel: CancelSignal | None = None) -> Path:
        """Fetch *file* to *dest*, a folder or a file name, and return where it is.

        The bytes go to a temporary file, are compared with ``file.sha256`` and get their name at last.
        """
        name = Path(file.filename.replace("\\", "/")).name
        target = dest / name if dest.is_dir() else dest
        return transfer.download(
            self._http, file.download_url, target, sha256=file.sha256, size=file.size, on_progress=progress, cancel=cancel
        )

    def read(self, file: File, limit: int = 200_000_000, cancel: CancelSignal | None = None) -> bytes:
        """Return the verified bytes of a small *file*."""
        return transfer.read(self._http, file.download_url, file.filename, sha256=file.sha256, limit=limit, cancel=cancel)
