"""Routes as templates, and the tokens that some clients put into paths."""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import PathMatches, Rule, URLSpec
from tornado.web import Application, RequestHandler

from carrel.hub.web.endpoint import VERBS, declaration_of

_PARAMETER = re.compile(r"\{(\w+)(?::([^{}]+))?\}")
# conda and pip put the token after the protocol's prefix, rattler and pixi before the whole path.
_TOKEN_FIRST = re.compile(r"/t/([^/]*)(?=/)")
_TOKEN_SECOND = re.compile(r"/(conda|pypi|cran|api)/t/([^/]*)(?=/)")
_BEGINNING = re.compile(r"/(?:api|conda|pypi|cran)/")
_ATTRIBUTE = "_carrel_url_token"


class ConfigurationError(RuntimeError):
    """The hub is wired wrongly and must not start."""


@dataclass(frozen=True, slots=True)
class Route:
    """An address and its handler.

    Attributes
    ----------
    template : str
        ``/api/v1/packages/{namespace}/{package}``; ``{name}`` matches one path component, ``{name:regex}`` whatever the
        regular expression (without braces and groups) says. Matched percent-encoded, handed over decoded.
    handler : type of RequestHandler
    arguments : dict
        Keyword arguments of ``handler.initialize``.
    """

    template: str
    handler: type[RequestHandler]
    arguments: dict[str, Any] | None = None

    def spec(self) -> URLSpec:
        """Return the route as Tornado wants it."""
        pattern, position = "", 0
        for match in _PARAMETER.finditer(self.template):
            pattern += re.escape(self.template[position : match.start()])
            pattern += f"(?P<{match[1]}>{match[2] or '[^/]+'})"
            position = match.end()
        pattern += re.escape(self.template[position:])
        return URLSpec(pattern + r"\Z", self.handler, self.arguments or {})


def grouped(routes: tuple[Route, ...]) -> list[Rule]:
    """Return the rules of *routes* in their order, those that begin alike behind one look at the beginning.

    Tornado tries one rule after the other, so a request would pay for every address before its own.
    """
    rules: list[Rule] = []
    for beginning, members in itertools.groupby(routes, _beginning):
        specs = [route.spec() for route in members]
        rules.extend([Rule(PathMatches(re.compile(re.escape(beginning))), specs)] if beginning else specs)
    return rules


def _beginning(route: Route) -> str:
    match = _BEGINNING.match(route.template)
    return "" if match is None else match[0]


def check_declarations(routes: tuple[Route, ...]) -> None:
    """Refuse verbs that do not say who may call them.

    Raises
    ------
    ConfigurationError
    """
    for route in routes:
        for verb in VERBS:
            method = getattr(route.handler, verb)
            if method is not RequestHandler._unimplemented_method and declaration_of(route.handler, verb) is None:
                raise ConfigurationError(f"{route.handler.__name__}.{verb} ({route.template}) has no @endpoint declaration")


def url_token(request: HTTPServerRequest) -> str:
    """Return the token that was in the path, empty if there was none."""
    return str(getattr(request, _ATTRIBUTE, ""))


def strip_url_token(request: HTTPServerRequest) -> None:
    """Take a token out of the path, before routing: handlers, logs and records see the clean one."""
    path = request.path
    match = _TOKEN_FIRST.match(path)
    if match is not None:
        clean, token = path[match.end() :], match[1]
    else:
        match = _TOKEN_SECOND.match(path)
        if match is None:
            return
        clean, token = f"/{match[1]}{path[match.end() :]}", match[2]
    setattr(request, _ATTRIBUTE, token)
    request.path = clean
    request.uri = f"{clean}?{request.query}" if request.query else clean


class HubApplication(Application):
    """A Tornado application whose handlers never see a token in a path."""

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Route *request* by its path without the token."""
        strip_url_token(request)
        if request.headers.get("Expect", "").lower() == "100-continue":  # Tornado knows it in small letters only
            request.headers["Expect"] = "100-continue"
        return super().find_handler(request, **kwargs)

    def get_handler_delegate(self, request: HTTPServerRequest, target_class: type[RequestHandler], *args: Any, **kwargs: Any) -> Any:
        """Answer 413 in place of a handler whose body would not fit into memory; Tornado would cut the connection."""
        if getattr(target_class, "_stream_request_body", False):
            return super().get_handler_delegate(request, target_class, *args, **kwargs)
        limit: int = self.settings["max_body_bytes"]
        announced = request.headers.get("Content-Length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:18]) > limit:
            return self._oversize(request)
        delegate = super().get_handler_delegate(request, target_class, *args, **kwargs)
        if "Transfer-Encoding" in request.headers:
            return _BoundedBody(delegate, lambda: self._oversize(request), request, limit)
        return delegate

    def _oversize(self, request: HTTPServerRequest) -> HTTPMessageDelegate:
        return super().get_handler_delegate(request, self.settings["oversize_handler_class"])


class _BoundedBody(HTTPMessageDelegate):
    """Counts a body of unknown length; another handler takes the request over when it does not fit."""

    def __init__(
        self, delegate: HTTPMessageDelegate, oversize: Callable[[], HTTPMessageDelegate], request: HTTPServerRequest, limit: int
    ) -> None:
        self._delegate = delegate
        self._oversize: Callable[[], HTTPMessageDelegate] | None = oversize
        self._request = request
        self._left = limit
        self._head: tuple[Any, HTTPHeaders] | None = None

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Awaitable[None] | None:
        self._head = start_line, headers
        # The limit that Tornado has ends in a closed connection without an answer.
        self._request.connection.set_max_body_size(1 << 62)  # type: ignore[union-attr]
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._left -= len(chunk)
        if self._left >= 0 or self._oversize is None or self._head is None:
            return self._delegate.data_received(chunk)
        self._delegate.on_connection_close()  # lets go of what it held
        self._delegate, self._oversize = self._oversize(), None
        return self._take_over(*self._head, chunk)

    async def _take_over(self, start_line: Any, headers: HTTPHeaders, chunk: bytes) -> None:
        admitted = self._delegate.headers_received(start_line, headers)
        if admitted is not None:
            await admitted
        taken = self._delegate.data_received(chunk)
        if taken is not None:
            await taken

    def finish(self) -> None:
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._delegate.on_connection_close()
