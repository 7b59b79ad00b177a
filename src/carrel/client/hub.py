"""The hub's API as methods."""

from __future__ import annotations

import io
import mimetypes
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import requests
from requests.auth import HTTPBasicAuth

from carrel.client import transfer
from carrel.client.decoding import decode
from carrel.client.models import (
    DeviceCode,
    File,
    ImportMatch,
    Namespace,
    Package,
    Release,
    SearchResults,
    ServerInfo,
    Token,
    User,
)
from carrel.client.transport import Transport
from carrel.core.errors import Cancelled
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, ignore_progress

API = "api/v1"
UPLOAD_SECONDS = 600.0  # the hub answers an upload after it has verified and stored it


def _path(*parts: str) -> str:
    return "/".join([API, *(quote(part, safe="") for part in parts)])


class HubClient:
    """A client of one hub.

    Every method raises the errors of :mod:`carrel.core.errors`. Requests that can be repeated safely are repeated when the
    hub cannot be reached for a moment. An instance may be used from several threads.

    Parameters
    ----------
    base_url : str
        Address of the hub, without ``/api``.
    token : str, optional
        Token to act with. It travels in a header and to this hub alone.
    session : requests.Session, optional
        Session to use.
    """

    def __init__(self, base_url: str, token: str | None = None, session: requests.Session | None = None) -> None:
        self._http = Transport(base_url, token, session)
        self.authenticated = bool(token)

    @property
    def base_url(self) -> str:
        """Address of the hub, without a trailing slash."""
        return self._http.base_url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # The server and the caller

    def server(self, timeout: float = 10.0) -> ServerInfo:
        """Return what the hub says of itself."""
        return decode(ServerInfo, self._http.json("GET", f"{API}/", timeout=timeout))

    def whoami(self, timeout: float = 30.0) -> User:
        """Return the signed-in user.

        Raises
        ------
        carrel.core.errors.Unauthenticated
        """
        return decode(User, self._http.json("GET", f"{API}/user", timeout=timeout))

    def create_token(
        self,
        user: str,
        password: str,
        name: str,
        scopes: Iterable[str],
        *,
        namespace: str | None = None,
        expires_in: int | None = None,
    ) -> Token:
        """Create a token with a user's password. ``expires_in`` is in seconds."""
        body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
        if namespace is not None:
            body["namespace"] = namespace
        if expires_in is not None:
            body["expires_in"] = expires_in
        auth = HTTPBasicAuth(user.encode(), password.encode())
        return decode(Token, self._http.json("POST", f"{API}/tokens", json=body, auth=auth))

    def revoke_current_token(self) -> None:
        """Revoke the token this client uses."""
        self._http.request("DELETE", f"{API}/tokens/current").close()

    def device_code(self, client_name: str) -> DeviceCode:
        """Start a device sign-in: the person confirms the code in a browser while :meth:`device_token` is polled."""
        return decode(DeviceCode, self._http.json("POST", f"{API}/device/code", json={"client_name": client_name}))

    def device_token(self, device_code: str) -> Token:
        """Return the token of a confirmed device sign-in.

        Raises
        ------
        carrel.core.errors.BadRequest
            With code ``authorization_pending`` or ``slow_down`` (ask again later), ``expired_token`` or ``access_denied``.
        """
        return decode(Token, self._http.json("POST", f"{API}/device/token", json={"device_code": device_code}))

    # Finding

    def search(
        self,
        query: str,
        *,
        kinds: Iterable[str] = (),
        namespace: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
        timeout: float = 30.0,
    ) -> SearchResults:
        """Return packages whose names, summaries, modules or texts match *query*, best first."""
        params: list[tuple[str, str]] = [("q", query), ("limit", str(limit)), *(("kind", kind) for kind in kinds)]
        if namespace:
            params.append(("namespace", namespace))
        if cursor:
            params.append(("cursor", cursor))
        return decode(SearchResults, self._http.json("GET", f"{API}/search", params=params, timeout=timeout))

    def imports(self, modules: Iterable[str], timeout: float = 30.0) -> tuple[ImportMatch, ...]:
        """Return the packages that provide each of *modules*."""
        params = [("name", module) for module in modules]
        if not params:
            return ()
        return self._items(ImportMatch, "GET", f"{API}/imports", params=params, timeout=timeout)

    def namespaces(self) -> tuple[Namespace, ...]:
        """Return the caller's namespaces with their role in each."""
        return self.whoami().namespaces

    def packages(self, namespace: str, *, kind: str | None = None, label: str | None = None) -> Iterator[Package]:
        """Yield the packages of a namespace, page by page."""
        cursor: str | None = None
        while True:
            params = {"kind": kind, "label": label, "limit": "100", "cursor": cursor}
            page = self._http.json("GET", _path("namespaces", namespace, "packages"), params=params)
            for item in page.get("items", []):
                yield decode(Package, item)
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def package(self, namespace: str, name: str, timeout: float = 30.0) -> Package:
        """Return a package."""
        return decode(Package, self._http.json("GET", _path("packages", namespace, name), timeout=timeout))

    def releases(self, namespace: str, name: str, timeout: float = 30.0) -> tuple[Release, ...]:
        """Return the releases of a package, newest first."""
        return self._items(Release, "GET", _path("packages", namespace, name, "releases"), timeout=timeout)

    def release(self, namespace: str, name: str, version: str = "latest") -> Release:
        """Return one release with its files."""
        return decode(Release, self._http.json("GET", _path("packages", namespace, name, "releases", version)))

    # Publishing

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
            "POST", _path("packages", namespace, name, "releases"), json={key: value for key, value in body.items() if value is not None}
        )
        document = dict(response.json())
        document["unchanged"] = response.headers.get("Carrel-Unchanged", "").lower() == "true"
        return decode(Release, document)

    def publish_release(self, namespace: str, name: str, version: str, labels: Iterable[str] | None = None) -> Release:
        """Make a draft release visible."""
        body = {} if labels is None else {"labels": list(labels)}
        return decode(Release, self._http.json("POST", _path("packages", namespace, name, "releases", version, "publish"), json=body))

    def delete_release(self, namespace: str, name: str, version: str) -> None:
        """Remove a release, draft or published."""
        self._http.request("DELETE", _path("packages", namespace, name, "releases", version)).close()

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
        progress: OnProgress = ignore_progress,
        cancel: CancelSignal | None = None,
    ) -> File:
        """Upload one file, streamed; the hub checks the digest on arrival.

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
            sha256, size = transfer.sha256_of(source, cancel)
            headers = {
                "Content-Type": mimetypes.guess_type(filename)[0] or "application/octet-stream",
                "Content-Length": str(size),
                "Carrel-Sha256": sha256,
            }
            body: Any = transfer.ReportingReader(source, size, progress, cancel)
            document = self._http.json(
                "PUT",
                _path("namespaces", namespace, "files", filename),
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

    def _items(self, cls: type[Any], method: str, path: str, **options: Any) -> tuple[Any, ...]:
        document = self._http.json(method, path, **options)
        return tuple(decode(cls, item) for item in (document or {}).get("items", []))
