"""``pixi.lock``, versions 5 to 7: recognised and listed. Other tools of the project work with the standard locks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import check_name, check_url, check_version
from carrel.formats.environment.description import Description, ListedPackage
from carrel.formats.environment.lock import split_conda_filename, split_conda_url, url_filename
from carrel.formats.parsing import expect_mapping, expect_text, load_yaml

_WHAT = "pixi.lock"
_VERSIONS = range(4, 8)


def describe(data: bytes) -> Description:
    """Return what a ``pixi.lock`` says of its default (or first) environment on its first platform.

    Raises
    ------
    InvalidFile
    """
    document = expect_mapping(load_yaml(data, _WHAT), _WHAT)
    if document.get("version") not in _VERSIONS:
        raise InvalidFile(f"The version of pixi.lock is {str(document.get('version'))[:20]}; 4 to 7 are known.", field="version")
    environments = expect_mapping(document.get("environments"), "environments")
    if not environments:
        raise InvalidFile("pixi.lock holds no environment.", field="environments")
    name = "default" if "default" in environments else next(iter(environments))
    environment = expect_mapping(environments[name], f"environments.{name}")
    by_platform = expect_mapping(environment.get("packages") or {}, "packages")
    details = _details(document.get("packages"))
    listed: list[ListedPackage] = []
    for reference in _list(next(iter(by_platform.values()), []), "packages"):
        item = expect_mapping(reference, "packages")
        for source in ("conda", "pypi"):
            if source in item:
                url = expect_text(item[source], f"packages.{source}", length=4096)
                listed.append(_package(source, url, details.get((source, url), {})))
    channels = tuple(
        check_url(expect_text(expect_mapping(channel, "channels").get("url"), "channels.url"), "channels")
        for channel in _list(environment.get("channels") or [], "channels")
    )
    return Description(
        format="pixi-lock",
        locked=True,
        platforms=tuple(by_platform),
        channels=channels,
        python_version=next((item.version for item in listed if item.name == "python" and item.source == "conda"), ""),
        packages=tuple(listed),
    )


def _details(packages: Any) -> dict[tuple[str, str], Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for entry in _list(packages or [], "packages"):
        item = expect_mapping(entry, "packages")
        kind = item.get("kind")  # version 5 and before: kind and url instead of conda: url
        for source in ("conda", "pypi"):
            url = item.get("url") if kind == source else item.get(source)
            if isinstance(url, str):
                found[source, url] = item
    return found


def _package(source: str, url: str, details: Mapping[str, Any]) -> ListedPackage:
    what = f"{source} package"
    remote = "://" in url
    if remote:
        check_url(url.removeprefix("direct+"), what)
    if source == "conda":
        channel, _, filename = split_conda_url(url)
        try:
            name, version, build = split_conda_filename(filename)
        except ValueError:
            return ListedPackage(check_name(details.get("name"), what), str(details.get("version", "")), "", "conda")
        return ListedPackage(name, version, build, "conda", channel if remote else "")
    try:
        wheel_name, wheel_version, _, _ = parse_wheel_filename(url_filename(url))
        told_name, told_version = str(wheel_name), str(wheel_version)
    except InvalidWheelFilename:
        told_name, told_version = url_filename(url.rstrip("/")) or "unnamed", ""
    told = details.get("version")
    version = told_version if told is None else check_version(told, what)
    return ListedPackage(check_name(details.get("name", told_name), what), version, "", "pypi")


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > 100_000:
        raise InvalidFile(f"{what} in pixi.lock must be a list.", field=what)
    return value
