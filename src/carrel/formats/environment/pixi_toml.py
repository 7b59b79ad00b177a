"""``pixi.toml`` and ``[tool.pixi]`` of ``pyproject.toml``: what one environment of a workspace is asked to hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from carrel.core.errors import BadRequest, InvalidFile
from carrel.core.names import is_subdir
from carrel.formats.environment import selectors
from carrel.formats.environment.conda_specs import check_channel
from carrel.formats.environment.dependency_groups import GROUPS, Groups
from carrel.formats.environment.pixi_features import Content
from carrel.formats.environment.pixi_requirements import check_index, conda_spec, python_requirement, requirement
from carrel.formats.environment.pixi_toml_writing import write
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.parsing import as_utf8, check_values, expect_mapping, expect_text, expect_texts, invalid_line, load_toml, with_lines

__all__ = ["FILENAME", "environments", "read", "write"]

FILENAME = "pixi.toml"

_WHAT = "pixi.toml"
_TABLES = ("build-dependencies", "host-dependencies", "dependencies")  # later ones win
_SYSTEMS = {"libc": "glibc", "macos": "osx"}
_LONGEST_1_1 = 64 * 1024  # bytes; its parser takes some seconds for a megabyte
_DURATION = re.compile(r"\s*(\d{1,9})\s*(weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def environments(data: bytes) -> tuple[str, ...]:
    """Return the names of the environments that a manifest defines; ``default`` is always among them.

    Raises
    ------
    InvalidFile
    """
    data = as_utf8(data)
    document = _load(data)
    with with_lines(data, "toml"):
        return tuple(_Manifest(document).environments)


def read(data: bytes, environment: str = "default", platform: str = "", *, now: datetime | None = None) -> EnvironmentSpec:
    """Return what one environment of a manifest asks for.

    Features are put together as pixi does: the specifications of all of them hold, and within each the tables of a
    target replace those for all platforms. What pixi builds from sources, activation scripts and per-package choices of
    an index are told in ``notes``.

    Parameters
    ----------
    data : bytes
    environment : str
    platform : str, optional
        conda subdir to read it for. Without it, what is for some platforms only goes to ``selected``, and requirements
        for pip get environment markers.
    now : datetime, optional
        What durations in ``exclude-newer`` count from; by default the time it is.

    Raises
    ------
    InvalidFile
        With the line under ``line``.
    BadRequest
        There is no such environment (code ``unknown_environment``), or it is not for *platform* (code ``wrong_platform``).
    """
    data = as_utf8(data)
    document = _load(data)
    with with_lines(data, "toml"):
        return _Manifest(document).read(environment, platform, now or datetime.now(UTC))


def _load(data: bytes) -> Mapping[str, Any]:
    try:
        return load_toml(data, _WHAT)
    except InvalidFile as refused:
        if len(data) > _LONGEST_1_1 or "line" not in refused.fields:  # too long, or no question of the grammar
            raise
        import tomlkit  # for the few that need it: a hub starts without
        from tomlkit.exceptions import ParseError, TOMLKitError

        try:  # pixi reads TOML 1.1: inline tables over several lines
            document: dict[str, Any] = tomlkit.parse(data.decode("utf-8-sig")).unwrap()
            check_values(document, _WHAT)
            return document
        except ParseError as error:
            if error.line > refused.fields.get("line", error.line):
                raise invalid_line(error.line, f"{_WHAT} is not TOML (column {error.col}).") from error
        except (TOMLKitError, ValueError, RecursionError):
            pass
        raise


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that may define dependencies, where it is, and for which platforms."""

    content: Mapping[str, Any]
    what: str
    target: str = ""

    @property
    def expression(self) -> str:
        """The selector of its platforms; empty for all."""
        system, _, machine = self.target.partition("-")
        return f"{system} and {_MACHINES.get(machine, machine)}" if machine else self.target


_MACHINES = {"64": "x64", "32": "x86"}


