"""Parsers with bounds for the text formats that uploads hold: JSON, YAML, TOML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from carrel.core.errors import InvalidFile, TooLarge
from carrel.core.units import format_bytes
from carrel.formats.locating import invalid_line, locate_toml, locate_yaml, tell_line, with_lines
from carrel.formats.text import as_utf8, decode_text
from carrel.formats.yaml_documents import dump_yaml, load_yaml

__all__ = [
    "TOML_TEXT",
    "as_utf8",
    "check_values",
    "decode_text",
    "dump_yaml",
    "expect_mapping",
    "expect_text",
    "expect_texts",
    "invalid_line",
    "load_json",
    "load_toml",
    "load_yaml",
    "locate_toml",
    "locate_yaml",
    "read_all",
    "refuse_credentials",
    "storable",
    "storable_json",
    "tell_line",
    "with_lines",
]

# Containers and scalars cost far more memory than the two bytes that ask for one.
_JSON_CONTAINERS = 600_000
_JSON_SCALARS = 4_000_000
_DEPTH = 100
_LONGEST_NUMBER = 64  # bits, which is what TOML asks for
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# Strings and comments of TOML, and what is left of a key with dots when its quoted parts are gone.
TOML_TEXT = re.compile(r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)
_TOML_KEY = re.compile(r'[A-Za-z0-9_."\t -]+')
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_URL_TOKEN = re.compile(r"/t/(?!<TOKEN>|\$)[^/]+/")
_SECRET_QUERY = re.compile(
    r"&(?:[\w.-]*(?:token|secret|passw(?:or)?d|signature|credential|api[_-]?key)|sig|pwd|auth)=(?!\$)[^&]", re.IGNORECASE
)
_PLACEHOLDERS = re.compile(r"(?:\$\w+|\$\{\w+\})(?::(?:\$\w+|\$\{\w+\}))?\Z")  # $USER:${PASSWORD}, filled in by whoever reads the file


def read_all(source: BinaryIO, filename: str, limit: int) -> bytes:
    """Return the bytes of *source* from its position, at most *limit*.

    Raises
    ------
    TooLarge
    """
    data = source.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(f"{filename[:120]!r} is larger than {format_bytes(limit)}, the most this kind of file may have.", limit=limit)
    return data


def storable(text: str, length: int) -> str:
    """Return *text* cut to *length* characters, without the characters that databases refuse (NUL, lone surrogates)."""
    return _UNSTORABLE.sub("", text[:length])


def storable_json(value: Any) -> Any:
    """Return the JSON *value* with all its strings storable in a database."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("", value)
    if isinstance(value, list):
        return [storable_json(item) for item in value]
    if isinstance(value, dict):
        return {storable_json(key): storable_json(item) for key, item in value.items()}
    return value


def _check_depth(document: Any, what: str) -> None:
    """Refuse what later code, which walks documents by recursion, could not walk from within a request."""
    level: list[Any] = [document] if isinstance(document, (dict, list)) else []
    for _ in range(_DEPTH):
        if not level:
            return
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, (dict, list))
        ]
    raise InvalidFile(f"{what} is nested too deeply.")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def load_json(data: bytes, what: str, *, any_text: bool = False) -> Any:
    r"""Return the JSON document *data*.

    Parameters
    ----------
    data : bytes
    what : str
        What the document is, for messages.
    any_text : bool
        Accept ``\u0000`` and lone surrogates in strings (the outputs of notebooks hold whatever a program printed).

    Raises
    ------
    InvalidFile
        Not JSON, too deep, or (unless *any_text*) with strings that no database stores.
    TooLarge
        It holds more values than a sensible document.
    """
    if data.count(b"[") + data.count(b"{") > _JSON_CONTAINERS + len(data) // 32 or data.count(b",") > _JSON_SCALARS + len(data) // 8:
        raise TooLarge(f"{what} holds too many values.")
    if not any_text and _ESCAPED_NUL.search(data):
        raise InvalidFile(f"{what} holds a NUL character.")
    text = decode_text(data, what)
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise InvalidFile(f"{what} is nested too deeply.") from error
    except ValueError as error:
        raise InvalidFile(f"{what} is not JSON: {error}.") from error
    _check_depth(document, what)
    if not any_text and _ESCAPED_SURROGATE.search(data):
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise InvalidFile(f"{what} holds half a surrogate pair, which is no character.") from error
    return document


