"""Base classes of all handlers: caller, input, units of work, errors."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from http.client import responses
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError
from tornado.web import HTTPError, RequestHandler

from carrel.core.errors import BadRequest, CarrelError, Forbidden
from carrel.hub.accounts.principal import ANONYMOUS, Principal, Via
from carrel.hub.context import Hub
from carrel.hub.urls import Urls
from carrel.hub.web.authentication import authenticate, authorize, expiry_warning
from carrel.hub.web.endpoint import Declaration, Reply, declaration_of
from carrel.hub.web.errors import PROBLEM_JSON, invalid_input, problem_of, status_of

SAFE_VERBS = ("GET", "HEAD", "OPTIONS")
# Databases differ in what they make of a NUL in a text, so none gets there.
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
responses.setdefault(499, "Cancelled")


class HubHandler(RequestHandler):
    """A handler of the hub: authenticates before anything else is done (see :func:`carrel.hub.web.endpoint.endpoint`).

    Attributes
    ----------
    hub : Hub
        Services, pool, settings.
    principal : Principal
        The caller, from ``prepare()`` on.
    always_check_xsrf : bool
        Whether unsafe verbs need the XSRF token from callers without a session too (forms that sign in).
    """

    hub: Hub
    principal: Principal = ANONYMOUS
    always_check_xsrf = False
    _expiry_warning = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "get" in cls.__dict__ and "head" not in cls.__dict__:
            cls.head = cls.get

    def initialize(self, **_arguments: Any) -> None:
        """Find the hub; Tornado calls this first."""
        self.hub = self.application.settings["hub"]
        self.hub.active.add(self)

    async def prepare(self) -> None:
        """Authenticate and authorise; raises before a streamed body is read."""
        declaration = declaration_of(type(self), self.request.method or "")
        if declaration is None:
            return  # Tornado answers 405
        if any("\0" in value for value in self.path_kwargs.values() if value):
            raise HTTPError(404)  # no name has one, and not every database would take the question
        self.principal = await authenticate(self.hub, self.request, declaration)
        if self.principal.expires_at is not None:
            self._expiry_warning = expiry_warning(self.principal, self.hub.settings.token_warning_seconds, self.urls.base)
            HubHandler.set_default_headers(self)
        authorize(self.hub, self.principal, declaration)
        unsafe = self.request.method not in SAFE_VERBS
        if unsafe and (self.always_check_xsrf or self.principal.via is Via.SESSION):
            self.require_xsrf()
        await self.check_request()

    async def check_request(self) -> None:
        """Refuse what can be refused before the body is read. For subclasses."""

    def require_xsrf(self) -> None:
        """Refuse a request that another site may have forged.

        Raises
        ------
        Forbidden
        """
        try:
            self.check_xsrf_cookie()
        except HTTPError as error:
            raise Forbidden("The request lacks a valid XSRF token. Reload the page and try again.", code="xsrf") from error

    @property
    def urls(self) -> Urls:
        """Builder of absolute addresses, as this client reaches the hub."""
        return Urls(self.hub.settings.public_url or f"{self.request.protocol}://{self.request.host}")

    def set_default_headers(self) -> None:
        """Send what every answer carries."""
        self.set_header("Server", "Carrel")
        self.set_header("X-Content-Type-Options", "nosniff")
        if self._expiry_warning:
            self.set_header("Conda-Token-Warning", self._expiry_warning)

    def read_input(self, declaration: Declaration) -> dict[str, BaseModel]:
        """Return the validated ``query`` and ``body`` that *declaration* asks for."""
        given: dict[str, BaseModel] = {}
        try:
            if declaration.query is not None:
                given["query"] = declaration.query.model_validate(self._query(declaration.query))
            if declaration.request is not None:
                body = self.request.body or b"{}"
                if b"\\u0000" in body and _ESCAPED_NUL.search(body):
                    raise BadRequest("The body holds a NUL character, which no text has here.", code="nul_character")
                given["body"] = declaration.request.model_validate_json(body)
        except ValidationError as error:
            raise invalid_input(error) from error
        return given

    def _query(self, model: type[BaseModel]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        name = ""
        try:
            for name, field in model.model_fields.items():
                values = self.request.query_arguments.get(field.alias or name)
                if values:
                    texts = [value.decode() for value in values]
                    if any("\0" in text for text in texts):
                        message = f"The query parameter {name!r} holds a NUL character, which no text has here."
                        raise BadRequest(message, code="nul_character", field=name)
                    repeatable = getattr(field.annotation, "__origin__", None) in (list, tuple)
                    given[field.alias or name] = texts if repeatable else texts[-1]
        except UnicodeDecodeError as error:
            raise BadRequest(f"The query parameter {name!r} is not UTF-8.", field=name) from error
        return given

    def write_reply(self, declaration: Declaration, result: Any) -> None:
        """Write what a verb method returned."""
        reply = result if isinstance(result, Reply) else Reply(result)
        self.set_status(reply.status or declaration.status)
        for name, value in reply.headers.items():
            self.set_header(name, value)
        body = reply.body
        if isinstance(body, BaseModel):
            if "Content-Type" not in reply.headers:
                self.set_header("Content-Type", declaration.media_type)
            self.write(body.model_dump_json(by_alias=True).encode())
        elif isinstance(body, bytes):
            if "Content-Type" not in reply.headers:
                self.set_header("Content-Type", declaration.media_type)
            self.write(body)
        elif self.get_status() in (204, 304):
            self.clear_header("Content-Type")

    def on_finish(self) -> None:
        """Count the request as answered."""
        self.hub.active.discard(self)

    def on_connection_close(self) -> None:
        """Count the request of a client that went away as over."""
        super().on_connection_close()  # ends what waits for the body
        self.hub.active.discard(self)

    def compute_etag(self) -> str | None:
        """Make no ETag of the body: what has one sets it."""
        return None

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log unexpected failures only; expected ones are in the request log."""
        if isinstance(value, CarrelError) and value.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return
        super().log_exception(typ, value, tb)

    def _handle_request_exception(self, e: BaseException) -> None:
        # Tornado knows the status of its own HTTPError only.
        if isinstance(e, CarrelError) and not self._finished:
            self.log_exception(type(e), e, e.__traceback__)
            self.send_error(status_of(e), exc_info=(type(e), e, e.__traceback__))
            return
        super()._handle_request_exception(e)

    def error_headers(self, error: BaseException | None) -> None:
        """Set the headers that go with *error*."""
        if isinstance(error, CarrelError):
            if error.status == HTTPStatus.UNAUTHORIZED:
                self.add_header("WWW-Authenticate", 'Bearer realm="Carrel"')
                self.add_header("WWW-Authenticate", 'Basic realm="Carrel", charset="UTF-8"')
            if "retry_after" in error.fields:
                self.set_header("Retry-After", str(error.fields["retry_after"]))


class ApiHandler(HubHandler):
    """A handler whose errors are problem documents (RFC 9457).

    Attributes
    ----------
    error_media_type : str
        Of the answers to failures; other protocols have forms of their own, see :meth:`error_body`.
    """

    error_media_type: ClassVar[str] = PROBLEM_JSON

    def set_default_headers(self) -> None:
        """Keep answers out of caches unless the verb says otherwise."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def error_body(self, error: BaseException | None, status: int) -> bytes:
        """Return the body of the answer to *error*."""
        return json.dumps(problem_of(error, status), ensure_ascii=False).encode()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the problem document of a failure."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        self.error_headers(error)
        self.set_header("Content-Type", self.error_media_type)
        self.finish(self.error_body(error, status_code))
