"""Blocks of metadata in scripts (PEP 723): ``# /// script`` … ``# ///``, read, inserted and replaced.

Everything around a block stays as it is, byte for byte; so do the members of a block that are none of ours.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import tomli_w
from packaging.requirements import InvalidRequirement

from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment.checks import check_url, parse_requirement
from carrel.formats.environment.description import Description
from carrel.formats.environment.requirements import describe_requirements, without_hashes
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.environment.uv_options import requirement_at, requirement_from, requires_python, with_options
from carrel.formats.parsing import TOML_TEXT, decode_text, expect_mapping, expect_texts, invalid_line, load_toml, with_lines

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_WHAT = "The script"
_OPENING = re.compile(r"# /// ([a-zA-Z0-9-]+)\Z")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_BLANK = re.compile(r"\n{3,}")
_OURS = ("index", "index-url", "extra-index-url", "exclude-newer", "constraint-dependencies", "override-dependencies", "sources")
_CODING = re.compile(r"[ \t\f]*#.*?coding[:=]")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of metadata.

    Attributes
    ----------
    kind : str
        ``script`` is the one that says what is needed.
    start, end : int
        Where it is in the text: from its first ``#`` to after its last ``/``.
    line : int
        Of its first line, from 1.
    content : str
        The TOML in it.
    """

    kind: str
    start: int
    end: int
    line: int
    content: str


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks in *text*, as the reference implementation of PEP 723 finds them.

    A block ends with the last ``# ///`` of the comment lines that follow its first line.
    """
    lines = [(match.start(), match[0].rstrip("\r\n")) for match in _LINE.finditer(text)]
    number = 0
    while number < len(lines):
        start, first = lines[number]
        opening = _OPENING.match(first)
        number += 1
        if opening is None:
            continue
        after = closing = number
        while after < len(lines) and (lines[after][1] == "#" or lines[after][1].startswith("# ")):
            after += 1
            if lines[after - 1][1] == "# ///":
                closing = after
        content = [line[2:] for _, line in lines[number : closing - 1]]
        if content:
            end = lines[closing - 1][0] + len("# ///")
            yield Block(opening[1], start, end, number, "".join(f"{line}\n" for line in content))
            number = closing
        elif closing == number:
            number = after  # no line of this run ends a block


def find(text: str) -> Block | None:
    """Return the block ``script`` of *text*.

    Raises
    ------
    InvalidFile
        There are several.
    """
    found = [block for block in blocks(text) if block.kind == "script"]
    if len(found) > 1:
        raise invalid_line(found[1].line, f"{_WHAT} has a second block '# /// script'.")
    return found[0] if found else None


def read(data: bytes) -> EnvironmentSpec:
    """Return what the script *data* says that it needs.

    Raises
    ------
    InvalidFile
        With the number of the line under ``line``; without a block, with code ``no_block``.
    """
    text = decode_text(data, _WHAT)
    block = find(text)
    if block is None:
        raise InvalidFile(f"{_WHAT} has no block '# /// script' (PEP 723) that says what it needs.", code="no_block")
    return read_block(block)


def describe(data: bytes) -> Description:
    """Return what the block of the script *data* says."""
    return describe_requirements(read(data), "script")


def read_block(block: Block) -> EnvironmentSpec:
    """Return what *block* says; errors tell the line of the text that the block is in.

    Raises
    ------
    InvalidFile
    """
    data = ("\n" * block.line + block.content).encode()
    document = load_toml(data, "The block")
    with with_lines(data, "toml"):
        tool = expect_mapping(document.get("tool", {}), "tool")
        options = expect_mapping(tool.get("uv", {}), "tool.uv")
        sources = expect_mapping(options.get("sources", {}), "tool.uv.sources")
        notes: list[str] = []
        pip = []
        for position, wanted in enumerate(expect_texts(document.get("dependencies"), "dependencies")):
            requirement = requirement_at(wanted, f"dependencies[{position}]")
            pip.append(requirement_from(requirement, sources, "tool.uv.sources", notes))
        python = str(requires_python(document))
        spec = EnvironmentSpec(pip=tuple(dict.fromkeys(pip)), requires_python=python, notes=tuple(notes))
        return with_options(spec, options, "tool.uv")


def write(spec: EnvironmentSpec, data: bytes = b"") -> bytes:
    """Return the script *data* with a block that says what *spec* asks for, in the place of the one it has.

    A new block comes after the lines that must be first: ``#!`` and the encoding.

    Raises
    ------
    BadRequest
        A block cannot say it: conda packages (code ``conda_packages``), options and paths for pip (``not_a_requirement``).
    InvalidFile
    """
    text = decode_text(data, _WHAT)
    mark = data[: len(data) - len(text.encode())]
    return mark + write_text(spec, text).encode()


def write_text(spec: EnvironmentSpec, text: str) -> str:
    """Return *text* with a block that says what *spec* asks for; see :func:`write`."""
    block = find(text)
    if block is not None and _says(block, spec):
        return text
    newline = "\r\n" if "\r\n" in text else "\n"
    comment = newline.join(f"# {line}" if line else "#" for line in _toml(spec, block).splitlines())
    made = newline.join(["# /// script", comment, "# ///"])
    if block is not None:
        return text[: block.start] + made + text[block.end :]
    place = 0
    for match in list(_LINE.finditer(text))[:2]:
        if (match.start() == 0 and match[0].startswith("#!")) or _CODING.match(match[0]):
            place = match.end()
    before, after = text[:place], text[place:]
    if before and not before.endswith(("\n", "\r")):
        before += newline
    return before + made + newline + (newline + after if after and not after.startswith(("\n", "\r\n")) else after)


def _says(block: Block, spec: EnvironmentSpec) -> bool:
    """Whether *block* says what *spec* does already.

    Raises
    ------
    InvalidFile
        The block is no TOML: what it says would be lost.
    """
    load_toml(("\n" * block.line + block.content).encode(), "The block")
    try:
        return read_block(block) == replace(spec, name="", variables=(), platforms=(), pip=tuple(_plain(spec)))
    except InvalidFile:
        return False


def _toml(spec: EnvironmentSpec, block: Block | None) -> str:
    """Return the TOML of a block: that of *block*, with the members that *spec* has a say in."""
    content = block.content if block is not None else ""
    uv = _uv(spec)
    wanted = _document(spec, content, uv)
    try:
        made = _edited(spec, content, uv)
        if tomllib.loads(made) == wanted:
            return made
    except Exception:  # noqa: S110 - tomlkit fails in many ways on tables that are not in one piece
        pass
    comments = "".join(f"{match[0]}\n" for match in TOML_TEXT.finditer(content) if match[0].startswith("#"))
    return comments + tomli_w.dumps(wanted)


def _document(spec: EnvironmentSpec, content: str, uv: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the block is to hold, as plain values."""
    document = tomllib.loads(content)
    document.pop("requires-python", None)
    if spec.requires_python:
        document["requires-python"] = spec.requires_python
    document["dependencies"] = _plain(spec)
    tool = dict(expect_mapping(document.pop("tool", {}), "tool"))
    known = expect_mapping(tool.pop("uv", {}), "tool.uv")
    if known := {**{key: value for key, value in known.items() if key not in _OURS}, **uv}:
        tool["uv"] = known
    return {**document, "tool": tool} if tool else document


