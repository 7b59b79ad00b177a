"""Match specifications (``python >=3.9 *_cp39``, ``python[version=">=3.9"]``) as far as indexes need them."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carrel.formats.conda.versions import CondaVersion, version_matcher

_NAME = re.compile(r"\s*(?:[^\s:\[\]]*::)?([A-Za-z0-9_.*-]+)\s*")
_BRACKETS = re.compile(r"\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]")
_CONDITION = re.compile(r";\s*if\s+([^\"]+?)\s*\Z")
_FIELD = re.compile(r"""\s*([A-Za-z0-9_]+)\s*=\s*("[^"]*"|'[^']*'|\[[^\]]*\]|[^,]*)\s*(?:,|\Z)""")


@dataclass(frozen=True, slots=True)
class Match:
    """What a specification asks of a record.

    Attributes
    ----------
    name : str
        Lowercase.
    version, build, build_number : str
        Empty: any.
    """

    name: str
    version: str = ""
    build: str = ""
    build_number: str = ""

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether *record*, which has this name, satisfies the specification."""
        return (
            (not self.version or version_matcher(self.version)(version_of(record["version"])))
            and (not self.build or _glob(self.build, str(record.get("build", ""))))
            and (not self.build_number or version_matcher(self.build_number)(version_of(str(record.get("build_number", 0)))))
        )


@functools.lru_cache(maxsize=50_000)
def version_of(text: str) -> CondaVersion:
    """Return the version *text*."""
    return CondaVersion(text)


@functools.lru_cache(maxsize=100_000)
def parse_match(spec: str) -> Match | None:
    """Return what *spec* asks for, None when it names no package."""
    text = re.sub(r"\s*(?:;| # ).*\Z", "", spec)  # "dep; if condition": the condition is the solver's affair
    fields: dict[str, str] = {}
    while found := _BRACKETS.search(text):
        fields.update({key.lower(): value.strip("\"'") for key, value in _FIELD.findall(found[1])})
        text = text[: found.start()] + text[found.end() :]
    named = _NAME.match(text)
    if named is None:
        return None
    rest = text[named.end() :].strip()
    version, build = _version_and_build(rest, spaced=text[: named.end()].rstrip() != text[: named.end()])
    return Match(
        named[1].lower(), fields.get("version", version), fields.get("build", build), fields.get("build_number", "").removeprefix("==")
    )


def _version_and_build(rest: str, *, spaced: bool) -> tuple[str, str]:
    if not rest:
        return "", ""
    # Spaces may stand after an operator, a comma or a bar: ">= 1.2 , < 2".
    joined = re.sub(r"\s*([,|])\s*", r"\1", re.sub(r"([<>=!~])\s+", r"\1", rest))
    parts = joined.split()
    version, build = parts[0], parts[1] if len(parts) > 1 else ""
    if not build and not spaced and version.startswith("=") and not version.startswith("=="):
        # name=version=build
        version, _, build = version[1:].partition("=")
        version = version if build or version.endswith("*") else f"={version}"
    elif not build and re.match(r"[^<>=!~,|]+=[^=]+\Z", version):
        version, _, build = version.partition("=")
    return version, build


def _glob(pattern: str, text: str) -> bool:
    if pattern.startswith("^") and pattern.endswith("$"):
        try:
            return re.match(pattern, text) is not None
        except re.error:
            return False
    return fnmatch.fnmatchcase(text, pattern)


def bracketed(spec: str) -> str:
    """Return *spec* in the form that records of the third revision use (CEP 48): the bare name or ``name[key="value"]``."""
    if "[" in spec:
        return spec
    match = parse_match(spec)
    if match is None:
        return spec
    fields = [f'{key}="{value}"' for key in ("version", "build", "build_number") if (value := getattr(match, key))]
    if condition := _CONDITION.search(spec):
        fields.append(f'when="{condition[1]}"')
    return f"{match.name}[{','.join(fields)}]" if fields else match.name
