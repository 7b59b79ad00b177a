"""YAML with bounds: what a document stands for is counted before anything is made of it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from carrel.core.errors import InvalidFile, TooLarge
from carrel.formats.locating import invalid_line
from carrel.formats.text import decode_text

# Containers and scalars cost far more memory than the two bytes that ask for one.
_YAML_NODES = 400_000
_DEPTH = 100
_PLAIN_TAGS = frozenset({"!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))})


class _Loader(yaml.CSafeLoader):
    """YAML's core types without aliases, repeated keys, dates and floats.

    ``3.10`` stays the text that was written: versions are what these documents are about.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[yaml.MappingNode] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # once per node: with what is merged into it, it may hold a key several times, of which the last counts
        if node not in self._checked:
            self._checked.add(node)
            self._refuse_repeated(node)
        super().flatten_mapping(node)

    def _refuse_repeated(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "only plain keys are allowed", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value[:80]!r} occurs twice", key.start_mark)
            seen.add(key.value)


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
            self._refuse_tag(event)
            self._open.append((event.anchor, self._nodes, 0))
            self._nodes += 1
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event)
            if "\0" in event.value:
                raise invalid_line(_line(event), f"{self._what} holds a NUL character.")
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

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        # the constructors of other tags fail in ways of their own
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
            raise invalid_line(_line(event), f"{self._what} uses the YAML tag {event.tag[:80]!r}. Leave it out.")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def dump_yaml(document: Any) -> bytes:
    """Return *document* as YAML in block style, keys in the order given, without aliases."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000).encode()


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True
