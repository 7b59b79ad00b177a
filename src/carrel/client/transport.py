"""One place through which every request to the hub passes: credentials, retries, time limits, errors."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from carrel import __version__
from carrel.client.credentials import normalize_hub_url
from carrel.client.problems import error_from_response
from carrel.core.errors import Cancelled, UpstreamError
from carrel.core.progress import CancelSignal, NeverCancelled
from carrel.core.tokens import redact

USER_AGENT = f"carrel/{__version__} python-requests/{requests.__version__}"
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
_RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class HeaderAuth(AuthBase):
    """Sets our own ``Authorization`` header.

    An explicit auth object, even one without a token, keeps requests from taking credentials out of a netrc file.
    """

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header to *request*."""
        if self._value:
            request.headers["Authorization"] = self._value
        return request

    def __repr__(self) -> str:
        return "HeaderAuth(…)"


class Transport:
    """Requests below one base address.

    Parameters
    ----------
    base_url : str
        Address of the hub.
    token : str, optional
        Sent as a bearer token, to this hub's origin alone.
    session : requests.Session, optional
        To share connections or to test.
    attempts : int
        How often an idempotent request is tried.
    """

    def __init__(self, base_url: str, token: str | None, session: requests.Session | None = None, attempts: int = 3) -> None:
        self.base_url = normalize_hub_url(base_url)
        self._auth = HeaderAuth(f"Bearer {token}" if token else None)
        self._anonymous = HeaderAuth(None)
        self._attempts = attempts
        self.token_warning = ""  # what the hub last said of the token, such as that it expires soon
        if session is None:
            session = requests.Session()
            adapter = HTTPAdapter(pool_connections=4, pool_maxsize=16)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
        self._session = session

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def url(self, path: str) -> str:
        """Return the absolute address of *path*, a path below the hub or already an address."""
        return path if "://" in path else urljoin(self.base_url + "/", path.lstrip("/"))

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        data: BinaryIO | None = None,
        headers: Mapping[str, str] | None = None,
        auth: AuthBase | None = None,
        stream: bool = False,
        timeout: float = READ_SECONDS,
        cancel: CancelSignal | None = None,
    ) -> requests.Response:
        """Send a request and return the answer, which is never one of an error.

        Raises
        ------
        carrel.core.errors.CarrelError
            What the hub's problem document says; :class:`UpstreamError` when it cannot be reached.
        """
        url = self.url(path)
        own = urlsplit(url)[:2] == urlsplit(self.base_url)[:2]
        chosen_auth = (auth or self._auth) if own else self._anonymous
        attempts = self._attempts if method in _IDEMPOTENT else 1
        cancel = cancel or NeverCancelled()
        for attempt in range(1, attempts + 1):
            if cancel.is_set():
                raise Cancelled("Cancelled.")
            if data is not None:
                data.seek(0)
            try:
                response = self._session.request(
                    method,
                    url,
                    params=params,
                    json=json,
                    data=data,
                    headers={"User-Agent": USER_AGENT, "Accept": "application/json", **(headers or {})},
                    auth=chosen_auth,
                    stream=stream,
                    timeout=(CONNECT_SECONDS, timeout),
                )
            except requests.exceptions.SSLError as error:
                raise self._unreachable(url, "its certificate is not trusted here") from error
            except (requests.ConnectionError, requests.Timeout) as error:
                if attempt == attempts:
                    reason = "it did not answer in time" if isinstance(error, requests.Timeout) else "no connection could be made"
                    raise self._unreachable(url, reason) from error
                self._wait(attempt, 0.0, cancel)
                continue
            except requests.RequestException as error:
                raise UpstreamError(f"The request to {self.base_url} failed: {redact(str(error))[:300]}", url=redact(url)) from error
            if own and (warning := response.headers.get("Conda-Token-Warning")):
                self.token_warning = warning
            if response.status_code < 400:
                return response
            if response.status_code in _RETRIED_STATUSES and attempt < attempts:
                retry_after = response.headers.get("Retry-After", "")
                wait = float(retry_after) if retry_after.isdigit() else 0.0
                if wait <= 15:
                    response.close()
                    self._wait(attempt, wait, cancel)
                    continue
            try:
                raise error_from_response(response)
            finally:
                response.close()
        raise AssertionError("unreachable")

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the decoded body, None when it is empty."""
        response = self.request(method, path, **options)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise UpstreamError(
                f"{self.base_url} did not answer with JSON. Is this the address of a Carrel hub?", url=redact(response.url)
            ) from error

    def _unreachable(self, url: str, reason: str) -> UpstreamError:
        host = urlsplit(url).netloc
        return UpstreamError(
            f"The hub at {host} cannot be reached: {reason}. Check the address and your connection.",
            code="hub_unreachable",
            url=redact(url),
        )

    @staticmethod
    def _wait(attempt: int, at_least: float, cancel: CancelSignal) -> None:
        # Full jitter keeps many clients from coming back at the same moment.
        until = time.monotonic() + max(at_least, random.uniform(0.1, 0.3 * 2**attempt))  # noqa: S311
        while (left := until - time.monotonic()) > 0:
            if cancel.is_set():
                raise Cancelled("Cancelled.")
            time.sleep(min(left, 0.1))
