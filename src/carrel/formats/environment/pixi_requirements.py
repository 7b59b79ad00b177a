"""Entries of the dependency tables of ``pixi.toml``, as the specifications that everything else understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import check_name, check_url, parse_requirement
from carrel.formats.environment.conda_specs import check_channel, check_spec
from carrel.formats.parsing import expect_mapping, expect_text, expect_texts, refuse_credentials

# Members of a table and what MatchSpec calls them.
_IN_BRACKETS = {
    "build-number": "build_number",
    "subdir": "subdir",
    "file-name": "fn",
    "md5": "md5",
    "sha256": "sha256",
    "license": "license",
    "license-family": "license_family",
}
_SOURCES = ("git", "path")
_NOTED = ("when", "flags", "extras", "track-features")


def conda_spec(name: str, value: Any, what: str, pool: Mapping[str, Any], notes: list[str]) -> str:
    """Return the match specification of an entry of ``dependencies``; empty when it is built from sources, which goes to *notes*.

    Parameters
    ----------
    name : str
    value : str or mapping
    what : str
        Where the entry is.
    pool : mapping
        ``workspace.dependencies``, which entries with ``workspace = true`` inherit from.
    notes : list of str

    Raises
    ------
    InvalidFile
    """
    check_name(name, what)
    if isinstance(value, str):
        text = value.strip()
        return check_spec(name if text in ("", "*") else f"{name} {text}", what)
    table = dict(expect_mapping(value, what))
    if table.pop("workspace", False) is True:
        if name not in pool:
            raise InvalidFile(f"{what}: {name!r} is not among the dependencies of the workspace.", field=what)
        inherited = pool[name]
        table = {**({"version": inherited} if isinstance(inherited, str) else expect_mapping(inherited, what)), **table}
    notes += [f"{what}.{key} was left out." for key in _NOTED if key in table]
    if any(key in table for key in _SOURCES):
        notes.append(f"{name} is a conda package that pixi builds from sources; it was left out.")
        return ""
    if "url" in table:
        url = refuse_credentials(expect_text(table["url"], f"{what}.url"), f"{what}.url")
        digest = table.get("md5") or table.get("sha256")
        return check_spec(f"{url}#{expect_text(digest, what, length=64)}" if digest else url, what)
    return check_spec(_from_table(name, table, what), what)


def _from_table(name: str, table: Mapping[str, Any], what: str) -> str:
    version = expect_text(table.get("version", "*"), f"{what}.version", length=500).strip() or "*"
    build = expect_text(table.get("build", ""), f"{what}.build", length=200).strip()
    text = name
    if version != "*" or build:
        text += f" {version}"
    if build:
        text += f" {build}"
    others = [f"{key}={_quoted(table[member], f'{what}.{member}')}" for member, key in _IN_BRACKETS.items() if member in table]
    if others:
        text += f"[{','.join(others)}]"
    if "channel" in table:
        text = f"{check_channel(table['channel'], f'{what}.channel').rstrip('/')}::{text}"
    return text


def _quoted(value: Any, what: str) -> str:
    text = expect_text(str(value) if isinstance(value, int) else value, what, length=500)
    if any(character in text for character in "'\"[]"):
        raise InvalidFile(f"{what} must not hold quotes or brackets.", field=what)
    return f"'{text}'"


def python_requirement(name: str, value: Any, what: str, notes: list[str]) -> str:
    """Return the line for pip that an entry of ``pypi-dependencies`` stands for.

    Raises
    ------
    InvalidFile
    """
    check_name(name, what)
    table = {"version": value} if isinstance(value, str) else dict(expect_mapping(value, what))
    extras = sorted(expect_texts(table.get("extras"), f"{what}.extras", count=100, length=100))
    named = name + (f"[{','.join(extras)}]" if extras else "")
    if "path" in table:
        path = expect_text(table["path"], f"{what}.path")
        path = path if path.startswith((".", "/", "~")) else f"./{path}"
        return (
            ("-e " if table.get("editable") is True else "") + path + (f"[{','.join(extras)}]" if extras else "") + _fragment(table, what)
        )
    if "git" in table:
        return f"{named} @ {_git(table, what)}{_fragment(table, what)}"
    if "url" in table:
        return f"{named} @ {refuse_credentials(expect_text(table['url'], f'{what}.url'), f'{what}.url')}{_fragment(table, what)}"
    if "index" in table:
        notes.append(f"{name} is asked for from one index; all indexes are asked for all packages.")
    version = expect_text(table.get("version", "*"), f"{what}.version", length=500).strip()
    if version in ("", "*"):
        return named
    try:
        return f"{named}{SpecifierSet(version)}"
    except InvalidSpecifier as error:
        raise InvalidFile(f"{what}: {version[:80]!r} is not a version specifier (PEP 440).", field=what) from error


def _git(table: Mapping[str, Any], what: str) -> str:
    url = expect_text(table["git"], f"{what}.git")
    url = refuse_credentials(url if url.startswith("git+") else f"git+{url}", f"{what}.git")
    revision = next((expect_text(table[key], f"{what}.{key}", length=255) for key in ("rev", "tag", "branch") if key in table), "")
    return f"{url}@{revision}" if revision else url


def _fragment(table: Mapping[str, Any], what: str) -> str:
    return f"#subdirectory={expect_text(table['subdirectory'], f'{what}.subdirectory', length=500)}" if "subdirectory" in table else ""


def requirement(text: str, what: str) -> str:
    """Return the requirement (PEP 508) *text* in one way of writing.

    Raises
    ------
    InvalidFile
    """
    try:
        return str(parse_requirement(text))
    except InvalidRequirement as error:
        raise InvalidFile(f"{what}: {text[:100]!r} is not a requirement (PEP 508).", field=what) from error


def check_index(value: Any, what: str) -> str:
    """Return *value* if it is the address of an index, without credentials; empty when there is none."""
    text = expect_text(value, what)
    return check_url(text, what) if text else ""
