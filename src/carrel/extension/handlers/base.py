"""What all handlers share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from jupyter_server.auth.decorator import authorized as _authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from carrel.core.errors import BadRequest, CarrelError
from carrel.extension.services import Services

P = ParamSpec("P")
R = TypeVar("R")
Method = TypeVar("Method", bound=Callable[..., Any])


def authorized(method: Method) -> Method:
    """Ask the server's authorizer, with the action of the HTTP verb (GET reads, others write)."""
    return cast(Method, _authorized(method))


def authorized_to_read(method: Method) -> Method:
    """Ask the server's authorizer for reading rights: for requests that change nothing and have a body."""
    return cast(Method, _authorized("read")(method))


class CarrelHandler(APIHandler):  # type: ignore[misc]
    """Base of the extension's handlers; ``auth_resource`` is what an authorizer is asked about."""

    auth_resource = "carrel:hub"

    @property
    def services(self) -> Services:
        """The extension's services."""
        services: Services = self.settings["carrel_services"]
        return services

    async def run(self, work: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
        """Run blocking *work* in a thread."""
        return await self.services.run(work, *arguments, **options)

    def body(self) -> dict[str, Any]:
        """Return the JSON object in the body of the request.

        Raises
        ------
        carrel.core.errors.BadRequest
        """
        try:
            document = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body is not JSON.", code="invalid_json") from error
        if not isinstance(document, dict):
            raise BadRequest("The body must be a JSON object.", code="invalid_json")
        return document

    def number(self, name: str, default: int, most: int) -> int:
        """Return a number of the query, between 0 and *most*."""
        text = self.get_query_argument(name, "")
        if not text:
            return default
        if not text.isdigit():
            raise BadRequest(f"{name!r} must be a whole number.", field=name)
        return min(int(text), most)

    def reply(self, document: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(document))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log an expected failure in a line, anything else with its trace."""
        if isinstance(value, CarrelError):
            self.log.info("%s %s: %s", self.request.method, self.request.path, value.detail)
        else:
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the members of a problem document; ``message`` is the one that JupyterLab shows."""
        exception = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(exception, CarrelError):
            problem = exception.to_problem()
            self.set_status(exception.status, exception.title)
        else:
            detail = "Something unexpected happened. The log of the Jupyter server tells more."
            if isinstance(exception, web.HTTPError):
                detail = exception.log_message or exception.reason or self._reason
            problem = {"type": "about:blank", "title": self._reason, "status": status_code, "code": f"http_{status_code}", "detail": detail}
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({**problem, "message": problem["detail"]}, default=str))
