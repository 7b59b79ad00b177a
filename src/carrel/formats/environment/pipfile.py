"""Pipfile and Pipfile.lock, as they are kept in the metadata of notebooks (as JSON)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import check_hash, check_url, parse_requirement
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.parsing import expect_mapping, expect_text, expect_texts

_REPOSITORIES = ("git", "hg", "svn", "bzr")
_MINOR = re.compile(r"\d+\.\d+\Z")


def read_pipfile(document: Mapping[str, Any]) -> EnvironmentSpec:
    """Return what a Pipfile asks for; what is for developers is left out.

    Raises
    ------
    InvalidFile
    """
    return EnvironmentSpec(
        pip=tuple(_requirements(document.get("packages"), "packages")),
        requires_python=_python(document.get("requires")),
        indexes=_indexes(document.get("source")),
    )


def read_pipfile_lock(document: Mapping[str, Any]) -> EnvironmentSpec:
    """Return the versions and digests of a Pipfile.lock; what is for developers is left out.

    Raises
    ------
    InvalidFile
    """
    meta = expect_mapping(document.get("_meta") or {}, "_meta")
    return EnvironmentSpec(
        pip=tuple(_requirements(document.get("default"), "default")),
        requires_python=_python(meta.get("requires")),
        indexes=_indexes(meta.get("sources")),
    )


def write_pipfile(spec: EnvironmentSpec) -> dict[str, Any]:
    """Return the Pipfile that asks for what *spec* does.

    Raises
    ------
    ValueError
        Something in it is no requirement.
    """
    packages: dict[str, Any] = {}
    for text in spec.pip:
        requirement = Requirement(text)
        entry: dict[str, Any] = {"version": str(requirement.specifier) or "*"}
        if requirement.url:
            scheme, _, address = requirement.url.partition("+")
            if scheme in _REPOSITORIES:
                url, at, revision = address.rpartition("@")
                entry = {scheme: url, "ref": revision} if at and "/" not in revision else {scheme: address}
            else:
                entry = {"file": requirement.url}
        if requirement.extras:
            entry["extras"] = sorted(requirement.extras)
        if requirement.marker:
            entry["markers"] = str(requirement.marker)
        packages[requirement.name] = entry["version"] if entry.keys() == {"version"} else entry
    version = re.fullmatch(r"==(\d+\.\d+)\.\*", spec.requires_python)
    return {
        "packages": packages,
        "dev-packages": {},
        "source": [{"url": check_url(url, "indexes"), "verify_ssl": True, "name": f"index{n}"} for n, url in enumerate(spec.indexes)],
        "requires": {"python_version": version[1]} if version else {},
    }


def _requirements(value: Any, what: str) -> Iterator[str]:
    for name, entry in expect_mapping(value or {}, what).items():
        yield _requirement(name, entry, f"{what}.{name}")


def _requirement(name: str, entry: Any, what: str) -> str:
    table = expect_mapping({"version": entry} if isinstance(entry, str) else entry, what)
    extras = expect_texts(table.get("extras"), f"{what}.extras")
    wanted = f"[{','.join(extras)}]" if extras else ""
    marker = expect_text(table.get("markers") or "", f"{what}.markers")
    after = f" ; {marker}" if marker else ""
    if "path" in table:
        path = expect_text(table["path"], what)
        return f"-e {path}{wanted}" if table.get("editable") is True else f"{path}{wanted}"
    address = next((f"{key}+{expect_text(table[key], what)}" for key in _REPOSITORIES if key in table), "")
    if address:
        revision = expect_text(table.get("ref") or "", what)
        address += f"@{revision}" if revision else ""
    elif "file" in table:
        address = expect_text(table["file"], what)
    version = expect_text(table.get("version") or "*", f"{what}.version")
    try:
        text = f"{name}{wanted} @ {check_url(address, what)}" if address else f"{name}{wanted}{'' if version == '*' else version}"
        requirement = parse_requirement(text + after)
    except InvalidRequirement as error:
        raise InvalidFile(f"{what} is no requirement.", field=what) from error
    digests = [_digest(text, what) for text in expect_texts(table.get("hashes"), f"{what}.hashes")]
    return "".join([str(requirement), *(f" --hash=sha256:{digest}" for digest in sorted(set(digests)))])


def _digest(text: str, what: str) -> str:
    algorithm, _, digest = text.partition(":")
    if algorithm != "sha256":
        raise InvalidFile(f"{what} has a digest that is no SHA-256.", field=what)
    return check_hash(digest, 64, what)


def _python(value: Any) -> str:
    requires = expect_mapping(value or {}, "requires")
    version = expect_text(requires.get("python_full_version") or requires.get("python_version") or "", "requires.python_version")
    return "" if not version or version == "*" else f"=={version}.*" if _MINOR.match(version) else f"=={version}"


def _indexes(value: Any) -> tuple[str, ...]:
    if value is not None and not isinstance(value, list):
        raise InvalidFile("'source' must be a list.", field="source")
    urls = [expect_text(expect_mapping(item, "source").get("url"), "source.url") for item in value or []]
    return tuple(dict.fromkeys(check_url(url, "source") for url in urls))
