"""Selectors of ``environment.yml`` (CEP 24): expressions that say for which platforms a line is meant."""

from __future__ import annotations

import re
from typing import TypeAlias

Tree: TypeAlias = "str | tuple[str, Tree] | tuple[str, Tree, Tree]"

_TOKEN = re.compile(r"\s*(\(|\)|[A-Za-z_][A-Za-z0-9_]*)")
_LONGEST = 200
_X86_64 = 'platform_machine == "x86_64" or platform_machine == "AMD64"'
_ARM64 = 'platform_machine == "arm64" or platform_machine == "ARM64"'
# What each variable of conda-build is as an environment marker (PEP 508).
_MARKERS = {
    "linux": 'sys_platform == "linux"',
    "osx": 'sys_platform == "darwin"',
    "win": 'sys_platform == "win32"',
    "unix": 'sys_platform != "win32"',
    "x64": _X86_64,
    "x86_64": _X86_64,
    "arm64": _ARM64,
    "aarch64": 'platform_machine == "aarch64"',
    "ppc64le": 'platform_machine == "ppc64le"',
    "s390x": 'platform_machine == "s390x"',
    "linux64": 'sys_platform == "linux" and platform_machine == "x86_64"',
    "osx64": 'sys_platform == "darwin" and platform_machine == "x86_64"',
    "win64": 'sys_platform == "win32" and platform_machine == "AMD64"',
}
_KNOWN = frozenset({*_MARKERS, "linux32", "win32", "x86", "arm", "armv6l", "armv7l", "riscv64", "wasm32", "emscripten"})
_OPPOSITE = {"==": "!=", "!=": "=="}


def true_for(platform: str) -> frozenset[str]:
    """Return the variables that are true for *platform*, a conda subdir."""
    system, _, machine = platform.partition("-")
    names = {system, machine}
    if system in ("linux", "osx", "emscripten"):
        names.add("unix")
    if machine in ("32", "64"):
        names |= {"x86", f"{system}{machine}"}
    if machine == "64":
        names |= {"x86_64", "x64"}
    if machine.startswith("armv"):
        names.add("arm")
    return frozenset(names & _KNOWN)


def parse(expression: str) -> Tree | None:
    """Return the syntax tree of *expression*, None when it is no selector of a platform."""
    tokens: list[str] = []
    position = 0
    expression = expression.strip()
    while position < len(expression) <= _LONGEST:
        match = _TOKEN.match(expression, position)
        if match is None:
            return None
        tokens.append(match[1])
        position = match.end()
    tokens.reverse()
    try:
        tree = _either(tokens)
    except (IndexError, ValueError):
        return None
    return None if tokens else tree


def holds(expression: str, platform: str) -> bool:
    """Whether *expression* is true for *platform*.

    Raises
    ------
    ValueError
        It is no selector.
    """
    tree = parse(expression)
    if tree is None:
        raise ValueError(f"{expression[:80]!r} is not a selector of platforms")
    return _value(tree, true_for(platform))


def marker(expression: str) -> str | None:
    """Return *expression* as an environment marker (PEP 508), None when there is none that says the same."""
    tree = parse(expression)
    try:
        return None if tree is None else _marker(tree, negated=False)
    except KeyError:
        return None


def _either(tokens: list[str]) -> Tree:
    tree = _both(tokens)
    while tokens and tokens[-1] == "or":
        tokens.pop()
        tree = ("or", tree, _both(tokens))
    return tree


def _both(tokens: list[str]) -> Tree:
    tree = _one(tokens)
    while tokens and tokens[-1] == "and":
        tokens.pop()
        tree = ("and", tree, _one(tokens))
    return tree


def _one(tokens: list[str]) -> Tree:
    word = tokens.pop()
    if word == "not":
        return ("not", _one(tokens))
    if word == "(":
        tree = _either(tokens)
        if tokens.pop() != ")":
            raise ValueError("not closed")
        return tree
    if word not in _KNOWN:
        raise ValueError("no variable")
    return word


def _value(tree: Tree, names: frozenset[str]) -> bool:
    if isinstance(tree, str):
        return tree in names
    if len(tree) == 2:
        return not _value(tree[1], names)
    left, right = _value(tree[1], names), _value(tree[2], names)
    return left and right if tree[0] == "and" else left or right


def _marker(tree: Tree, *, negated: bool) -> str:
    if isinstance(tree, str):
        text = _MARKERS[tree]
        if negated:
            text = re.sub(r"[!=]=|\b(?:and|or)\b", lambda match: {**_OPPOSITE, "and": "or", "or": "and"}[match[0]], text)
        return f"({text})" if " and " in text or " or " in text else text
    if len(tree) == 2:
        return _marker(tree[1], negated=not negated)
    joint = tree[0] if not negated else {"and": "or", "or": "and"}[tree[0]]
    return f"({_marker(tree[1], negated=negated)} {joint} {_marker(tree[2], negated=negated)})"