def load_toml(data: bytes, what: str) -> dict[str, Any]:
    """Return the TOML document *data*.

    Raises
    ------
    InvalidFile
    """
    text = decode_text(data, what)
    # The time that the parser takes for a key grows with the square of its parts.
    if any(run[0].count(".") > _DEPTH for run in _TOML_KEY.finditer(TOML_TEXT.sub('""', text))):
        raise InvalidFile(f"{what} is nested too deeply.")
    try:
        document = tomllib.loads(text)
        check_values(document, what)
        return document
    except InvalidFile:
        raise
    except RecursionError as error:
        raise InvalidFile(f"{what} is nested too deeply.") from error
    except ValueError as error:
        place = _TOML_PLACE.search(str(error))
        sentence = f"{what} is not TOML: {_TOML_PLACE.sub('', str(error))}"
        if place is None:
            raise InvalidFile(f"{sentence}.") from error
        line = int(place[1]) if place[1] else text.count("\n") + 1
        raise invalid_line(line, f"{sentence} ({f'column {place[2]}' if place[2] else 'the end'}).") from error


def check_values(document: Any, what: str) -> None:
    """Refuse what TOML has and nothing behind it takes: numbers of any length, and NUL."""
    open_ = [document]
    while open_:
        value = open_.pop()
        if isinstance(value, dict):
            open_ += [*value, *value.values()]
        elif isinstance(value, list):
            open_ += value
        elif isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
            raise InvalidFile(f"{what} holds a number of more than {_LONGEST_NUMBER} bits.")
        elif isinstance(value, str) and "\0" in value:
            raise InvalidFile(f"{what} holds a NUL character.")


def expect_mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return *value* if it is a mapping with text keys.

    Raises
    ------
    InvalidFile
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InvalidFile(f"{what} must be a mapping of names to values.", field=what)
    return value


def expect_text(value: Any, what: str, *, length: int = 2048) -> str:
    """Return *value* if it is text of at most *length* characters.

    Raises
    ------
    InvalidFile
    """
    if not isinstance(value, str):
        raise InvalidFile(f"{what} must be text, not {_json_type(value)}.", field=what)
    if len(value) > length:
        raise InvalidFile(f"{what} has {len(value)} characters; at most {length} are allowed.", field=what)
    return value


def expect_texts(value: Any, what: str, *, count: int = 10_000, length: int = 4096) -> list[str]:
    """Return *value* if it is a list of texts; null and absent are the empty list.

    Raises
    ------
    InvalidFile
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidFile(f"{what} must be a list, not {_json_type(value)}.", field=what)
    if len(value) > count:
        raise InvalidFile(f"{what} has {len(value)} entries; at most {count} are allowed.", field=what)
    return [expect_text(item, f"{what}[{position}]", length=length) for position, item in enumerate(value)]


def refuse_credentials(url: str, what: str) -> str:
    """Return *url* if it carries no user name, password or token; names of environment variables in their place are fine.

    Raises
    ------
    InvalidFile
        With code ``credentials_in_file``; the message does not repeat the secret.
    """
    try:
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        host = parts.hostname or "a server"
    except ValueError as error:
        raise InvalidFile(f"{what} holds an address that cannot be read.", field=what) from error
    named = bool(at) and not _PLACEHOLDERS.match(user) and not (parts.scheme in {"ssh", "git+ssh"} and ":" not in user)
    if named or _URL_TOKEN.search(parts.path) or _SECRET_QUERY.search(f"&{parts.query}"):
        raise InvalidFile(
            f"{what} holds an address with credentials for {host[:100]!r}. "
            "Remove the user name, password or token, revoke it if the file was shared, and upload again.",
            code="credentials_in_file",
            field=what,
        )
    return url


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "a mapping"
