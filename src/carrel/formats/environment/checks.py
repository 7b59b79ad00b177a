"""Checks that all environment files share."""

from __future__ import annotations

import re
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from carrel.core import tokens
from carrel.core.errors import InvalidFile
from carrel.formats.parsing import expect_text, invalid_line, refuse_credentials, tell_line

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,213}[A-Za-z0-9_.-])?\Z")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.!+*-]*\Z")
_HEX = re.compile(r"[0-9a-f]+\Z")
# The length of a scheme is bounded: without, the time for a long word grows with its square.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://[^\s\"'<>`\\]+")
_BUILD = re.compile(r"[A-Za-z0-9_.+*!-]+\Z")
_CHANNEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*\Z")


def check_name(value: Any, what: str) -> str:
    """Return *value* if it may name a conda package or a Python distribution."""
    name = expect_text(value, f"{what}.name", length=215)
    if not _NAME.match(name):
        raise InvalidFile(f"{what} has the name {name[:80]!r}, which is not a package's.", field=f"{what}.name")
    return name


def check_version(value: Any, what: str) -> str:
    """Return *value* as text if it may be a version (a whole number, which YAML reads without quotes, is one)."""
    version = expect_text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value, f"{what}.version", length=128)
    if not _VERSION.match(version):
        raise InvalidFile(f"{what} has the version {version[:80]!r}, which is none.", field=f"{what}.version")
    return version


def check_build(value: Any, what: str) -> str:
    """Return *value* if it may be the build of a conda package."""
    build = expect_text(value, f"{what}.build", length=64)
    if build and not _BUILD.match(build):
        raise InvalidFile(f"{what} has the build {build[:80]!r}, which is none.", field=f"{what}.build")
    return build


def check_hash(value: Any, length: int, what: str) -> str:
    """Return *value* if it is a digest of *length* lowercase hexadecimal digits; absent is the empty text."""
    if value is None or value == "":
        return ""
    digest = expect_text(value, f"{what}.hash", length=128)
    if len(digest) != length or not _HEX.match(digest):
        raise InvalidFile(f"{what} has a digest that is not {length} hexadecimal digits.", field=what)
    return digest


def check_size(value: Any, what: str) -> int:
    """Return *value* if it is a size in bytes; absent is 0."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise InvalidFile(f"{what} has a size that is not a number of bytes.", field=what)
    return value


def check_url(url: str, what: str) -> str:
    """Return *url* if it is an address (or the name of a channel) without credentials."""
    expect_text(url, f"{what}.url", length=4096)
    if not _URL.fullmatch(url) and not _CHANNEL_NAME.match(url):
        raise InvalidFile(f"{what} has {url[:80]!r} where an address belongs.", field=what)
    return refuse_credentials(url, what)


def parse_requirement(text: str) -> Requirement:
    """Return the requirement (PEP 508) *text*.

    Raises
    ------
    InvalidRequirement
        Also for one that the parser of :mod:`packaging` cannot take to its end.
    """
    try:
        requirement = Requirement(text)
        str(requirement)  # may fail where reading does not
    except InvalidRequirement:
        raise
    except (RecursionError, ValueError) as error:
        raise InvalidRequirement("it is nested too deeply or holds a number that is too long") from error
    return requirement


def refuse_credentials_in_text(text: str, what: str) -> None:
    """Check every address in *text*, comments included.

    Raises
    ------
    InvalidFile
        With code ``credentials_in_file`` and the line under ``line``.
    """
    if token := tokens.PATTERN.search(text):
        sentence = f"{what} holds an access token of a hub. Remove it, revoke it if the file was shared, and upload again."
        raise invalid_line(text.count("\n", 0, token.start()) + 1, sentence, code="credentials_in_file")
    for match in _URL.finditer(text):
        try:
            refuse_credentials(match[0], what)
        except InvalidFile as error:
            tell_line(error, text.count("\n", 0, match.start()) + 1)
            raise
