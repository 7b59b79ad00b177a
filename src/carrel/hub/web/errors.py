"""From exceptions to answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from tornado.web import HTTPError

from carrel.core.errors import BadRequest, CarrelError, NotFound, Unprocessable
from carrel.core.tokens import redact

PROBLEM_JSON = "application/problem+json"


def problem_of(error: BaseException | None, status: int) -> dict[str, Any]:
    """Return the RFC 9457 document of *error*; an unexpected one says nothing of its inside."""
    if isinstance(error, CarrelError) and error.status != CarrelError.status:
        return _without_tokens(error.to_problem())
    if isinstance(error, HTTPError) and status < 500:
        if status == HTTPStatus.NOT_FOUND:
            return NotFound("There is nothing at this address.").to_problem()
        phrase = HTTPStatus(status).phrase
        code = phrase.lower().replace(" ", "_").replace("-", "_")
        detail = (error.log_message or phrase) if not error.args else phrase
        return {"type": f"urn:carrel:error:{code}", "title": phrase, "status": status, "code": code, "detail": detail}
    return CarrelError("Something went wrong inside the hub. It has been logged; try again later.").to_problem() | {"status": status}


def _without_tokens(document: dict[str, Any]) -> dict[str, Any]:
    # Messages quote names that the caller gave; one of them may be a token in the wrong place.
    return {name: redact(value) if isinstance(value, str) else value for name, value in document.items()}


def status_of(error: BaseException) -> int:
    """Return the HTTP status that *error* answers with."""
    if isinstance(error, CarrelError):
        return error.status
    if isinstance(error, HTTPError):
        return error.status_code
    return 500


def invalid_input(error: ValidationError) -> CarrelError:
    """Return a pydantic failure as an error of ours, without echoing the input (it may hold a password)."""
    errors = [
        {"field": ".".join(str(part) for part in item["loc"]) or "body", "message": item["msg"]}
        for item in error.errors(include_input=False)
    ]
    if any(item["type"] == "json_invalid" for item in error.errors(include_input=False, include_url=False)):
        return BadRequest("The body is not valid JSON.", code="invalid_json")
    first = errors[0]
    return Unprocessable(f"{first['field']}: {first['message']}.", errors=errors)