class _Manifest:
    """A manifest whose outermost members are what they must be."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        tool = document.get("tool")
        nested = isinstance(tool, dict) and isinstance(tool.get("pixi"), dict) and "workspace" not in document
        self._prefix = "tool.pixi." if nested else ""
        self._root = expect_mapping(tool["pixi"] if nested and isinstance(tool, dict) else document, _WHAT)
        self._project = expect_mapping(document.get("project", {}), "project") if nested else {}
        self._groups = Groups(document.get(GROUPS, {}) if nested else {})
        key = "workspace" if "workspace" in self._root else "project"
        if key not in self._root or (key == "project" and "build-system" in document and not nested):
            raise InvalidFile(f"{_WHAT} has no table [{self._prefix}workspace].", field=f"{self._prefix}workspace")
        self._space = f"{self._prefix}{key}"
        self._workspace = expect_mapping(self._root[key], self._space)
        self._features = self._mapping(self._root, "feature", self._prefix + "feature")
        self.environments: dict[str, Any] = {"default": [], **self._mapping(self._root, "environments", self._prefix + "environments")}
        self._notes: list[str] = []

    @staticmethod
    def _mapping(table: Mapping[str, Any], key: str, what: str) -> Mapping[str, Any]:
        return expect_mapping(table.get(key, {}), what)

    def read(self, environment: str, platform: str, now: datetime) -> EnvironmentSpec:
        """Return what *environment* asks for; see :func:`read`."""
        if environment not in self.environments:
            names = list(self.environments)
            sentence = f"{_WHAT} has no environment {environment[:80]!r}, but {', '.join(names[:20])}."
            raise BadRequest(sentence, code="unknown_environment", environments=names)
        features = list(self._features_of(environment))
        platforms, requirements = self._platforms(features)
        if platform and platforms and platform not in platforms:
            sentence = f"The environment {environment[:80]!r} is for {', '.join(platforms)}, not for {platform}."
            raise BadRequest(sentence, code="wrong_platform", platforms=list(platforms))
        content = Content(platform)
        pool = self._mapping(self._workspace, "dependencies", f"{self._space}.dependencies")
        for feature in features:
            tables = list(self._tables(feature))
            content.add("conda", [entry for table in tables for entry in self._conda_entries(table, pool, _TABLES)])
            content.add("constraints", [entry for table in tables for entry in self._conda_entries(table, pool, ("constraints",))])
            content.add("pypi", [*self._of_project(feature), *(entry for table in tables for entry in self._python_entries(table))])
            for table in tables:
                if not table.target or content.fits(table.expression):
                    self._activation(table, content.variables)
        dependencies, selected = content.conda("conda")
        if content.needs_python and not any(text.split("::")[-1].split()[0].partition("[")[0] == "python" for text in dependencies):
            dependencies = [f"python {content.needs_python}".strip(), *dependencies]
        constraints, chosen = content.conda("constraints")
        indexes, links = self._indexes(features)
        return EnvironmentSpec(
            name=self._name(environment),
            channels=self._channels(features),
            dependencies=tuple(dict.fromkeys(dependencies)),
            pip=tuple(dict.fromkeys([*links, *content.pip()])),
            selected=tuple(dict.fromkeys(selected)),
            variables=tuple(content.variables.items()),
            platforms=(platform,) if platform else platforms,
            indexes=indexes,
            exclude_newer=self._exclude_newer(now),
            system_requirements=tuple(requirements.items()),
            constraints=tuple(dict.fromkeys([*constraints, *(text for _, text in chosen)])),
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _name(self, environment: str) -> str:
        name = self._workspace.get("name") or self._project.get("name") or ""
        return expect_text(name, f"{self._space}.name", length=255) if environment == "default" or not name else f"{name}-{environment}"

    def _features_of(self, environment: str) -> Iterator[_Table]:
        """Yield the features of *environment*, the most important first."""
        what = f"{self._prefix}environments.{environment}"
        value = self.environments[environment]
        table = value if isinstance(value, dict) else {"features": value}
        if isinstance(value, dict) and (set(value) - {"features", "solve-group", "no-default-feature"}):
            yield _Table(value, what)
        optional = self._mapping(self._project, "optional-dependencies", "project.optional-dependencies")
        for name in dict.fromkeys(expect_texts(table.get("features"), f"{what}.features", count=1000)):
            found = self._features.get(name)
            if found is None and name not in self._groups and name not in optional:
                raise InvalidFile(f"{what} names the feature {name[:80]!r}, which is not defined.", field=what)
            yield _Table(expect_mapping(found or {}, f"{self._prefix}feature.{name}"), f"{self._prefix}feature.{name}")
        if table.get("no-default-feature") is not True:
            yield _Table(self._root, self._prefix.rstrip("."))

    def _tables(self, feature: _Table) -> Iterator[_Table]:
        """Yield *feature* and its tables for some platforms, those for the fewest last."""
        yield feature
        what = f"{feature.what}.target".lstrip(".")
        targets = self._mapping(feature.content, "target", what)
        for name in sorted(targets, key=lambda name: (name != "unix", "-" in name)):
            table = _Table(expect_mapping(targets[name], f"{what}.{name}"), f"{what}.{name}", name)
            if selectors.parse(table.expression) is not None:
                yield table
            else:
                self._notes.append(f"[{what}.{name}] is for a platform that conda does not know; it was left out.")

    def _conda_entries(self, table: _Table, pool: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
        for key in keys:
            what = f"{table.what}.{key}".lstrip(".")
            for name, value in self._mapping(table.content, key, what).items():
                if text := conda_spec(name, value, f"{what}.{name}", pool, self._notes):
                    yield name.lower(), table.expression, text

    def _python_entries(self, table: _Table) -> Iterator[tuple[str, str, str]]:
        what = f"{table.what}.pypi-dependencies".lstrip(".")
        for name, value in self._mapping(table.content, "pypi-dependencies", what).items():
            yield name.lower().replace("_", "-"), table.expression, python_requirement(name, value, f"{what}.{name}", self._notes)

    def _of_project(self, feature: _Table) -> Iterator[tuple[str, str, str]]:
        """Yield what the standard tables of ``pyproject.toml`` ask for."""
        name = feature.what.removeprefix(f"{self._prefix}feature.")
        if feature.content is self._root:
            found = [("project.dependencies", self._project.get("dependencies"))]
            if "requires-python" in self._project:
                yield "", "", expect_text(self._project["requires-python"], "project.requires-python", length=200)
        else:
            optional = self._mapping(self._project, "optional-dependencies", "project.optional-dependencies")
            found = [(f"project.optional-dependencies.{name}", optional.get(name))]
            for text, what in self._groups.requirements(name) if name in self._groups else ():
                yield what, "", requirement(text, what)
        for what, texts in found:
            for position, text in enumerate(expect_texts(texts, what)):
                yield f"{what}[{position}]", "", requirement(text, f"{what}[{position}]")

    def _activation(self, table: _Table, variables: dict[str, str]) -> None:
        what = f"{table.what}.activation".lstrip(".")
        activation = self._mapping(table.content, "activation", what)
        if activation.get("scripts"):
            self._notes.append(f"The scripts of [{what}] are not run.")
        for key, value in self._mapping(activation, "env", f"{what}.env").items():
            variables.setdefault(key, expect_text(str(value) if isinstance(value, (int, float)) else value, f"{what}.env.{key}"))

    def _channels(self, features: list[_Table]) -> tuple[str, ...]:
        found: dict[str, int] = {}
        for feature in features:
            own = feature.content.get("channels") if feature.content is not self._root else None
            what = f"{feature.what}.channels" if own is not None else f"{self._space}.channels"
            entries = own if own is not None else self._workspace.get("channels", [])
            if not isinstance(entries, list):
                raise InvalidFile(f"{what} must be a list.", field=what)
            for position, entry in enumerate(entries):
                inside = f"{what}[{position}]"
                table = {"channel": entry} if isinstance(entry, str) else expect_mapping(entry, inside)
                priority = table.get("priority", 0)
                if isinstance(priority, bool) or not isinstance(priority, int):
                    raise InvalidFile(f"{inside}.priority must be a number.", field=f"{inside}.priority")
                found.setdefault(check_channel(table.get("channel"), inside), priority)
        return tuple(sorted(found, key=lambda channel: -found[channel]))

    def _platforms(self, features: list[_Table]) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return the platforms of all *features*, and what their systems must have."""
        requirements: dict[str, str] = {}
        names: dict[str, str] = {}
        what = f"{self._space}.platforms"
        listed = self._workspace.get("platforms", [])
        if not isinstance(listed, list):
            raise InvalidFile(f"{what} must be a list.", field=what)
        for position, entry in enumerate(listed):
            inside = f"{what}[{position}]"
            table = {"platform": entry} if isinstance(entry, str) else expect_mapping(entry, inside)
            subdir = expect_text(table.get("platform") or table.get("name"), inside, length=64)
            if not is_subdir(subdir) or subdir == "noarch":
                raise InvalidFile(f"{subdir[:80]!r} is not a platform.", field=inside)
            names[expect_text(table.get("name") or subdir, inside, length=255)] = subdir
            for key, value in table.items():
                if key not in ("platform", "name"):
                    version = value.get("driver") if isinstance(value, dict) else value
                    requirements.setdefault(_SYSTEMS.get(key, key).removeprefix("__"), expect_text(version, f"{inside}.{key}", length=64))
        chosen = list(names.values())
        for feature in features:
            if feature.content is not self._root and "platforms" in feature.content:
                own = expect_texts(feature.content["platforms"], f"{feature.what}.platforms", count=100)
                chosen = [platform for platform in chosen if platform in {names.get(name, name) for name in own}]
            self._system_requirements(feature, requirements)
        return tuple(dict.fromkeys(chosen)), requirements

    def _system_requirements(self, feature: _Table, requirements: dict[str, str]) -> None:
        what = f"{feature.what}.system-requirements".lstrip(".")
        for key, value in self._mapping(feature.content, "system-requirements", what).items():
            name = _SYSTEMS.get(key, key)
            if isinstance(value, dict):
                name = expect_text(value.get("family", name), f"{what}.{key}.family", length=32)
                value = value.get("version")
            if isinstance(value, bool):
                continue  # unix = true
            version = str(value) if isinstance(value, (int, float)) else expect_text(value, f"{what}.{key}", length=64)
            requirements.setdefault(name, version)

    def _indexes(self, features: list[_Table]) -> tuple[tuple[str, ...], list[str]]:
        """Return indexes, best first, and folders and pages of links as options of pip."""
        main = ""
        extra: list[str] = []
        links: list[str] = []
        for table in [*features, _Table(self._workspace, self._space)]:
            what = f"{table.what}.pypi-options".lstrip(".")
            options = self._mapping(table.content, "pypi-options", what)
            main = main or check_index(options.get("index-url", ""), f"{what}.index-url")
            extra += [
                check_index(url, f"{what}.extra-index-urls")
                for url in expect_texts(options.get("extra-index-urls"), f"{what}.extra-index-urls")
            ]
            entries = options.get("find-links", [])
            for position, entry in enumerate(entries if isinstance(entries, list) else []):
                inside = f"{what}.find-links[{position}]"
                link = expect_mapping(entry, inside)
                links.append("--find-links " + expect_text(link.get("path") or link.get("url"), inside))
            if options.get("prerelease-mode") == "allow":
                links.append("--pre")
        if extra and not main:
            from pypi_simple import PYPI_SIMPLE_ENDPOINT  # takes longer than the rest of this module

            main = PYPI_SIMPLE_ENDPOINT
        return tuple(dict.fromkeys([*extra, *([main] if main else [])])), list(dict.fromkeys(links))

    def _exclude_newer(self, now: datetime) -> datetime | None:
        value = self._workspace.get("exclude-newer")
        what = f"{self._space}.exclude-newer"
        if "exclude-newer" in self._root or "pypi-exclude-newer" in self._root:
            self._notes.append("Moments of publication that are allowed for single packages were left out.")
        if value is None:
            return None
        if isinstance(value, datetime):
            return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        text = value.isoformat() if isinstance(value, date) else expect_text(value, what, length=64).strip()
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
            if re.fullmatch(rf"(?:{_DURATION.pattern})+\s*", text):
                return now - sum((timedelta(**{_UNITS[unit[0]]: int(count)}) for count, unit in _DURATION.findall(text)), timedelta())
            moment = datetime.fromisoformat(text)
        except (ValueError, OverflowError) as error:
            raise InvalidFile(f"{what} is neither a moment like 2026-01-31T12:00:00Z nor a duration like 7d.", field=what) from error
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
