"""Which identities a publisher stands for: claims that must be borne, word for word or, for refs, by a pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from carrel.core.errors import Unprocessable

MAX_CLAIMS = 20
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,99}\Z")
_CHECKED_ANYWAY = frozenset(("iss", "aud", "exp", "iat", "nbf", "jti"))
# Strangers bear the same values: alone they would let everyone publish who has an account with the issuer.
_SHARED = frozenset(
    (
        "environment",
        "environment_protected",
        "event_name",
        "job",
        "pipeline_source",
        "ref",
        "ref_path",
        "ref_protected",
        "ref_type",
        "repository_visibility",
        "run_attempt",
        "run_number",
        "runner_environment",
        "user_access_level",
        "workflow",
    )
)


def check_claims(claims: Mapping[str, str]) -> None:
    """Refuse claims that could never match, or would match strangers.

    Raises
    ------
    Unprocessable
    """
    if len(claims) > MAX_CLAIMS:
        raise _invalid("claims", f"at most {MAX_CLAIMS} claims can be asked for")
    for name, value in claims.items():
        field = f"claims.{name[:100]}"
        if not _NAME.match(name):
            raise _invalid(field, "this is no name of a claim")
        if name in _CHECKED_ANYWAY:
            raise _invalid(field, "the hub checks this claim by itself; leave it out")
        if not value or len(value) > 500:
            raise _invalid(field, "the value needs 1 to 500 characters")
        if "*" in value and not takes_pattern(name):
            raise _invalid(field, "only claims that hold a ref (ref, ref_path, …_ref) may have a * in their value")
    if not any(name not in _SHARED and "*" not in value.partition("@")[0] for name, value in claims.items()):
        message = "ask for a claim that no stranger bears, without a *, such as repository, project_path, sub or email"
        raise _invalid("claims", message)


def takes_pattern(name: str) -> bool:
    """Whether ``*`` in the value wanted of a claim stands for any characters."""
    return name in ("ref", "ref_path") or name.endswith("_ref")


def matches(wanted: Mapping[str, str], borne: Mapping[str, Any]) -> bool:
    """Whether an identity bears all *wanted* claims."""
    return all(_matches(name, value, borne.get(name)) for name, value in wanted.items())


def text_of(value: Any) -> str:
    """Return a claim's value as text, as it is compared and shown; empty for what is no plain value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def _matches(name: str, wanted: str, borne: Any) -> bool:
    if isinstance(borne, list):
        return any(_matches(name, wanted, item) for item in borne if not isinstance(item, list))
    text = text_of(borne)
    if "*" in wanted and takes_pattern(name):
        return _fits(wanted, text)
    return bool(text) and text == wanted


def _fits(pattern: str, text: str) -> bool:
    """Whether *text* is *pattern*, whose ``*`` stand for any characters. Takes no longer for many of them, unlike an expression."""
    first, *between, last = pattern.split("*")
    position, end = len(first), len(text) - len(last)
    if position > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in between:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _invalid(field: str, message: str) -> Unprocessable:
    return Unprocessable(f"{field}: {message}.", errors=[{"field": field, "message": message}])
