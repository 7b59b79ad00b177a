"""Match specifications (CEP 29) and channels as files write them: enough is checked to name the line of what is neither.

The solver reads them for good; it is native code and stays out of the hub.
"""

from __future__ import annotations

import re

from carrel.core.errors import InvalidFile
from carrel.formats.environment.lock import split_conda_filename, url_filename
from carrel.formats.parsing import expect_text, refuse_credentials

_NAME = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.*-]*")
_VERSION = re.compile(r"[\s0-9A-Za-z_.!+*=<>~,|()^$-]*\Z")
_BRACKETS = re.compile(r"(?:\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]\s*)*\Z")
_CHANNEL = re.compile(r"[^\s\"'<>`]+\Z")
_ARCHIVE = re.compile(r"\S+\.(?:conda|tar\.bz2)(?:#\S*)?\Z")
_VARIABLE = re.compile(r"\$\w|\$\{|%\w+%")
_OF_CHANNEL = re.compile(r"[^\s\[\]]*::")  # what is in brackets may be an address with colons
_NAMED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*+(?![:+/\\])")  # an address or a folder is no name


def check_spec(value: object, what: str) -> str:
    """Return *value*, without spaces around it, if it may be a match specification.

    Raises
    ------
    InvalidFile
    """
    text = expect_text(value, what, length=1000).strip()
    if not text:
        raise InvalidFile(f"{what} is empty.", field=what)
    if "://" in text:
        refuse_credentials(text.partition("::")[0].partition("#")[0], what)
    if _ARCHIVE.match(text) or _VARIABLE.search(text):
        return text
    _, _, rest = text.rpartition("::")
    name = _NAME.match(rest)
    if name is None:
        raise _no_spec(text, what)
    constraint, bracket, _ = rest[name.end() :].partition("[")
    if constraint and constraint[0] not in " \t=<>!~(":
        raise _no_spec(text, what)
    tail = rest[name.end() + len(constraint) :] if bracket else ""
    if not _VERSION.match(constraint) or not _BRACKETS.match(tail):
        raise _no_spec(text, what)
    return text


def archive_of(spec: str) -> tuple[str, str, str] | None:
    """Return name, version and build of the archive that *spec* is the address of, None when it is none."""
    try:
        return split_conda_filename(url_filename(spec)) if _ARCHIVE.match(spec) else None
    except ValueError:
        return None


def name_of(spec: str) -> str:
    """Return the name, in lowercase, of the package that a match specification or a requirement asks for; empty if it tells none."""
    text = _OF_CHANNEL.sub("", spec.strip(), count=1)
    if found := archive_of(text):
        return found[0].lower()
    name = _NAMED.match(text)
    return name[0].lower() if name else ""


def _no_spec(text: str, what: str) -> InvalidFile:
    hint = ""
    if text.startswith(("-", "git+")) or " @ " in text or "://" in text:
        hint = " What pip installs goes under 'pip:'."
    return InvalidFile(f"{what}: {text[:100]!r} does not name a conda package.{hint}", field=what)


def check_channel(value: object, what: str) -> str:
    """Return *value* if it may be a channel: a name, an address or a folder, without credentials.

    Raises
    ------
    InvalidFile
    """
    text = expect_text(value, what).strip()
    if not _CHANNEL.match(text):
        raise InvalidFile(f"{what}: {text[:80]!r} is not a channel.", field=what)
    return refuse_credentials(text, what)
