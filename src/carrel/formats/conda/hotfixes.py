"""Patch instructions: changes to records that an owner makes without new files (``patch_instructions.json``, CEP 21).

The rules are those of conda-index: fixes of a ``.tar.bz2`` also apply to the ``.conda`` of the same name, which its own
fixes then override; null removes a key; mappings merge; ``revoke`` makes a record uninstallable; ``remove`` takes it
out. What names or identifies a file cannot be changed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from carrel.core.errors import BadRequest
from carrel.formats.parsing import storable_json

OLD, NEW = ".tar.bz2", ".conda"
SECTIONS = {"packages": OLD, "packages.conda": NEW}
# What a client downloads and checks, and what the server vouches for (CEP 47).
PROTECTED = frozenset(
    {
        "name",
        "version",
        "build",
        "build_number",
        "subdir",
        "md5",
        "sha256",
        "size",
        "fn",
        "url",
        "channel",
        "schema_version",
        "indexed_timestamp",
        "attestations_sha256",
        "revoked",
    }
)
_LISTS = frozenset({"depends", "constrains"})
_MAX_NAMES = 100_000
_FILENAME = re.compile(r"[A-Za-z0-9_.+!-]+\Z")
_MAX_FILENAME = 211  # CEP 26


@dataclass(frozen=True, slots=True)
class Hotfixes:
    """Instructions that were checked (see :func:`validate_instructions`), ready to be applied.

    Attributes
    ----------
    version : int
        1, or 2 when run exports may be changed.
    fixes : mapping
        Section (``packages``, ``packages.conda``) to file name to changes.
    remove, revoke : frozenset of str
        File names.
    """

    version: int = 1
    fixes: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    remove: frozenset[str] = frozenset()
    revoke: frozenset[str] = frozenset()

    @classmethod
    def of(cls, instructions: Mapping[str, Any]) -> Hotfixes:
        """Return what checked *instructions* stand for."""
        return cls(
            instructions["patch_instructions_version"],
            {section: instructions[section] for section in SECTIONS},
            frozenset(instructions["remove"]),
            frozenset(instructions["revoke"]),
        )

    def changes(self, filename: str) -> Iterator[Mapping[str, Any]]:
        """Yield the changes of the record of *filename*, in the order in which they apply."""
        older = self.fixes.get("packages", {})
        if filename.endswith(NEW):
            if (twin := older.get(filename.removesuffix(NEW) + OLD)) is not None:
                yield twin
            if (own := self.fixes.get("packages.conda", {}).get(filename)) is not None:
                yield own
        elif (own := older.get(filename)) is not None:
            yield own

    def removes(self, filename: str) -> bool:
        """Whether *filename* is taken out of the index."""
        return _names(self.remove, filename)

    def apply(self, filename: str, record: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the record of *filename* with its changes, None when it is removed; *record* stays as it is."""
        if self.removes(filename):
            return None
        changed: dict[str, Any] | None = None
        for changes in self.changes(filename):
            changed = _merged(changed or dict(record), changes)
        if changed is not None:
            for key in _LISTS:
                changed[key] = list(changed.get(key) or [])
        if _names(self.revoke, filename):
            changed = changed or dict(record)
            changed["revoked"] = True
            changed["depends"] = [*changed.get("depends", []), "package_has_been_revoked"]
        return record if changed is None else dict(sorted(changed.items()))


def _names(names: frozenset[str], filename: str) -> bool:
    return filename in names or (filename.endswith(NEW) and filename.removesuffix(NEW) + OLD in names)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in changes.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, dict):
            former = made.get(key)
            made[key] = _merged(former if isinstance(former, dict) else {}, value)
        else:
            made[key] = value
    return made


def touched_names(instructions: Mapping[str, Any]) -> dict[str, Any]:
    """Return what *instructions* do to each file name that they change, with the ``.conda`` names that follow a ``.tar.bz2``.

    Two sets of instructions differ in their effect on the names whose values here differ.
    """
    hotfixes = Hotfixes.of(instructions)
    named = {filename for section in SECTIONS for filename in instructions[section]} | hotfixes.remove | hotfixes.revoke
    named |= {filename.removesuffix(OLD) + NEW for filename in named if filename.endswith(OLD)}
    return {
        filename: (list(hotfixes.changes(filename)), hotfixes.removes(filename), _names(hotfixes.revoke, filename)) for filename in named
    }


def empty_instructions() -> dict[str, Any]:
    """Return instructions that change nothing."""
    return {"patch_instructions_version": 1, "packages": {}, "packages.conda": {}, "remove": [], "revoke": []}


def validate_instructions(document: Any) -> dict[str, Any]:
    """Return *document* with all its sections, after checking it.

    Raises
    ------
    BadRequest
        ``field`` says where.
    """
    if not isinstance(document, dict):
        raise _refused("instructions", "must be a mapping")
    version = document.get("patch_instructions_version", 1)
    if version not in (1, 2) or isinstance(version, bool):
        raise _refused("patch_instructions_version", "must be 1 or 2")
    made: dict[str, Any] = {"patch_instructions_version": version}
    count = 0
    for section, extension in SECTIONS.items():
        fixes = document.get(section) or {}
        if not isinstance(fixes, dict):
            raise _refused(section, "must map file names to changes")
        for filename, changes in fixes.items():
            _check_filename(section, filename, extension)
            _check_changes(f"{section}.{filename}", changes, version)
        made[section] = storable_json(fixes)
        count += len(fixes)
    for key in ("remove", "revoke"):
        names = document.get(key) or []
        if not isinstance(names, list):
            raise _refused(key, "must be a list of file names")
        for filename in names:
            _check_filename(key, filename, (OLD, NEW))
        made[key] = sorted(set(names))
        count += len(names)
    if count > _MAX_NAMES:
        raise _refused("instructions", f"name {count:,} files; at most {_MAX_NAMES:,} are allowed")
    return made


def _check_filename(where: str, filename: Any, extension: str | tuple[str, ...]) -> None:
    if not (isinstance(filename, str) and filename.endswith(extension) and len(filename) <= _MAX_FILENAME and _FILENAME.match(filename)):
        endings = extension if isinstance(extension, str) else " or ".join(extension)
        raise _refused(where, f"names {str(filename)[:120]!r}: file names end in {endings} and have no folder")


def _check_changes(where: str, changes: Any, version: int) -> None:
    if not isinstance(changes, dict):
        raise _refused(where, "must be a mapping of fields to new values")
    for key, value in changes.items():
        if key in PROTECTED:
            raise _refused(f"{where}.{key}", "cannot be changed: it says which file this is")
        if not _readable(value):
            raise _refused(f"{where}.{key}", "holds a number that clients cannot read")
        if key == "run_exports":
            if version < 2:
                raise _refused(f"{where}.{key}", "needs patch_instructions_version 2")
            if value is not None and not (isinstance(value, dict) and all(item is None or _texts(item) for item in value.values())):
                raise _refused(f"{where}.{key}", "must map kinds of run exports to lists of texts")
        elif key in _LISTS and not (value is None or _texts(value)):
            raise _refused(f"{where}.{key}", "must be a list of texts")


def _readable(value: Any) -> bool:
    """Whether all numbers in *value* can stand in JSON and in shards."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 64
    if isinstance(value, dict):
        return all(map(_readable, value.values()))
    return not isinstance(value, list) or all(map(_readable, value))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)


def _refused(where: str, why: str) -> BadRequest:
    return BadRequest(f"The patch instructions cannot be used: {where[:300]} {why}.", code="invalid_instructions", field=where[:300])
