"""Parsers with bounds for the text formats that uploads hold: JSON, YAML, TOML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Hashable, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import yaml

from carrel.core.errors import InvalidFile, TooLarge
from carrel.core.units import format_bytes
from carrel.formats.locating import invalid_line, locate_toml, locate_yaml, tell_line, with_lines

__all__ = [
    "as_utf8",
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
_YAML_NODES = 400_000
_DEPTH = 100
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# Strings and comments of TOML, and what is left of a key with dots when its quoted parts are gone.
_TOML_TEXT = re.compile(r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)
_TOML_KEY = re.compile(r'[A-Za-z0-9_."\t -]+')
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_URL_TOKEN = re.compile(r"/t/(?!<TOKEN>|\$)[^/]+/")
_SECRET_QUERY = re.compile(r"&[\w.-]*(?:token|secret|passw(?:or)?d|signature|credential|api[_-]?key)=(?!\$)[^&]", re.IGNORECASE)
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


def as_utf8(data: bytes) -> bytes:
    """Return *data*, translated when its byte order mark says UTF-16 (what ``>`` writes in PowerShell), otherwise as it is."""
    if data[:2] not in {b"\xff\xfe", b"\xfe\xff"}:
        return data
    try:
        return data.decode("utf-16").encode()
    except UnicodeError:
        return data


def decode_text(data: bytes, what: str) -> str:
    """Return UTF-8 *data* (a byte order mark is dropped) as text without NUL.

    Raises
    ------
    InvalidFile
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{what} is not UTF-8 text (byte {error.start}).", line=data.count(b"\n", 0, error.start) + 1) from error
    if "\0" in text:
        raise InvalidFile(f"{what} holds a NUL character.", line=text.count("\n", 0, text.index("\0")) + 1)
    return text


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


class _Loader(yaml.CSafeLoader):
    """YAML's core types without aliases, repeated keys, dates and floats.

    ``3.10`` stays the text that was written: versions are what these documents are about.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "only plain keys are allowed", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value[:80]!r} occurs twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}  # not the 1.1 ones, for which "on" and "1:30" are a boolean and a number
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})\Z"), list("-+0123456789"))


class _AliasLoader(_Loader):
    """The same with aliases and merged mappings."""


_AliasLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<\Z"), ["<"])


def load_yaml(data: bytes, what: str, *, aliases: bool = False) -> Any:
    """Return the YAML document *data*: mappings, lists, text, integers, booleans, null.

    Parameters
    ----------
    data : bytes
    what : str
        What the document is, for messages.
    aliases : bool
        Fill in aliases (``*name``) and merged mappings (``<<``), as long as what they stand for stays sensible.

    Raises
    ------
    InvalidFile
        Not one YAML document, or one with tags, repeated keys, deep nesting, or aliases that are not wanted.
    TooLarge
        It holds more values than a sensible document.
    """
    text = decode_text(data, what)
    try:
        size = _Size(what, aliases=aliases)
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            size.add(event)
        document = yaml.load(text, Loader=_AliasLoader if aliases else _Loader)  # noqa: S506 - safe loaders
    except RecursionError as error:
        raise InvalidFile(f"{what} is nested too deeply.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        sentence = f"{what} is not YAML: {' '.join(str(error.problem or error.context).split())[:300]}"
        if mark is None:
            raise InvalidFile(f"{sentence}.") from error
        raise invalid_line(mark.line + 1, f"{sentence} (column {mark.column + 1}).") from error
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidFile(f"{what} is not YAML: {' '.join(str(error).split())[:300]}.") from error
    return document


class _Size:
    """How many values a document holds, and how deep, with what its aliases stand for."""

    def __init__(self, what: str, *, aliases: bool) -> None:
        self._what = what
        self._aliases = aliases
        self._nodes = 0
        self._written = 0
        self._open: list[tuple[str | None, int, int]] = []  # anchor, nodes before, deepest inside so far
        self._named: dict[str, tuple[int, int]] = {}  # nodes and depth of what has an anchor

    def add(self, event: yaml.Event) -> None:
        """Count *event*.

        Raises
        ------
        InvalidFile
        TooLarge
        """
        depth = 0
        if isinstance(event, yaml.AliasEvent):
            name = str(event.anchor)
            known = self._named.get(name) if self._aliases else None
            if known is None:
                raise invalid_line(_line(event), f"{self._what} uses a YAML alias (*{name[:40]}). Write the value out.")
            self._nodes += known[0]
            depth = known[1]
            if self._nodes > _YAML_NODES:
                sentence = f"{self._what} uses a YAML alias (*{name[:40]}) so often that it stands for too many values. Write them out."
                raise invalid_line(_line(event), sentence)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append((event.anchor, self._nodes, 0))
            self._nodes += 1
        elif isinstance(event, yaml.ScalarEvent):
            self._nodes += 1
            if event.anchor:
                self._named[event.anchor] = (1, 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before, depth = self._open.pop()
            depth += 1
            if anchor:
                self._named[anchor] = (self._nodes - before, depth)
        if self._open:
            anchor, before, deepest = self._open[-1]
            self._open[-1] = (anchor, before, max(deepest, depth))
        self._written += 1
        if len(self._open) + depth > _DEPTH:
            raise invalid_line(_line(event), f"{self._what} is nested too deeply.")
        if self._written > _YAML_NODES:
            raise TooLarge(f"{self._what} holds too many values.")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def dump_yaml(document: Any) -> bytes:
    """Return *document* as YAML in block style, keys in the order given, without aliases."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000).encode()


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def load_toml(data: bytes, what: str) -> dict[str, Any]:
    """Return the TOML document *data*.

    Raises
    ------
    InvalidFile
    """
    text = decode_text(data, what)
    # The time that the parser takes for a key grows with the square of its parts.
    if any(run[0].count(".") > _DEPTH for run in _TOML_KEY.finditer(_TOML_TEXT.sub('""', text))):
        raise InvalidFile(f"{what} is nested too deeply.")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise InvalidFile(f"{what} is nested too deeply.") from error
    except ValueError as error:
        place = _TOML_PLACE.search(str(error))
        sentence = f"{what} is not TOML: {_TOML_PLACE.sub('', str(error))}"
        if place is None:
            raise InvalidFile(f"{sentence}.") from error
        line = int(place[1]) if place[1] else text.count("\n") + 1
        raise invalid_line(line, f"{sentence} ({f'column {place[2]}' if place[2] else 'the end'}).") from error


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
