"""What all pages share: their headers, the reader, forms, errors as pages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import carrel
from carrel.core.errors import CarrelError, Unprocessable
from carrel.core.tokens import redact
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.service import UserView
from carrel.hub.pages.templating import render
from carrel.hub.web.endpoint import Reply
from carrel.hub.web.errors import PROBLEM_JSON, problem_of
from carrel.hub.web.handler import HubHandler

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Site:
    """What every page says of the hub."""

    name: str
    version: str
    registration_open: bool


@dataclass(slots=True)
class Form:
    """What somebody filled in and what is wrong with it; errors by field, those of the whole form under the empty name.

    *name* tells the forms of a page with several from each other.
    """

    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    name: str = ""

    def refuse(self, error: CarrelError) -> None:
        """Show *error* beside its fields, or above the form."""
        fields = error.fields.get("errors") if isinstance(error, Unprocessable) else None
        named = [(item["field"], item["message"]) for item in fields or () if item["field"] in self.values]
        if not named and error.fields.get("field") in self.values:
            named = [(error.fields["field"], error.detail)]
        self.errors |= dict(named) if named else {"": error.detail}


class PageHandler(HubHandler):
    """A page for browsers. Forms always need the XSRF token, whoever sends them."""

    always_check_xsrf = True

    def set_default_headers(self) -> None:
        """Forbid everything that the pages do not use."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Cookie")

    def page(self, uow: UnitOfWork | None, template: str, *, status: int = 200, **context: Any) -> Reply:
        """Return a page.

        Parameters
        ----------
        uow : UnitOfWork or None
            To read the reader's namespaces with; without one the reader's menu has their own only.
        template : str
        status : int
        **context
            What the template reads beside what all templates read.
        """
        settings = self.hub.settings
        shared = {
            "site": Site(settings.name, carrel.__version__, settings.registration == "open"),
            "viewer": self._viewer(uow),
            "xsrf_token": lambda: self.xsrf_token.decode(),
            "next": redact(self.request.uri or "/") if self.request.method == "GET" else "/",
            "query": "",
        }
        return Reply(render(template, **(shared | context)), status, {"Content-Type": _HTML})

    def _viewer(self, uow: UnitOfWork | None) -> UserView | None:
        if self.principal.is_anonymous:
            return None
        if uow is None:
            return UserView(self.principal.user_name, self.principal.user_name, ())
        return self.hub.accounts.describe(uow, self.principal)

    def go(self, address: str) -> Reply:
        """Return the answer that sends the browser to *address* with GET."""
        return Reply(None, HTTPStatus.SEE_OTHER, {"Location": address})

    def form_value(self, name: str, *, strip: bool = True) -> str:
        """Return a field of the submitted form, empty when absent."""
        return self.get_body_argument(name, "", strip=strip)

    @property
    def secure(self) -> bool:
        """Whether the browser came by https, so cookies may be limited to it."""
        return self.request.protocol == "https" or self.hub.settings.public_url.startswith("https://")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write a failure as a page, or as a problem document to programs; lead the anonymous to the sign-in."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        problem = problem_of(error, status_code)
        if "text/html" not in self.request.headers.get("Accept", ""):
            self.error_headers(error)
            self.set_header("Content-Type", PROBLEM_JSON)
            self.finish(json.dumps(problem, ensure_ascii=False))
            return
        if status_code == HTTPStatus.UNAUTHORIZED and self.request.method in ("GET", "HEAD") and self.principal.is_anonymous:
            self.set_status(HTTPStatus.FOUND)
            self.set_header("Location", sign_in_address(self.request.uri or "/"))
            self.finish()
            return
        if isinstance(error, CarrelError) and "retry_after" in error.fields:
            self.set_header("Retry-After", str(error.fields["retry_after"]))
        reply = self.page(None, "error.html", status=status_code, number=status_code, title=problem["title"], detail=problem["detail"])
        self.set_header("Content-Type", _HTML)
        self.finish(reply.body if isinstance(reply.body, bytes) else b"")


def sign_in_address(after: str) -> str:
    """Return the address of the sign-in page that leads to *after* in the end."""
    return f"/-/sign-in?next={quote(safe_next(after), safe='/')}"


def safe_next(text: str) -> str:
    """Return *text* if it is a path of this site, else ``/``: nobody may send readers elsewhere through the sign-in.

    Browsers drop tabs and newlines and read a backslash as a slash, so neither may occur.
    """
    if not text.startswith("/") or text.startswith("//") or not text.isprintable() or "\\" in text or " " in text:
        return "/"
    return text
