"""The history of an environment: numbered revisions, each with the whole state after it.

``.carrel/revisions/<number>.json`` says what was done; it is written last, so a revision exists when that file does.
``<number>.zip`` holds the state and the texts of those records that the revision before did not have. All revisions are
kept: they are small. Files of packages are kept beside them within limits; see :func:`prune`.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from carrel.core import clock
from carrel.core.errors import InvalidFile, NotFound
from carrel.environments import differences, files, inspection, keeping, states
from carrel.environments.credentials import strip_url
from carrel.environments.models import Change, Policy, Revision, RevisionKind, Spec
from carrel.environments.specs import strip_secrets
from carrel.environments.states import State

KEPT_REVISIONS = 20
"""Of how many of the newest revisions files of packages are kept."""
KEPT_BYTES = 5_000_000_000
"""How much they may take, as if none of them were shared with the package cache."""


def history(prefix: str | os.PathLike[str]) -> list[Revision]:
    """Return the revisions of the environment at *prefix*, newest first; none when it was never changed from here."""
    folder = _folder(inspection.absolute(prefix))
    return [_header(folder, number) for number in sorted(_numbers(folder), reverse=True)]


def newest(prefix: Path) -> int | None:
    """Return the number of the newest revision, None without any."""
    return max(_numbers(_folder(prefix)), default=None)


def get(prefix: Path, number: int) -> Revision:
    """Return one revision.

    Raises
    ------
    NotFound
    """
    folder = _folder(prefix)
    known = sorted(_numbers(folder))
    if number not in known:
        there = f"It has 0 to {known[-1]}." if known else "It was never changed from here."
        raise NotFound(f"This environment has no revision {number}. {there}", code="revision_not_found")
    return _header(folder, number)


def state_of(prefix: Path, number: int) -> State:
    """Return the state after revision *number*.

    Raises
    ------
    NotFound
    """
    get(prefix, number)
    return states.from_json(_whole(_folder(prefix), number)["state"])


def archives_of(prefix: Path) -> dict[str, Mapping[str, Any]]:
    """Return where the Python packages of the newest revision were fetched from, by name, as :func:`record` takes it."""
    number = newest(prefix)
    state = state_of(prefix, number) if number is not None else State()
    return {entry.name: entry.archive for entry in state.pypi.values() if entry.archive}


def texts_of(prefix: Path, number: int) -> dict[str, bytes]:
    """Return the texts of the records of revision *number*, by digest."""
    folder = _folder(prefix)
    by_revision: dict[int, list[str]] = {}
    for digest, where in _whole(folder, number)["texts"].items():
        by_revision.setdefault(where, []).append(digest)
    found: dict[str, bytes] = {}
    for where, digests in by_revision.items():
        with _damage_told(folder, where), zipfile.ZipFile(folder / f"{where}.zip") as archive:
            found |= {digest: archive.read(digest) for digest in digests}
    return found


def note_present(prefix: Path) -> int:
    """Return the number of the revision that is the present state; what nobody wrote down yet becomes a revision now.

    The lock of *prefix* must be held.
    """
    state, texts = states.read(prefix)
    number = newest(prefix)
    if number is None:
        return record(prefix, "found", "as it was found", state=state, texts=texts).number
    known = state_of(prefix, number)
    if known.is_same(state):
        return number
    changed = differences.compare(differences.of_state(known), differences.of_state(state))
    summary = describe(changed) or "records of packages were rewritten"
    return record(prefix, "outside", f"changed outside of Carrel: {summary}", state=state, texts=texts).number


def record(
    prefix: Path,
    kind: RevisionKind,
    summary: str,
    *,
    request: Sequence[str] = (),
    command: str = "",
    policy: Policy | None = None,
    program: str = "",
    archives: Mapping[str, Mapping[str, Any]] | None = None,
    state: State | None = None,
    texts: Mapping[str, bytes] | None = None,
) -> Revision:
    """Write down the present state of *prefix* as a new revision. The lock of *prefix* must be held.

    Parameters
    ----------
    archives : mapping, optional
        Packages of the lock from which Python packages were just installed, by normalized name.
    state, texts : optional
        The present state, where it has just been read.
    """
    if state is None or texts is None:
        state, texts = states.read(prefix)
    folder = _folder(prefix)
    last = max(_numbers(folder), default=None)
    before = _whole(folder, last) if last is not None else {"state": None, "texts": {}}
    number = 0 if last is None else last + 1
    state = _with_archives(state, archives or {}, states.from_json(before["state"]) if before["state"] else State())
    where = {digest: before["texts"].get(digest, number) for digest in state.digests}
    new = {digest: texts[digest] for digest, found in where.items() if found == number}
    outside = kind in ("found", "outside")
    revision = Revision(
        number=number,
        created_at=clock.to_rfc3339(clock.now()),
        kind=kind,
        summary=summary,
        request=tuple(request),
        command=command,
        user="" if outside else _user(),
        program="" if outside else program or _program(),
        policy=policy_json(policy) if policy else {},
        package_count=len(state.conda) + len(state.pypi),
    )
    _write_archive(folder / f"{number}.zip", {"state": states.to_json(state), "texts": where}, new)
    files.write_json(folder / f"{number}.json", asdict(revision))
    return revision


def prune(prefix: Path) -> None:
    """Drop kept files of packages that only old revisions need, and what is beyond the limit of bytes."""
    folder, store = _folder(prefix), keeping.Store(prefix, inspection.state_folder(prefix))
    if store.is_empty():
        return
    wanted: list[str] = []
    present = states.read(prefix)[0].keys
    for number in sorted(_numbers(folder), reverse=True)[:KEPT_REVISIONS]:
        with contextlib.suppress(InvalidFile):
            wanted += sorted(states.from_json(_whole(folder, number)["state"]).keys - present)
    store.retain(list(dict.fromkeys(wanted)), KEPT_BYTES)


def describe(difference: differences.Difference) -> str:
    """Return *difference* in one line: ``installed numpy 2.3, removed six and 2 more``."""
    parts = []
    for verb, names in (
        ("installed", [f"{package.name} {package.version}" for package in difference.added]),
        ("changed", [f"{pair.name} {pair.before.version} → {pair.after.version}" for pair in difference.changed]),
        ("removed", [package.name for package in difference.removed]),
    ):
        if names:
            more = len(names) - 3
            parts.append(f"{verb} {', '.join(names[:3])}" + (f" and {more} more" if more > 0 else ""))
    return ", ".join(parts)


def request_of(change: Change) -> tuple[str, ...]:
    """Return what *change* asks for, one line each, without credentials: all who see the environment can read it."""
    return (
        *(f"install {_spec(spec)}" for spec in change.add),
        *(f"remove {name}" for name in change.remove),
        *(f"update {name}" for name in change.update),
    )


def policy_json(policy: Policy) -> dict[str, Any]:
    """Return the rules of *policy* that are not the default ones, as plain values."""
    found: dict[str, Any] = {}
    if policy.exclude_newer is not None:
        found["exclude_newer"] = clock.to_rfc3339(policy.exclude_newer)
    if policy.allowed is not None:
        found["allowed"] = [strip_url(source) for source in policy.allowed]
    if policy.pins:
        found["pins"] = dict(policy.pins)
    return found


def _spec(spec: Spec) -> str:
    name = f"{strip_url(spec.channel)}::{spec.name}" if spec.channel else spec.name
    extras = f"[{','.join(spec.extras)}]" if spec.extras else ""
    words = [name + extras, spec.version or "", spec.build or "", f"@ {strip_secrets(spec.url)}" if spec.url else ""]
    text = " ".join(word for word in words if word)
    return f"{text} (PyPI)" if spec.source == "pypi" else text


def _with_archives(state: State, archives: Mapping[str, Mapping[str, Any]], before: State) -> State:
    """Return *state* with what is known of where its Python packages were fetched."""
    known = {(entry.name, entry.version, entry.origin): entry.archive for entry in before.pypi.values() if entry.archive}
    pypi = {}
    for folder, entry in state.pypi.items():
        installed = archives.get(entry.name)
        if installed and str(installed.get("version")) == entry.version:
            pypi[folder] = replace(entry, archive=_without_credentials(installed))
        else:
            pypi[folder] = replace(entry, archive=known.get((entry.name, entry.version, entry.origin), {}))
    return replace(state, pypi=pypi)


def _without_credentials(value: Any) -> Any:
    """Return the package of a lock with its addresses as they may be kept."""
    if isinstance(value, Mapping):
        return {key: strip_url(one) if key in ("url", "index") else _without_credentials(one) for key, one in value.items()}
    return [_without_credentials(one) for one in value] if isinstance(value, list) else value


def _write_archive(path: Path, whole: Mapping[str, Any], texts: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as handle:
            with zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.writestr("state.json", json.dumps(whole, ensure_ascii=False))
                for digest, data in texts.items():
                    archive.writestr(digest, data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _whole(folder: Path, number: int) -> dict[str, Any]:
    with _damage_told(folder, number), zipfile.ZipFile(folder / f"{number}.zip") as archive:
        whole: dict[str, Any] = json.loads(archive.read("state.json"))
    return whole


@contextlib.contextmanager
def _damage_told(folder: Path, number: int) -> Any:
    try:
        yield
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InvalidFile(f"Revision {number} cannot be read: {folder / f'{number}.zip'} is damaged ({error}).") from error


def _header(folder: Path, number: int) -> Revision:
    path = folder / f"{number}.json"
    try:
        data = json.loads(path.read_bytes())
        return Revision(**{**data, "request": tuple(data["request"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidFile(f"Revision {number} cannot be read: {path} is damaged ({error}).") from error


def _numbers(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("[0-9]*.json") if path.stem.isdecimal()]


def _folder(prefix: Path) -> Path:
    return inspection.state_folder(prefix) / "revisions"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _program() -> str:
    """Return the program that this is."""
    name = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] else "python"
    known = {"carrel": "carrel env", "__main__": "carrel env", "-c": "python"}
    return "jupyter" if name.startswith("jupyter") else known.get(name, name)
