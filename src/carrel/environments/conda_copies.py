"""The conda half of copying an environment: packages from the cache where it has them, the rest from the environment."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from carrel.core.errors import Cancelled, CarrelError
from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments import files, python_copies
from carrel.environments.conda import engine
from carrel.environments.conda.cache import PackageStore
from carrel.environments.credentials import strip_url
from carrel.environments.locations import STATE_FOLDER, conda_cache_folder
from carrel.environments.models import Environment
from carrel.environments.relocating import Relocation
from carrel.environments.tree_copy import TreeCopy, Written, walk

LOCAL = frozenset({"files", "paths_data", "link", "extracted_package_dir", "package_tarball_full_path"})
"""Members of a record that tell how and from where a package was linked, rather than which package it is."""

_LEFT_OUT = frozenset({STATE_FOLDER, "envs", "pkgs", "conda-bld", ".lock", ".condatmp", ".trash"})
_FROZEN = "conda-meta/frozen"
_ENTRY_POINT = "unix_python_entry_point"


def copy(environment: Environment, target: Path, on_event: OnProgress, cancel: CancelSignal) -> None:
    """Make *target*, a new folder, the same as the conda environment *environment*."""
    source = environment.prefix
    records = {path.name: json.loads(path.read_bytes()) for path in sorted((source / "conda-meta").glob("*.json"))}
    linked = _link(target, list(records.values()), on_event, cancel)
    relocation = Relocation(source, target)
    present, different = _compare(source, target, linked)
    mark = {f"conda-meta/{name}" for name in records}
    items = [
        item
        for item in walk(source, without=_LEFT_OUT)
        if item.relative not in mark and item.relative != _FROZEN and (item.relative not in present or item.relative in different)
    ]
    copying = TreeCopy(target, relocation, on_event, cancel, _written(records.values()), python_copies.may_link(source))
    copying.copy(items)
    for name, record in records.items():
        _write_record(target / "conda-meta" / name, record, copying, target)
    python_copies.correct_records(target, copying.rewritten)


def _link(target: Path, records: list[dict[str, Any]], on_event: OnProgress, cancel: CancelSignal) -> dict[str, dict[str, Any]]:
    """Link the packages that the cache has, and those of which nobody wrote down how they name their prefix; return their records."""
    store = PackageStore(conda_cache_folder())
    known = [_described(record) for record in records if record.get("url") and record.get("sha256")]
    wanted = [described for described in known if store.holds(described)]
    unclear = [described for record in records if not _paths(record) for described in known if described["name"] == record["name"]]
    if unclear:
        try:
            found = engine.fetch(unclear, headers={}, on_event=on_event, cancel=cancel)
            wanted += [one for one in found.records if one not in wanted]
        except Cancelled:
            raise
        except CarrelError:
            on_event(Progress("copy", message="Some packages are not where they came from any more; they are copied"))
    if not any(one["name"] == "python" for one in wanted):
        # where their files belong is told by the Python that is linked with them: without it they are copied
        wanted = [one for one in wanted if one.get("noarch") != "python"]
    (target / "conda-meta").mkdir(parents=True)
    if not wanted:
        return {}
    complete = engine.fetch(wanted, headers={}, on_event=on_event, cancel=cancel, locked=True).records
    requested = {str(record["name"]): _requested(record) for record in records if _requested(record)}
    engine.link(target, complete, requested=requested, headers={}, on_event=on_event, cancel=cancel)
    made = [json.loads(path.read_bytes()) for path in (target / "conda-meta").glob("*.json")]
    return {str(record["name"]): record for record in made}


def _described(record: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("name", "version", "build", "sha256", "md5", "size", "subdir", "depends", "constrains", "noarch")
    found = {key: record[key] for key in keys if record.get(key) is not None}
    found.setdefault("build", record.get("build_string") or "")
    return {**found, "url": strip_url(record["url"]), "channel": strip_url(str(record.get("channel") or ""))}


def _requested(record: Mapping[str, Any]) -> list[str]:
    single = record.get("requested_spec")
    return [*(record.get("requested_specs") or ()), *([single] if single and single != "None" else [])]


def _paths(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (record.get("paths_data") or {}).get("paths") or []
    return found


def _written(records: Iterable[Mapping[str, Any]]) -> dict[str, Written | None]:
    """Return how files name their prefix, for all files of which that was written down."""
    found: dict[str, Written | None] = {"conda-meta/history": None}
    for record in records:
        if not _paths(record):
            found |= dict.fromkeys(record.get("files") or (), Written("unknown"))
        for path in _paths(record):
            if path.get("prefix_placeholder"):
                found[path["_path"]] = Written(path.get("file_mode") or "text", len(path["prefix_placeholder"]))
            elif path.get("path_type") == _ENTRY_POINT or path["_path"].startswith(("bin/", "share/jupyter/")):
                continue  # looked into: installers write scripts without a note of what they wrote
            else:
                found[path["_path"]] = None
    return found


def _compare(source: Path, target: Path, linked: Mapping[str, Mapping[str, Any]]) -> tuple[set[str], set[str]]:
    """Return what was linked, and which of it is not the same in the environment; what the environment lacks is taken away."""
    written = _written(linked.values())
    present, different = set(), set()
    for record in linked.values():
        for relative in record.get("files") or ():
            present.add(relative)
            try:
                theirs = (source / relative).lstat()
            except FileNotFoundError:
                files.remove_files([target / relative], target)
                continue
            if not os.path.lexists(target / relative):
                present.discard(relative)
            elif written.get(relative, ...) is None and theirs.st_size != (target / relative).lstat().st_size:
                different.add(relative)  # somebody put something else over it, pip for instance
    return present, different


def _write_record(path: Path, record: dict[str, Any], copying: TreeCopy, target: Path) -> None:
    """Write the record of a package into the copy: the same package, linked here."""
    try:
        made = json.loads(path.read_bytes())
    except FileNotFoundError:
        made = record
        for entry in _paths(record):
            if entry["_path"] in copying.rewritten:
                entry["sha256_in_prefix"] = hashlib.sha256((target / entry["_path"]).read_bytes()).hexdigest()
    kept = {key: value for key, value in record.items() if key not in LOCAL}
    files.write_json(path, kept | {key: made[key] for key in sorted(LOCAL) if key in made})
