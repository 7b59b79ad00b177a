"""Wishes for packages in the words of conda (MatchSpec) and of Python (PEP 508), and back into either.

conda's own parser lives in a native library that must not be loaded in this process, so what is read here is a strict part of
its grammar: everything that :func:`conda_text` writes, the library reads as the same.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from carrel.core.errors import BadRequest
from carrel.environments.credentials import strip_url
from carrel.environments.models import EnvironmentKind, PackageSource, Spec

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_VERSION = re.compile(r"(?:\d+!)?[0-9A-Za-z](?:[0-9A-Za-z._]*[0-9A-Za-z_])?(?:\+[0-9A-Za-z._]*[0-9A-Za-z_])?\Z")
_ATOM = re.compile(r"(?P<operator>===|==|!=|>=|<=|~=|=|>|<)?\s*(?P<version>(?:\d+!)?[^\s,|()=<>!~]+)\Z")
_BUILD = re.compile(r"[A-Za-z0-9_.+*]+\Z")
_WITH_BUILD = re.compile(r"(?P<equals>==?)(?P<version>(?:\d+!)?[^=<>!~|,\s]+)=(?P<build>[^=\s]+)\Z")
_BRACKET = re.compile(r"(?P<before>[^\[\]]*)\[(?P<inside>.*)\]\Z")
_PAIR = re.compile(r"""\s*(?P<key>[a-z_0-9]+)\s*=\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<bare>[^,'"\s]+))\s*(?:,|\Z)""")
_CONDITIONS = ("build_number", "fn", "md5", "sha256", "subdir")
_SUBDIR = re.compile(r"(?:noarch|(?:linux|osx|win|emscripten|wasi|freebsd|zos)-[a-z0-9_]+)\Z")
_CONDA_ARCHIVE = (".conda", ".tar.bz2")
_PYTHON_ARCHIVE = (".whl", ".tar.gz", ".zip")
_HUB = re.compile(rf"(?P<namespace>[a-z0-9][a-z0-9._-]*)/(?:label/(?P<label>[^/\s]+)/)?(?P<rest>{_NAME}(?:[^/].*)?)\Z", re.DOTALL)


def parse(text: str, source: PackageSource = "conda") -> Spec:
    """Return the wish that *text* says, in the form that *source* has.

    conda: ``numpy``, ``numpy=1.26``, ``numpy 1.26.4 py311h*``, ``conda-forge/label/dev::numpy>=2[build=py311*]``, the address of
    one archive. PyPI: PEP 508, with extras, markers and ``name @ address``, or the address or path of one archive.
    ``conda::`` and ``pypi::`` before it say which of the two, whatever *source* is.

    Raises
    ------
    BadRequest
        It is not a specification; code ``invalid_spec`` (conda) or ``invalid_requirement``.
    """
    prefix, text = _prefix(text)
    return _parse_requirement(text) if (prefix or source) == "pypi" else _parse_match(text)


def parse_for(text: str, kind: EnvironmentKind, *, pypi: bool = False) -> Spec:
    """Return the wish that *text* says in an environment of *kind*, whichever of the forms it has.

    A form that only one of the two installers understands decides; otherwise conda's packages are meant in a conda environment
    (those of the Python indexes with *pypi*), and Python packages elsewhere. Where these are meant, versions may be written as for
    conda all the same (``numpy=1.26``).
    """
    prefix, rest = _prefix(text)
    form = form_of(rest)
    meant: PackageSource = "conda" if kind == "conda" and not pypi else "pypi"
    if prefix or form is None or form == meant:
        return parse(rest, prefix or meant)
    spec = parse(rest, form)
    if form == "conda" and not (spec.channel or spec.build or spec.url or spec.conditions or re.search(r"[|()]", spec.version or "")):
        return replace(spec, source="pypi")
    return spec


def form_of(text: str) -> PackageSource | None:
    """Return whose form *text* has, None when both could read it."""
    text = text.strip()
    address = text.partition("#")[0].rstrip()
    if address.endswith(_CONDA_ARCHIVE):
        return "conda"
    if re.match(rf"{_NAME}\s*(?:\[[^\]=]*\])?\s*@", text) or text.startswith("git+") or (_is_address(address) and "::" not in address):
        return "pypi"
    if "::" in text:
        return "conda"
    inside = _BRACKET.match(text.partition(";")[0].strip())
    if inside and "=" in inside["inside"]:
        return "conda"
    if ";" in text or "===" in text or re.match(rf"{_NAME}\s*\[", text):
        return "pypi"
    found = re.match(rf"{_NAME}\s*(.*)\Z", text)
    rest = found[1] if found else ""
    # a build, a single equals sign, an alternative, a version without operator: words of conda alone
    if "|" in rest or re.match(r"=(?!=)", rest) or _WITH_BUILD.match(rest) or re.match(r"[0-9*]", rest):
        return "conda"
    return None


def split_namespace(text: str) -> tuple[str | None, str | None, str]:
    """Return the namespace and label of the hub that *text* begins with, if any, and the rest.

    ``acme/charts>=2`` and ``acme/label/dev/charts`` do; addresses, paths and channels (``acme/label/dev::charts``) do not.
    """
    prefix, rest = _prefix(text)
    found = None if "::" in rest or "://" in rest else _HUB.match(rest)
    if found is None or rest.endswith((*_CONDA_ARCHIVE, *_PYTHON_ARCHIVE)):
        return None, None, text.strip()
    return found["namespace"], found["label"], f"{prefix}::{found['rest']}" if prefix else found["rest"]


def _prefix(text: str) -> tuple[PackageSource | None, str]:
    text = text.strip()
    for source in ("conda", "pypi"):
        if text.startswith(f"{source}::"):
            return ("pypi" if source == "pypi" else "conda"), text[len(source) + 2 :].strip()
    return None, text


def _is_address(text: str) -> bool:
    return "://" in text or text.startswith(("/", "./", "../", "~/")) or text.endswith(_PYTHON_ARCHIVE)


# conda


def _parse_match(text: str) -> Spec:
    whole = text
    address, _, digest = text.strip().partition("#")
    if address.rstrip().endswith(_CONDA_ARCHIVE) and (_is_address(address) or "/" in address):
        return _archive(address.strip(), digest.strip())
    text = text.partition("#")[0].strip()
    pairs: dict[str, str] = {}
    if found := _BRACKET.match(text):
        text, pairs = found["before"].strip(), _pairs(found["inside"], whole)
    channel, _, text = text.rpartition("::")
    channel, subdir = _channel(pairs.pop("channel", "") or channel)
    match = re.match(rf"({_NAME})(.*)\Z", text.strip(), re.DOTALL)
    if match is None:
        raise _bad(whole, "it has no name")
    version, build = _version_and_build(match[2].strip(), whole)
    if "version" in pairs:
        version = _conda_version(pairs.pop("version"), whole)
    build = pairs.pop("build", None) or build
    if build and not _BUILD.match(build):
        raise _bad(whole, f"{build!r} is not a build")
    url = pairs.pop("url", None)
    if subdir:
        pairs.setdefault("subdir", subdir)
    if unknown := sorted(set(pairs) - set(_CONDITIONS)):
        raise _bad(whole, f"{unknown[0]!r} is not understood in brackets")
    build = None if build == "*" else build
    conditions = tuple(sorted(pairs.items()))
    return Spec(match[1].lower(), version, "conda", channel=channel or None, build=build, url=url, conditions=conditions)


def _archive(address: str, digest: str) -> Spec:
    if "://" not in address:
        address = Path(address).expanduser().absolute().as_uri()
    parts = unquote(urlsplit(address).path).rpartition("/")[2].removesuffix(".conda").removesuffix(".tar.bz2").rsplit("-", 2)
    if len(parts) != 3 or not re.fullmatch(_NAME, parts[0]):
        raise _bad(address, "a conda archive is called NAME-VERSION-BUILD.conda")
    conditions: tuple[tuple[str, str], ...] = ()
    if digest:
        value = digest.removeprefix("sha256:").removeprefix("md5:").lower()
        if not re.fullmatch(r"[0-9a-f]{32}|[0-9a-f]{64}", value):
            raise _bad(f"{address}#{digest}", "what follows the # is no MD5 or SHA-256")
        conditions = (("sha256" if len(value) == 64 else "md5", value),)
    return Spec(parts[0].lower(), None, "conda", url=address, conditions=conditions)


def _pairs(inside: str, whole: str) -> dict[str, str]:
    found: dict[str, str] = {}
    end = 0
    while end < len(inside.rstrip()):
        pair = _PAIR.match(inside, end)
        if pair is None:
            raise _bad(whole, "what is in brackets must be KEY=VALUE, separated by commas")
        found[pair["key"]] = next(value for value in (pair["single"], pair["double"], pair["bare"]) if value is not None)
        end = pair.end()
    return found


def _channel(text: str) -> tuple[str, str]:
    """Return the channel and the subdirectory that may be named with it."""
    text = text.strip().rstrip("/")
    before, slash, last = text.rpartition("/")
    return (before, last) if slash and _SUBDIR.match(last) else (text, "")


def _version_and_build(rest: str, whole: str) -> tuple[str | None, str | None]:
    if not rest:
        return None, None
    if found := _WITH_BUILD.match(rest):
        return _conda_version(found["version"], whole), found["build"]
    # blanks around operators and separators mean nothing; the one that is left separates the build
    tight = re.sub(r"\s*([,|()])\s*", r"\1", re.sub(r"([=<>!~])\s+", r"\1", rest))
    version, _, build = tight.partition(" ")
    return _conda_version(version, whole), build.strip() or None


def _conda_version(text: str, whole: str) -> str | None:
    text = re.sub(r"\s+", "", text)
    if text in ("", "*"):
        return None
    pieces = re.split(r"([,|()])", text)
    depth, written = 0, []
    alone = sum(1 for piece in pieces if piece and piece not in ",|()") == 1
    expects = True
    for piece in pieces:
        if piece in ("(", ")"):
            depth += 1 if piece == "(" else -1
            if depth < 0 or (piece == "(") != expects:
                raise _bad(whole, f"{text!r} is not a version")
        elif piece in (",", "|"):
            if expects:
                raise _bad(whole, f"{text!r} is not a version")
            expects = True
        elif piece:
            if not expects:
                raise _bad(whole, f"{text!r} is not a version")
            expects = False
            piece = _atom(piece, whole, alone=alone)
        written.append(piece)
    if depth or expects:
        raise _bad(whole, f"{text!r} is not a version")
    result = "".join(written)
    return re.sub(r"[()]", "", result) if alone else result


def _atom(text: str, whole: str, *, alone: bool) -> str:
    if text == "*":
        return "*"
    found = _ATOM.match(text)
    operator, version = (found["operator"] or "", found["version"]) if found else ("", "")
    stem = version.removesuffix("*").removesuffix(".")
    starred = version.endswith("*")
    if not starred:
        stem = version
    if found is None or not _VERSION.match(stem):
        raise _bad(whole, f"{text!r} is not a version")
    match operator:
        case "=" | "" if starred or operator == "=":
            return f"{stem}.*"
        case "==" if starred:
            return f"{stem}.*"
        case "!=":
            return f"!={stem}.*" if starred else f"!={stem}"
        case "" | "==" | "===":
            return stem if alone else f"=={stem}"
        case _:
            return f"{operator}{stem}"  # a star after >= and the like says nothing


def _bad(text: str, why: str) -> BadRequest:
    return BadRequest(f"{strip_secrets(text)!r} is not a package specification: {why}.", code="invalid_spec", spec=strip_secrets(text))


def strip_secrets(text: str) -> str:
    """Return *text*, which may be or hold an address, without what one signs in with."""
    return re.sub(r"[a-z+]+://[^\s\"'\]]+", lambda found: strip_url(found[0]), text[:300])


def conda_text(spec: Spec) -> str:
    """Return *spec* as a match specification in the one form that the strict parser of conda's library takes.

    Raises
    ------
    BadRequest
    """
    name = spec.name.lower()
    if not re.fullmatch(_NAME, name):
        raise _bad(spec.name, "it has no name")
    pairs = [f'{key}="{value}"' for key, value in spec.conditions]
    if spec.url:
        return name + f'[url="{spec.url}"' + "".join(f", {pair}" for pair in pairs) + "]"
    version = _conda_version(spec.version or "", f"{spec.name} {spec.version or ''}".strip())
    text = name
    if version or spec.build:
        exact = version is not None and _VERSION.match(version) is not None
        text += f" {'==' if exact else ''}{version or '*'}"
    if spec.build:
        text += f" {spec.build}"
    if pairs:
        text += f"[{', '.join(pairs)}]"
    return f"{strip_url(spec.channel).rstrip('/')}::{text}" if spec.channel else text


# PEP 508


def _parse_requirement(text: str) -> Spec:
    text = text.strip()
    if _is_address(text) and not re.match(rf"{_NAME}\s*(?:\[[^\]]*\])?\s*@", text):
        text = _named(text)
    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        raise _not_required(text, error) from error
    specifiers = list(found.specifier)
    version: str | None = str(found.specifier) or None
    if len(specifiers) == 1 and specifiers[0].operator == "==":
        version = specifiers[0].version
    marker = str(found.marker) if found.marker else None
    return Spec(found.name, version, "pypi", extras=tuple(sorted(found.extras)), marker=marker, url=found.url)


def _named(address: str) -> str:
    """Return ``name @ address`` for the address or path of an archive of a Python package."""
    url = address if "://" in address else Path(address).expanduser().absolute().as_uri()
    filename = unquote(urlsplit(url).path).rpartition("/")[2]
    try:
        name = parse_wheel_filename(filename)[0] if filename.endswith(".whl") else parse_sdist_filename(filename)[0]
    except (InvalidWheelFilename, InvalidSdistFilename) as error:
        message = f"{strip_secrets(address)!r} does not say which package it is: write NAME @ ADDRESS."
        raise BadRequest(message, code="invalid_requirement") from error
    return f"{name} @ {url}"


def _not_required(text: str, error: Exception) -> BadRequest:
    why = str(error).splitlines()[0].rstrip(".")
    return BadRequest(f"{strip_secrets(text)!r} is not a requirement: {why}.", code="invalid_requirement", spec=strip_secrets(text))


def requirement(spec: Spec) -> str:
    """Return *spec* as a requirement (PEP 508).

    Raises
    ------
    BadRequest
    """
    text = spec.name + (f"[{','.join(spec.extras)}]" if spec.extras else "")
    version = (spec.version or "").strip()
    if spec.url:
        text += f" @ {spec.url}"
    elif version:
        text += f"=={version}" if version[0].isalnum() else version
    if spec.marker:
        text += f" ; {spec.marker}"
    try:
        return str(Requirement(text))
    except InvalidRequirement as error:
        raise _not_required(text, error) from error


def text(spec: Spec) -> str:
    """Return *spec* as a person would write it, so that :func:`parse_for` reads the same in every environment of its kind."""
    if spec.source == "pypi":
        return f"pypi::{requirement(spec)}"
    written = conda_text(spec)
    return re.sub(r" (?===|[<>!~])", "", written) if not spec.build else written
