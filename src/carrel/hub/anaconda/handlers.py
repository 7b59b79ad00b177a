"""What all handlers of this API share: errors as ``{"error": …}``, JSON answers, scopes of which one is enough."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tornado.web import HTTPError

from carrel.core.errors import Forbidden, Unauthenticated
from carrel.core.scopes import Scope
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.errors import problem_of
from carrel.hub.web.handler import ApiHandler

JSON = "application/json"
READ = (Scope.PACKAGE_READ, Scope.CONDA_UPLOAD, Scope.PYPI_UPLOAD, Scope.CRAN_UPLOAD)
"""Who may upload asks first what is there."""
UPLOAD = (Scope.PACKAGE_WRITE, Scope.CONDA_UPLOAD, Scope.PYPI_UPLOAD, Scope.CRAN_UPLOAD)


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return *value* as a JSON answer."""
    return Reply(json.dumps(value, ensure_ascii=False, default=_plain).encode(), status, {"Content-Type": JSON, **(headers or {})})


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an answer")


def error_document(error: BaseException | None, status: int) -> bytes:
    """Return the body that clients show the message of."""
    problem = problem_of(error, status)
    document = {"error": problem["detail"], **{key: value for key, value in problem.items() if key not in ("type", "title", "detail")}}
    return json.dumps(document, ensure_ascii=False).encode()


class AnacondaHandler(ApiHandler):
    """A handler of this API."""

    error_media_type = JSON

    def error_body(self, error: BaseException | None, status: int) -> bytes:
        """Return the failure in the form that clients of anaconda.org read."""
        return error_document(error, status)

    def require_scope(self, scopes: tuple[Scope, ...]) -> None:
        """Refuse tokens that have none of *scopes*.

        Raises
        ------
        Forbidden
        """
        if not self.principal.is_anonymous and not self.principal.scopes & set(scopes):
            raise Forbidden(
                f"This token lacks the scope {scopes[0].value}. Create a token that has it.", code="missing_scope", scope=scopes[0].value
            )
        if self.principal.is_anonymous and not self.hub.settings.allow_anonymous:
            raise Unauthenticated("Sign in or send a token to do this.")


class RootHandler(AnacondaHandler):
    """``/api``: clients ask whether a server is there."""

    @endpoint(summary="Whether the API is there", anonymous=True)
    async def get(self) -> Reply:
        """Return the name of the hub; the paths of the API follow below."""
        return answer({"ok": 1, "name": self.hub.settings.name})


class UnknownHandler(AnacondaHandler):
    """Addresses below ``/api`` that this hub does not have."""

    async def prepare(self) -> None:
        """Answer 404 to every verb."""
        raise HTTPError(404)
