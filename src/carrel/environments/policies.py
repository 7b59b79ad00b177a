"""Rules that plans keep: which sources, published until when, which versions stay.

Sources are checked twice: before anything is asked of them, and again on what came out, because a channel may name archives
that lie elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from carrel.core import clock
from carrel.core.errors import Forbidden
from carrel.environments import specs
from carrel.environments.credentials import strip_url
from carrel.environments.models import PlannedPackage, Policy, Sources, Spec
from carrel.environments.naming import normalize


def until(policy: Policy) -> str | None:
    """Return the moment of ``exclude_newer`` as the installers take it (RFC 3339)."""
    return clock.to_rfc3339(policy.exclude_newer) if policy.exclude_newer else None


def is_allowed(policy: Policy, address: str) -> bool:
    """Whether packages may come from *address* (an address, or the name of a channel)."""
    return policy.allowed is None or any(_is_below(address, allowed) for allowed in policy.allowed)


def _is_below(address: str, allowed: str) -> bool:
    address, allowed = strip_url(address).rstrip("/"), strip_url(allowed).rstrip("/")
    return address == allowed or address.startswith(f"{allowed}/")


def _may_be_allowed(policy: Policy, channel: str) -> bool:
    # where a channel that is given by name lies, only what comes from it tells
    return is_allowed(policy, channel) or ("://" not in channel and any("://" in allowed for allowed in policy.allowed or ()))


def narrow(policy: Policy, sources: Sources, wishes: Iterable[Spec]) -> Sources:
    """Return the allowed ones of *sources*.

    Raises
    ------
    Forbidden
        A wish names a source that is not allowed, or none is left (code ``source_not_allowed``).
    """
    if policy.allowed is None:
        return sources
    wishes = list(wishes)
    for spec in wishes:
        for address in (spec.channel, spec.index, spec.url):
            if address and not _may_be_allowed(policy, address):
                raise _forbidden(policy, f"{spec.name} from {strip_url(address)}")
    channels = tuple(channel for channel in sources.channels if _may_be_allowed(policy, channel))
    indexes = tuple(index for index in sources.indexes if is_allowed(policy, index))
    for kind, left in (("conda", channels), ("pypi", indexes)):
        names = [spec.name for spec in wishes if spec.source == kind and not spec.url]
        if names and not left:
            what = "channel" if kind == "conda" else "index"
            raise _forbidden(policy, f"{', '.join(names)}: no {what} that is set up is allowed")
    return replace(sources, channels=channels, indexes=indexes)


def check_lines(
    policy: Policy, lines: Iterable[PlannedPackage], *, channels: Mapping[str, str] | None = None, direct: Mapping[str, str] | None = None
) -> None:
    """Check where the packages of a plan come from.

    Parameters
    ----------
    channels : mapping of str to str
        The names by which channels were given, by address.
    direct : mapping of str to str
        Addresses of the Python packages that come from no index, by name. The others come from the indexes that were asked,
        wherever these keep their files.

    Raises
    ------
    Forbidden
        Code ``source_not_allowed``.
    """
    for line in lines:
        if line.to_version is None:
            continue
        where = [line.url, line.channel] if line.source == "conda" else [(direct or {}).get(normalize(line.name), "")]
        for address in filter(None, where):
            given = [name for base, name in (channels or {}).items() if _is_below(address, base)]
            if not any(is_allowed(policy, one) for one in (address, *given)):
                raise _forbidden(policy, f"{line.name} {line.to_version} from {strip_url(address)}")


def _forbidden(policy: Policy, what: str) -> Forbidden:
    allowed = ", ".join(strip_url(address) for address in policy.allowed or ()) or "nowhere"
    return Forbidden(f"Packages may come from {allowed} only, not {what}.", code="source_not_allowed", allowed=list(policy.allowed or ()))


def conda_pins(policy: Policy) -> list[str]:
    """Return the pins as match specifications.

    Raises
    ------
    carrel.core.errors.BadRequest
        One is not a version.
    """
    return [specs.conda_text(Spec(name, version)) for name, version in sorted(policy.pins.items())]


def pypi_pins(policy: Policy) -> dict[str, str]:
    """Return the pins that Python's installers understand as well, as requirements by normalized name."""
    found = {}
    for name, version in policy.pins.items():
        if not re.search(r"[|()]|(?<![=<>!~])=(?!=)", version):
            written = ",".join(_specifier(part.strip()) for part in version.split(","))
            found[normalize(name)] = specs.requirement(Spec(name, written, "pypi"))
    return found


def _specifier(part: str) -> str:
    return f"=={part}" if part[:1].isalnum() else part


def pins_of_file(lines: Iterable[str]) -> list[Spec]:
    """Return the pins of ``conda-meta/pinned``.

    Raises
    ------
    carrel.core.errors.BadRequest
    """
    return [specs.parse(line) for line in lines]
