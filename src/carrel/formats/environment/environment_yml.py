"""``environment.yml`` (CEP 24): what was asked for, to be solved again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

from carrel.core.errors import InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment.checks import check_url
from carrel.formats.environment.lock import Lock
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.parsing import dump_yaml, expect_mapping, expect_text, expect_texts, load_yaml

FILENAME = "environment.yml"

_WHAT = "The environment file"


def read(data: bytes) -> EnvironmentSpec:
    """Return what an ``environment.yml`` asks for.

    Raises
    ------
    InvalidFile
        With the part of the file under ``field``.
    """
    document = expect_mapping(load_yaml(data, _WHAT), _WHAT)
    if "dependencies" not in document:
        raise InvalidFile(f"{_WHAT} has no 'dependencies'.", field="dependencies")
    name = expect_text(document.get("name") or "", "name", length=255)
    if any(character in "/ :#" for character in name):
        raise InvalidFile("The name of the environment must not contain '/', ':', '#' or a space.", field="name")
    channels = expect_texts(document.get("channels"), "channels", count=100)
    platforms = expect_texts(document.get("platforms"), "platforms", count=50)
    for platform in platforms:
        if not is_subdir(platform) or platform == "noarch":
            raise InvalidFile(f"{platform[:80]!r} is not a platform.", field="platforms")
    dependencies, pip, selected = _dependencies(document["dependencies"])
    variables = expect_mapping(document.get("variables") or {}, "variables")
    return EnvironmentSpec(
        name=name,
        channels=tuple(check_url(channel, "channels") for channel in channels),
        dependencies=tuple(dependencies),
        pip=tuple(pip),
        selected=tuple(selected),
        variables=tuple((key, _scalar(value, key)) for key, value in variables.items()),
        platforms=tuple(platforms),
    )


def _dependencies(value: Any) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    if value is None:
        return [], [], []
    if not isinstance(value, list) or len(value) > 10_000:
        raise InvalidFile("'dependencies' must be a list.", field="dependencies")
    dependencies: list[str] = []
    pip: list[str] = []
    selected: list[tuple[str, str]] = []
    for position, item in enumerate(value):
        what = f"dependencies[{position}]"
        if not isinstance(item, dict):
            text = expect_text(item, what, length=1000).strip()
            if not text:
                raise InvalidFile(f"{what} is empty.", field=what)
            dependencies.append(text)
            continue
        for key, content in expect_mapping(item, what).items():
            if key == "pip":
                pip += expect_texts(content, f"{what}.pip")
            elif key.startswith("sel(") and key.endswith(")"):
                selected.append((key[4:-1], expect_text(content, what, length=1000)))
            else:
                raise InvalidFile(f"{what} has the section {key[:80]!r}; only 'pip' and 'sel(…)' are known.", field=what)
    return dependencies, pip, selected


def _scalar(value: Any, key: str) -> str:
    if isinstance(value, (dict, list)):
        raise InvalidFile(f"The variable {key[:80]!r} must be text.", field="variables")
    return "" if value is None else str(value)


def write(spec: EnvironmentSpec) -> bytes:
    """Return *spec* as ``environment.yml``.

    Raises
    ------
    InvalidFile
        A channel's address carries credentials (code ``credentials_in_file``).
    """
    document: dict[str, Any] = {}
    if spec.name:
        document["name"] = spec.name
    if spec.channels:
        document["channels"] = [check_url(channel, "channels") for channel in spec.channels]
    dependencies: list[str | Mapping[str, Any]] = list(spec.dependencies)
    dependencies += [{f"sel({expression})": text} for expression, text in spec.selected]
    if spec.pip:
        dependencies.append({"pip": list(spec.pip)})
    document["dependencies"] = dependencies
    if spec.variables:
        document["variables"] = dict(spec.variables)
    if spec.platforms:
        document["platforms"] = list(spec.platforms)
    return dump_yaml(document)


def from_lock(lock: Lock, name: str = "") -> EnvironmentSpec:
    """Return what *lock*'s environment was asked for, at the versions it has.

    Without a record of what was asked for, all packages are listed. Packages from PyPI are always listed: nothing
    tells which of them were asked for. ``nodefaults`` keeps conda from adding the channels of its own settings.
    """
    asked = {text.split()[0].partition("=")[0].partition("[")[0].rstrip("<>!~").lower() for text in lock.requested if text.strip()}
    conda = {item.name: item for item in lock.conda}
    wanted = [conda[key] for key in sorted(conda) if key in asked or (key == "python" and asked)] or list(conda.values())
    dependencies = [f"{item.name}={item.version}" for item in wanted]
    if lock.pypi and conda and not any(item.name == "pip" for item in wanted):
        dependencies.append(f"pip={conda['pip'].version}" if "pip" in conda else "pip")
    if not conda and lock.python_version:
        dependencies = [f"python={lock.python_version}", "pip"]
    return EnvironmentSpec(
        name=name,
        channels=(*lock.channels, "nodefaults") if lock.channels else (),
        dependencies=tuple(dependencies),
        pip=tuple(f"{item.name}=={item.version}" for item in sorted(lock.pypi, key=lambda item: canonicalize_name(item.name))),
        platforms=(lock.platform,) if lock.platform and lock.platform != "noarch" else (),
    )
