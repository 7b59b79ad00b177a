"""``pixi.toml``, written: a workspace with one environment."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement

from carrel.core.errors import InvalidFile
from carrel.formats.environment import selectors
from carrel.formats.environment.checks import check_url, parse_requirement
from carrel.formats.environment.conda_specs import check_channel, check_spec
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.environment.targets import Target, python_for
from carrel.formats.parsing import refuse_credentials

_USUAL = ("linux-64", "osx-64", "osx-arm64", "win-64")
_TARGETS = ("linux", "osx", "win", "unix")
_SYSTEMS = {"glibc": "libc", "osx": "macos"}
_PAIR = re.compile(r"""\s*([A-Za-z0-9_]+)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^,\s]+))\s*(?:,|\Z)""")
_MEMBERS = {"build_number": "build-number", "fn": "file-name", "license_family": "license-family"}
_LINK = re.compile(r"(?:-f|--find-links)[\s=]+(\S+)\Z")
_INDEX = re.compile(r"(--index-url|-i|--extra-index-url)[\s=]+(\S+)\Z")
_FOLDER = re.compile(
    r"(?P<editable>-e\s+|--editable[\s=]+)?(?P<path>(?:file://)?[~./][^\s#\[]*)(?:\[(?P<extras>[^\]]*)\])?(?P<fragment>#\S+)?\Z"
)


def write(spec: EnvironmentSpec) -> bytes:
    """Return *spec* as ``pixi.toml``.

    What pixi has no word for (such as ``-r more.txt``) stands in a comment at the top.

    Raises
    ------
    InvalidFile
        An address carries credentials (code ``credentials_in_file``).
    """
    import tomlkit  # a hub, which only reads, starts without

    platforms = list(spec.platforms or _USUAL)
    workspace: dict[str, Any] = {"name": spec.name or "environment"}
    workspace["channels"] = [check_channel(channel, "channels") for channel in spec.channels if channel != "nodefaults"]
    workspace["platforms"] = platforms
    if spec.exclude_newer is not None:
        workspace["exclude-newer"] = spec.exclude_newer.isoformat().replace("+00:00", "Z")
    writer = _Writer(spec, platforms)
    writer.fill()
    document = {"workspace": workspace, **{key: value for key, value in writer.document.items() if value}}
    comment = "".join(f"# Not expressed here: {line}\n" for line in writer.left_out)
    return (comment + tomlkit.dumps(document)).encode()


def _in_line(members: dict[str, Any]) -> Any:
    """Return *members* as a table on one line."""
    from tomlkit import inline_table

    table = inline_table()
    table.update(members)
    return table


class _Writer:
    """The tables of dependencies."""

    def __init__(self, spec: EnvironmentSpec, platforms: list[str]) -> None:
        self._spec = spec
        self._platforms = platforms
        self.left_out: list[str] = []
        self.document: dict[str, Any] = {
            "dependencies": {},
            "constraints": {},
            "pypi-dependencies": {},
            "pypi-options": {},
            "target": {},
            "system-requirements": {_SYSTEMS.get(name, name): version for name, version in spec.system_requirements},
            "activation": {"env": dict(spec.variables)} if spec.variables else {},
        }

    def fill(self) -> None:
        """Write everything down."""
        spec = self._spec
        everywhere = _merged(spec.dependencies)
        if spec.requires_python and "python" not in everywhere:
            everywhere["python"] = spec.requires_python
        self.document["dependencies"] = everywhere
        self.document["constraints"] = _merged(spec.constraints)
        by_target: dict[str, list[str]] = {}
        for expression, text in spec.selected:
            for target in self._targets(expression):
                by_target.setdefault(target, []).append(text)
        for target, texts in by_target.items():
            names = {conda_entry(text)[0] for text in texts}
            # pixi lets the table of a target replace what holds for all platforms; here both hold.
            also = [text for text in spec.dependencies if conda_entry(text)[0] in names]
            wider = [text for other in by_target if other != target and _covers(other, target) for text in by_target[other]]
            also += [text for text in wider if conda_entry(text)[0] in names]
            self._target(target)["dependencies"] = _merged([*also, *texts])
        options = self.document["pypi-options"]
        if spec.indexes:
            *extra, main = [check_url(url, "indexes") for url in spec.indexes]
            options["index-url"] = main
            if extra:
                options["extra-index-urls"] = extra
        for line in spec.pip:
            if not self._pip(line.strip(), options):
                self.left_out.append(" ".join(line.split()))
        self.left_out += [f"-c {text}" for text in spec.pip_constraints]

    def _target(self, name: str) -> dict[str, Any]:
        return self.document["target"].setdefault(name, {})  # type: ignore[no-any-return]

    def _targets(self, expression: str) -> list[str]:
        if expression in _TARGETS:
            return [expression]
        try:
            return [platform for platform in self._platforms if selectors.holds(expression, platform)]
        except ValueError as error:
            raise InvalidFile(f"sel({expression[:80]}) is not a selector of platforms.", field="dependencies") from error

    def _pip(self, line: str, options: dict[str, Any]) -> bool:
        """Write one line for pip; whether pixi has a word for it."""
        if match := _LINK.match(line):
            link = refuse_credentials(match[1], "pip")
            options.setdefault("find-links", []).append(_in_line({"url" if "://" in link else "path": link}))
        elif match := _INDEX.match(line):
            url = check_url(match[2], "pip")
            if match[1] == "--extra-index-url":
                options.setdefault("extra-index-urls", []).append(url)
            else:
                options["index-url"] = url
        elif line == "--pre":
            options["prerelease-mode"] = "allow"
        elif match := _FOLDER.match(line):
            return self._folder(match)
        else:
            try:
                requirement = parse_requirement(line)
            except InvalidRequirement:
                return False
            self._requirement(requirement)
        return True

    def _folder(self, match: re.Match[str]) -> bool:
        fragment = match["fragment"] or ""
        egg = re.search(r"egg=([A-Za-z0-9._-]+)", fragment)
        name = egg[1] if egg else unquote(match["path"]).rstrip("/").rpartition("/")[2]
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name in (".", ".."):
            return False  # pixi wants a name for each package, and only the folder knows it
        entry: dict[str, Any] = {"path": match["path"]}
        if match["editable"]:
            entry["editable"] = True
        if match["extras"]:
            entry["extras"] = [extra.strip() for extra in match["extras"].split(",")]
        if subdirectory := re.search(r"subdirectory=([^&]+)", fragment):
            entry["subdirectory"] = subdirectory[1]
        self.document["pypi-dependencies"][name] = _in_line(entry)
        return True

    def _requirement(self, requirement: Requirement) -> None:
        entry = python_entry(requirement)
        entry = entry if isinstance(entry, str) else _in_line(entry)
        if requirement.marker is None:
            self.document["pypi-dependencies"][requirement.name] = entry
            return
        python = python_for(self._spec.requires_python)
        for platform in self._platforms:
            try:
                holds = requirement.marker.evaluate(dict(Target(platform, python).environment()))  # type: ignore[arg-type]
            except InvalidFile:
                holds = True
            if holds:
                self._target(platform).setdefault("pypi-dependencies", {})[requirement.name] = entry


def _covers(wide: str, narrow: str) -> bool:
    """Whether the table of target *wide* holds for all of *narrow* too."""
    if "-" in narrow:
        return wide in selectors.true_for(narrow)
    return wide == "unix" and narrow in ("linux", "osx")


def python_entry(requirement: Requirement) -> str | dict[str, Any]:
    """Return *requirement* as an entry of ``pypi-dependencies``."""
    extras = sorted(requirement.extras)
    entry: dict[str, Any]
    if requirement.url is None:
        version = str(requirement.specifier) or "*"
        if not extras:
            return version
        entry = {"version": version}
    elif requirement.url.startswith("git+"):
        address, _, fragment = refuse_credentials(requirement.url, requirement.name).removeprefix("git+").partition("#")
        head, at, revision = address.rpartition("@")
        pinned = bool(at) and "/" in head.partition("://")[2]
        entry = {"git": head, "rev": revision} if pinned else {"git": address}
        if subdirectory := re.search(r"subdirectory=([^&]+)", fragment):
            entry["subdirectory"] = subdirectory[1]
    else:
        address, _, fragment = refuse_credentials(requirement.url, requirement.name).partition("#")
        subdirectory = re.search(r"subdirectory=([^&]+)", fragment)
        entry = {"url": address if subdirectory else requirement.url, **({"subdirectory": subdirectory[1]} if subdirectory else {})}
    return {**entry, **({"extras": extras} if extras else {})}


def conda_entry(text: str) -> tuple[str, dict[str, str]]:
    """Return name and members of the match specification *text*.

    Raises
    ------
    InvalidFile
    """
    text = check_spec(text, "dependencies")
    if re.match(r"\S+://\S+\.(?:conda|tar\.bz2)(?:#\S*)?\Z", text):
        url, _, digest = text.partition("#")
        name = url.rpartition("/")[2].rsplit("-", 2)[0]
        return name, {"url": url, **({"md5" if len(digest) == 32 else "sha256": digest.removeprefix("sha256:")} if digest else {})}
    channel, _, rest = text.rpartition("::")
    head, _, brackets = rest.partition("[")
    match = re.match(r"([A-Za-z0-9_*][A-Za-z0-9_.*-]*)\s*(.*)\Z", head, re.DOTALL)
    if match is None:
        raise InvalidFile(f"{text[:100]!r} does not name a conda package.", field="dependencies")
    members: dict[str, str] = {}
    version, build = _version_and_build(match[2].strip())
    if version:
        members["version"] = version
    if build:
        members["build"] = build
    for pair in _PAIR.finditer(brackets.rpartition("]")[0]):
        members[_MEMBERS.get(pair[1], pair[1])] = pair[2] or pair[3] or pair[4] or ""
    if channel:
        members["channel"] = channel
    return match[1].lower(), members


def _version_and_build(text: str) -> tuple[str, str]:
    """Split what follows the name: ``=1.2=py_0``, ``1.2 py_0``, ``>=1,<2``, ``=1.2``."""
    exact = re.match(r"=([^=\s,|<>!~]+)=([^=\s]+)\Z", text)
    if exact:
        return (exact[1] if exact[1] == "*" or "*" in exact[1] else f"=={exact[1]}"), exact[2]
    fuzzy = re.match(r"=\s*([^=\s,|<>!~*]+)\Z", text)
    if fuzzy:
        return f"{fuzzy[1]}.*", ""
    if text.startswith("=") and not text.startswith("=="):
        text = text[1:].strip()
    parts = re.sub(r"\s*([,|<>=!~]+)\s*", r"\1", text).split()
    return (parts[0], parts[1]) if len(parts) == 2 else (" ".join(parts), "")


def _merged(texts: Iterable[str]) -> dict[str, Any]:
    """Return the entries of *texts*; of several for one package, all hold.

    Raises
    ------
    InvalidFile
        Two ask for different builds, channels or files of one package, which no single entry can say.
    """
    found: dict[str, dict[str, str]] = {}
    versions: dict[str, list[str]] = {}
    for text in texts:
        name, members = conda_entry(text)
        version = members.pop("version", "*")
        known = found.setdefault(name, {})
        if any(known.get(key, value) != value for key, value in members.items()):
            raise InvalidFile(f"pixi.toml cannot ask for {name} in two ways at once: {text[:100]!r} and another.", field="dependencies")
        known.update(members)
        if version != "*" and version not in versions.setdefault(name, []):
            versions[name].append(version)
    entries: dict[str, Any] = {}
    for name, members in found.items():
        several = versions.get(name, [])
        version = ",".join(f"({one})" if "|" in one and len(several) > 1 else one for one in several)
        entries[name] = _in_line({**({"version": version} if version else {}), **members}) if members else version or "*"
    return entries
