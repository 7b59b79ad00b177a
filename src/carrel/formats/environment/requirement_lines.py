"""The lines of a requirements file, as pip takes them apart."""

from __future__ import annotations

import codecs
import re
import shlex
from dataclasses import dataclass
from enum import Enum

from packaging.requirements import InvalidRequirement, Requirement

from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import parse_requirement
from carrel.formats.parsing import invalid_line, refuse_credentials

_WHAT = "The requirements file"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
# Codecs of Python that are no way to write files; some take quadratic time, others make half characters.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "unicode_escape", "utf-7"})
_COMMENT = re.compile(r"(?:^|(?<!\s)\s+)#.*\Z")  # a run of spaces is looked at from its begin alone
_BREAKS = re.compile(r"\r\n|[\n\r]")
_MOST_LINES = 100_000
_LONGEST = 200_000
# options of whole files: with a value, and without
_VALUED = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--pypi-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-r": "-r",
    "--requirement": "-r",
    "-c": "-c",
    "--constraint": "-c",
    "-e": "-e",
    "--editable": "-e",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--no-binary": "--no-binary",
    "--only-binary": "--only-binary",
    "--trusted-host": "--trusted-host",
    "--use-feature": "--use-feature",
    "--all-releases": "--all-releases",
    "--only-final": "--only-final",
}
_FLAGS = frozenset({"--no-index", "--pre", "--prefer-binary", "--require-hashes", "--always-unzip", "-Z"})
_OF_REQUIREMENTS = {
    "--hash": "--hash",
    "--config-settings": "--config-settings",
    "-C": "--config-settings",
    "--config-setting": "--config-settings",
}
_DROPPED = frozenset({"--global-option", "--install-option"})
_SHORT = re.compile(r"-[a-zA-Z](?!\Z)")
_DIGEST = re.compile(r"(?:sha256:[0-9a-fA-F]{64}|sha384:[0-9a-fA-F]{96}|sha512:[0-9a-fA-F]{128}|(?:sha1|sha224|md5):[0-9a-fA-F]+)\Z")
_BEFORE_OPTIONS = re.compile(r"(?<=\s)--?[A-Za-z]")
_PATH = re.compile(
    r"(?:\.{0,2}[/\\]|~|[A-Za-z]:[/\\]|\.\.?\Z|\.\.?\[|file:)|.*(?:\.whl|\.tar\.gz|\.zip|\.tar\.bz2|\.tgz)(?:\[[^\[\]]*\])?\s*(?:;|\Z)",
    re.DOTALL,
)
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")


class Kind(Enum):
    """What a line is."""

    REQUIREMENT = "requirement"
    EDITABLE = "-e"
    PATH = "path"  # a folder, a file or a bare address: what package it is, only its content tells
    INDEX = "--index-url"
    EXTRA_INDEX = "--extra-index-url"
    INCLUDE = "-r"
    CONSTRAINT = "-c"
    OPTION = "option"


@dataclass(frozen=True, slots=True)
class Line:
    """One line that says something.

    Attributes
    ----------
    number : int
        From 1; of the first, where several are joined.
    kind : Kind
    text : str
        The whole line in one way of writing.
    value : str
        Of an option; the requirement without its options.
    requirement : Requirement or None
        Of a requirement.
    """

    number: int
    kind: Kind
    text: str
    value: str = ""
    requirement: Requirement | None = None


def decode(data: bytes) -> str:
    """Return the text of a requirements file: in the encoding that its first bytes or lines name, else UTF-8.

    Raises
    ------
    InvalidFile
    """
    encoding = "utf-8"
    for mark, name in _BOMS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    else:
        for line in data.split(b"\n", 2)[:2]:
            if line[:1] == b"#" and (match := _CODING.search(line)):
                encoding = match[1].decode("ascii")
    try:
        if codecs.lookup(encoding).name in _NO_CHARSETS:
            raise LookupError(encoding)
        text = data.decode(encoding)
    except UnicodeError as error:
        place = getattr(error, "start", 0)
        raise invalid_line(data.count(b"\n", 0, place) + 1, f"{_WHAT} is not {encoding} text.") from error
    except LookupError as error:
        raise InvalidFile(f"{_WHAT} names the encoding {encoding[:40]!r}, which is not known.", line=1) from error
    if "\0" in text:
        raise invalid_line(text.count("\n", 0, text.index("\0")) + 1, f"{_WHAT} holds a NUL character.")
    return text