def _edited(spec: EnvironmentSpec, content: str, uv: Mapping[str, Any]) -> str:
    """Return *content* with what changes, comments and order of the rest as they are."""
    import tomlkit  # only who writes waits for it

    document = tomlkit.parse(content)
    if spec.requires_python:
        document["requires-python"] = spec.requires_python
    else:
        document.pop("requires-python", None)
    document["dependencies"] = _array(_plain(spec))
    _merge_uv(document, uv)
    made = tomlkit.dumps(document).strip("\n")
    return made if '"""' in made or "'''" in made else _BLANK.sub("\n\n", made)


def _uv(spec: EnvironmentSpec) -> dict[str, Any]:
    uv: dict[str, Any] = {}
    if spec.indexes:
        # the last one is asked last, and no other is
        uv["index"] = [{"url": check_url(url, "indexes")} for url in spec.indexes[:-1]]
        uv["index"].append({"url": check_url(spec.indexes[-1], "indexes"), "default": True})
    if spec.exclude_newer is not None:
        uv["exclude-newer"] = spec.exclude_newer.isoformat().replace("+00:00", "Z")
    if spec.pip_constraints:
        uv["constraint-dependencies"] = list(spec.pip_constraints)
    return uv


def _merge_uv(document: TOMLDocument, uv: Mapping[str, Any]) -> None:
    import tomlkit

    tool = document.get("tool")
    known = tool.get("uv") if isinstance(tool, dict) else None
    if isinstance(known, dict):
        for key in _OURS:
            known.pop(key, None)
    if not uv and not known:
        if isinstance(tool, dict) and "uv" in tool:
            del tool["uv"]
        if isinstance(tool, dict) and not tool:
            del document["tool"]
        return
    if not isinstance(tool, dict):
        document["tool"] = tool = tomlkit.table(is_super_table=True)
    if not isinstance(known, dict):
        tool["uv"] = known = tomlkit.table()
    for key in sorted(uv, key=lambda key: isinstance(uv[key], list) and key == "index"):
        value = uv[key]
        if key == "index":
            tables = tomlkit.aot()
            for entry in value:
                table = tomlkit.table()
                table.update(entry)
                tables.append(table)
            known[key] = tables
        else:
            known[key] = _array(value) if isinstance(value, list) else value


def _array(values: list[str]) -> Any:
    import tomlkit

    array = tomlkit.array()
    array.extend(values)
    return array.multiline(bool(values))


def _plain(spec: EnvironmentSpec) -> list[str]:
    """Return the requirements of *spec*, without digests.

    Raises
    ------
    BadRequest
    """
    if spec.dependencies or spec.selected:
        message = "The block of a script cannot hold conda packages. Use environment.yml or pixi.toml."
        raise BadRequest(message, code="conda_packages")
    found = []
    for line in spec.pip:
        text = without_hashes(line)
        try:
            found.append(str(parse_requirement(text)))
        except InvalidRequirement as error:
            message = f"The block of a script holds requirements only, not {line[:120]!r}. Use requirements.txt."
            raise BadRequest(message, code="not_a_requirement") from error
    return found
