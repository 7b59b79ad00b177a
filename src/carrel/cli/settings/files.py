"""Changing files of other programs in one step each, with a record that lets it be undone."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.cli.settings.source import mask
from carrel.client.credentials import config_dir
from carrel.core.clock import now, to_rfc3339
from carrel.core.errors import Unavailable

_KEPT_RUNS = 20
_PRIVATE = 0o600


@dataclass(frozen=True)
class Edit:
    """A file before and after; ``before`` None means that there was none."""

    program: str
    path: Path
    before: str | None
    after: str
    secret: bool

    @property
    def changed(self) -> bool:
        """Whether anything is different."""
        return self.after != (self.before or "")

    def diff(self) -> list[str]:
        """Return the difference as lines; tokens and passwords are masked."""
        old = mask(self.before or "").splitlines()
        new = mask(self.after).splitlines()
        name = str(self.path)
        lines = list(difflib.unified_diff(old, new, name if self.before is not None else os.devnull, name, lineterm=""))
        # A token that is replaced by another one looks the same when both are masked.
        return lines or ([f"--- {name}", f"+++ {name}", " (another token)"] if self.changed else [])


def read(path: Path) -> str | None:
    """Return the text of a file, None when there is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise Unavailable(f"{path} is not UTF-8 text and was left alone.", code="damaged_settings") from error


def write(path: Path, text: str, *, secret: bool, mode: int | None = None) -> None:
    """Replace a file in one step, where a link leads too; a file with a secret is readable for its owner alone."""
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    if mode is None:
        try:
            mode = stat.S_IMODE(target.stat().st_mode)
        except FileNotFoundError:
            umask = os.umask(0)
            os.umask(umask)
            mode = 0o666 & ~umask
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode & _PRIVATE if secret else mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def apply(edits: list[Edit], source_name: str) -> None:
    """Write the files, and remember what they were; the record comes first, so that nothing is written without one."""
    record: dict[str, Any] = {"at": to_rfc3339(now()), "source": source_name, "files": []}
    for edit in edits:
        mode = stat.S_IMODE(edit.path.stat().st_mode) if edit.before is not None else None
        record["files"].append(
            {"program": edit.program, "path": str(edit.path), "before": edit.before, "mode": mode, "after": _digest(edit.after)}
        )
    with _history() as runs:
        runs.append(record)
    for edit in edits:
        write(edit.path, edit.after, secret=edit.secret)


@dataclass(frozen=True)
class Undo:
    """What became of one file when a run was taken back: ``restored``, ``removed``, or ``changed`` since and left alone."""

    program: str
    path: Path
    status: str
    diff: tuple[str, ...] = ()


def last_run() -> dict[str, Any] | None:
    """Return the record of the last run that was not taken back."""
    runs = _read_history()
    return runs[-1] if runs else None


def undo(*, dry_run: bool, force: bool) -> list[Undo]:
    """Take the last run back. Files that were changed since are left alone, unless *force*."""
    run = last_run()
    if run is None:
        return []
    done: list[Undo] = []
    for entry in run["files"]:
        path, before = Path(entry["path"]), entry["before"]
        present = read(path)
        as_before = present == before
        ours = present is not None and _digest(present) == entry["after"]
        if not (ours or as_before or force):
            done.append(Undo(entry["program"], path, "changed"))
            continue
        edit = Edit(entry["program"], path, present, before or "", secret=False)
        done.append(Undo(entry["program"], path, "restored" if before is not None else "removed", tuple(edit.diff())))
        if dry_run or as_before:
            continue
        if before is None:
            path.unlink(missing_ok=True)
        else:
            write(path, before, secret=False, mode=entry["mode"])
    if not dry_run:
        left = [entry for entry, result in zip(run["files"], done, strict=True) if result.status == "changed"]
        with _history() as runs:
            runs.pop()
            if left:
                runs.append({**run, "files": left})
    return done


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _history_path() -> Path:
    return config_dir() / "configured.json"


def _read_history() -> list[dict[str, Any]]:
    try:
        document = json.loads(_history_path().read_text("utf-8"))
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise Unavailable(f"{_history_path()} is damaged. Move it away; what it recorded cannot be undone then.") from error
    runs = document.get("runs") if isinstance(document, dict) else None
    return runs if isinstance(runs, list) else []


@contextlib.contextmanager
def _history() -> Iterator[list[dict[str, Any]]]:
    from filelock import FileLock

    path = _history_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(path.parent / ".configured.lock", timeout=10):
        runs = _read_history()
        yield runs
        text = json.dumps({"version": 1, "runs": runs[-_KEPT_RUNS:]}, indent=1)
        write(path, text, secret=True)  # settings may hold passwords, so their record does