def parse(data: bytes) -> tuple[list[Line], list[str]]:
    """Return the lines of a requirements file that say something, and the comments before the first of them.

    Raises
    ------
    InvalidFile
        With the number of the line under ``line``.
    """
    texts = _BREAKS.split(decode(data))
    if len(texts) > _MOST_LINES:
        raise InvalidFile(f"{_WHAT} has {len(texts)} lines; at most {_MOST_LINES} are allowed.")
    lines: list[Line] = []
    comments: list[str] = []
    for number, joined in _joined(texts):
        content = _COMMENT.sub("", joined).strip()
        if content:
            if len(content) > _LONGEST:
                raise invalid_line(number, f"It is longer than {_LONGEST} characters.")
            try:
                lines += _lines(number, content)
            except InvalidFile as error:
                if "line" in error.fields:
                    raise
                raise invalid_line(number, error.detail, code=error.code) from error
        elif not lines:
            comments.append(joined.strip())
    return lines, comments


def _joined(texts: list[str]) -> list[tuple[int, str]]:
    """Join lines that end in a backslash with the next one; a comment ends what it is in."""
    found: list[tuple[int, str]] = []
    parts: list[str] = []
    start = 0
    for number, text in enumerate(texts, start=1):
        comment = _COMMENT.match(text) is not None
        if text.endswith("\\") and not comment:
            start = start if parts else number
            parts.append(text.rstrip("\\"))
            continue
        if parts:
            found.append((start, "".join([*parts, f" {text}" if comment else text])))
            parts = []
        else:
            found.append((number, text))
    return [*found, (start, "".join(parts))] if parts else found


def _lines(number: int, content: str) -> list[Line]:
    if not content.startswith("-"):
        return [_requirement(number, content)]
    words = _words(content)
    found: list[Line] = []
    while words:
        option, value = _option(words, _VALUED, _FLAGS)
        if option == "-e":
            rest = [f"{name}={given}" for name, given in _requirement_options(words)]
            found.append(Line(number, Kind.EDITABLE, " ".join([f"-e {_checked(value)}", *rest]), value))
            break
        kind = Kind(option) if option in {kind.value for kind in Kind} else Kind.OPTION
        found.append(Line(number, kind, f"{option} {_quoted(_checked(value))}" if value else option, value))
    return found


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=False)
    except ValueError as error:
        raise InvalidFile(f"Its quotation marks do not match: {text[:80]!r}.") from error


def _option(words: list[str], valued: dict[str, str], flags: frozenset[str]) -> tuple[str, str]:
    """Take the next option off *words*; return its one name and its value."""
    word = words.pop(0)
    name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
    if match := _SHORT.match(word):
        name, equals, value = match[0], "=", word[2:].removeprefix("=")
    if name in flags and not equals:
        return name, ""
    if name not in valued:
        raise InvalidFile(f"{name[:60]!r} is no option of requirements files.")
    if not equals:
        if not words:
            raise InvalidFile(f"{name} needs a value.")
        value = words.pop(0)
    if not value:
        raise InvalidFile(f"{name} needs a value.")
    return valued[name], value


def _requirement(number: int, content: str) -> Line:
    match = _BEFORE_OPTIONS.search(content)
    text, rest = (content[: match.start()].strip(), content[match.start() :]) if match else (content, "")
    options = "".join(f" {name}={_quoted(value)}" for name, value in _requirement_options(_words(rest)))
    try:
        requirement = parse_requirement(text)
    except InvalidRequirement as error:
        if _PATH.match(text) or "://" in text.partition(";")[0].partition(" @ ")[0]:
            return Line(number, Kind.PATH, _checked(text) + options, text)
        if _VARIABLE.search(text):
            return Line(number, Kind.PATH, text + options, text)
        raise InvalidFile(f"{text[:120]!r} is neither a requirement (PEP 508) nor a path: {_reason(error)}.") from error
    if requirement.url:
        _checked(requirement.url)
    return Line(number, Kind.REQUIREMENT, str(requirement) + options, text, requirement)


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")[:200] or "it cannot be read"


def _requirement_options(words: list[str]) -> list[tuple[str, str]]:
    """Return the options of one requirement; digests once each, in the order of their text."""
    found: list[tuple[str, str]] = []
    names = {**_OF_REQUIREMENTS, **{name: name for name in (*_VALUED, *_DROPPED)}}
    while words:
        if not words[0].startswith("-"):
            raise InvalidFile(f"{words[0][:60]!r} stands where an option belongs.")
        option, value = _option(words, names, _FLAGS)
        if option == "--hash":
            if not _DIGEST.match(value):
                raise InvalidFile(f"{value[:40]!r} is no digest: write --hash=sha256:… with 64 hexadecimal digits.")
            value = value.lower()
        if option in _OF_REQUIREMENTS.values():  # others are without effect here, says pip
            found.append((option, value))
    digests = sorted(value for option, value in found if option == "--hash")
    return [(option, value) for option, value in found if option != "--hash"] + [("--hash", value) for value in dict.fromkeys(digests)]


def _checked(value: str) -> str:
    return refuse_credentials(value, _WHAT) if "://" in value else value


def _quoted(value: str) -> str:
    return value if not re.search(r"[\s\"'\\]", value) else shlex.quote(value)
