"""Problem documents (RFC 9457) to the errors of :mod:`carrel.core.errors`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from carrel.core import errors
from carrel.core.tokens import redact

if TYPE_CHECKING:
    import requests


def _subclasses(cls: type[errors.CarrelError]) -> Iterator[type[errors.CarrelError]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)


_BY_CODE = {cls.default_code: cls for cls in _subclasses(errors.CarrelError)}
_BY_STATUS: dict[int, type[errors.CarrelError]] = {}
for _cls in _subclasses(errors.CarrelError):
    _BY_STATUS.setdefault(_cls.status, _cls)  # a parent comes before its children, so the general class wins

_RESERVED = frozenset({"type", "title", "status", "code", "detail"})


def error_from_problem(status: int, problem: dict[str, Any], fallback: str) -> errors.CarrelError:
    """Return the error that *problem* describes.

    The class is found by ``code``, then by the status; codes this version does not know keep their text.
    """
    code = problem.get("code")
    cls = _BY_CODE.get(code) if isinstance(code, str) else None
    if cls is None or cls.status != status:
        cls = _BY_STATUS.get(status) or (errors.BadRequest if 400 <= status < 500 else errors.UpstreamError)
    detail = problem.get("detail") or problem.get("title") or fallback
    fields = {key: value for key, value in problem.items() if key not in _RESERVED and key.isidentifier()}
    return cls(redact(str(detail)), code=code if isinstance(code, str) else None, **fields)


def error_from_response(response: requests.Response) -> errors.CarrelError:
    """Return the error of an answer with a status of 400 or more."""
    problem: dict[str, Any] = {}
    if "json" in response.headers.get("Content-Type", ""):
        try:
            document = json.loads(response.content[:1_000_000])
        except ValueError:
            document = None
        if isinstance(document, dict):
            problem = document
    retry_after = response.headers.get("Retry-After", "")
    if retry_after.isdigit():
        problem.setdefault("retry_after", int(retry_after))
    fallback = f"The hub answered {response.status_code} {response.reason or ''}".rstrip() + "."
    if response.status_code == 500 and not problem:
        return errors.UpstreamError(fallback + " Its log tells more.", url=redact(response.url))
    return error_from_problem(response.status_code, problem, fallback)
