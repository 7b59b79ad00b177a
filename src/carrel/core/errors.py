"""Errors that every layer raises and every edge renders.

The hub turns them into RFC 9457 problem documents, the command into messages and exit codes, the Jupyter extension
into notices. ``code`` is a promise: clients may match on it, so it never changes once released.
"""

from __future__ import annotations

from typing import Any, ClassVar


class CarrelError(Exception):
    """Base of all expected failures.

    Parameters
    ----------
    detail : str
        One or two sentences for a person: what is wrong and what to do.
    code : str, optional
        Stable machine-readable code, by default the class's.
    **fields
        Extra members of the problem document (JSON-serialisable), such as ``field``, ``expected``, ``found``.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, code: str | None = None, **fields: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.fields = fields

    def to_problem(self) -> dict[str, Any]:
        """Return the RFC 9457 members of this error."""
        return {
            **self.fields,
            "type": f"urn:carrel:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }


class BadRequest(CarrelError):
    """The request or the file cannot be understood or contradicts itself."""

    status = 400
    default_code = "bad_request"
    title = "Bad request"


class InvalidFile(BadRequest):
    """Uploaded or downloaded bytes are not what they claim to be."""

    default_code = "invalid_file"
    title = "Invalid file"


class MetadataMismatch(BadRequest):
    """What the client said about a file differs from what the file says (fields ``field``, ``expected``, ``found``)."""

    default_code = "metadata_mismatch"
    title = "Metadata mismatch"


class InvalidName(BadRequest):
    """A namespace, package, label or version name breaks its grammar."""

    default_code = "invalid_name"
    title = "Invalid name"


class DigestMismatch(BadRequest):
    """Bytes do not have the announced digest (fields ``filename``, ``expected``, ``found``)."""

    default_code = "digest_mismatch"
    title = "Digest mismatch"


class Unauthenticated(CarrelError):
    """Credentials are missing, unknown or expired."""

    status = 401
    default_code = "unauthenticated"
    title = "Sign in needed"


class Forbidden(CarrelError):
    """The caller is known and may not do this."""

    status = 403
    default_code = "forbidden"
    title = "Not allowed"


class NotFound(CarrelError):
    """The thing does not exist, or the caller may not know that it does."""

    status = 404
    default_code = "not_found"
    title = "Not found"


class Conflict(CarrelError):
    """The request contradicts the present state."""

    status = 409
    default_code = "conflict"
    title = "Conflict"


class FileExists(Conflict):
    """A file name is taken by other bytes; names are never reused (field ``filename``)."""

    default_code = "file_exists"
    title = "File exists"


class PreconditionFailed(CarrelError):
    """What a plan or a conditional request was made for has changed since."""

    status = 412
    default_code = "precondition_failed"
    title = "Changed meanwhile"


class TooLarge(CarrelError):
    """A body or a member of an archive exceeds its limit (field ``limit``, bytes)."""

    status = 413
    default_code = "too_large"
    title = "Too large"


class Unprocessable(CarrelError):
    """Well-formed input that breaks a rule (field ``errors``: list of ``{field, message}``)."""

    status = 422
    default_code = "invalid_input"
    title = "Invalid input"


class Unsolvable(Unprocessable):
    """No set of packages satisfies the request; the detail explains the conflict."""

    default_code = "unsolvable"
    title = "No solution"


class Locked(CarrelError):
    """Another process is working on the same thing."""

    status = 423
    default_code = "locked"
    title = "In use"


class RateLimited(CarrelError):
    """Too many attempts (field ``retry_after``, seconds)."""

    status = 429
    default_code = "rate_limited"
    title = "Too many requests"


class Cancelled(CarrelError):
    """The person cancelled the work; what was there before is intact."""

    status = 499
    default_code = "cancelled"
    title = "Cancelled"


class UpstreamError(CarrelError):
    """Another server answered wrongly or not at all (field ``url``, without credentials)."""

    status = 502
    default_code = "upstream_error"
    title = "Other server failed"


class Unavailable(CarrelError):
    """A needed part cannot be reached at present."""

    status = 503
    default_code = "unavailable"
    title = "Not available"


class InsufficientStorage(CarrelError):
    """No room for the bytes (fields ``needed``, ``free``, bytes)."""

    status = 507
    default_code = "insufficient_storage"
    title = "No room"
