"""Changing an environment so that it ends as planned or as it was.

Before the first file changes, the present state is a revision, the packages that are about to change are kept, and a journal
is written, in that order and each of them synced: a journal that is found has all that it needs. Whatever happens then — a
failure, a cancel, the death of this process or of the machine — :func:`roll_back` brings every file of every package back.
It can itself be broken off and begun again. The change is committed when the revision that the journal announces is there.
A journal that is found without a living owner is dealt with by the next one who takes the lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from carrel.core.errors import CarrelError, InvalidFile
from carrel.environments import conda_meta, distributions, inspection, keeping, locks, reverting, revisions, tethers, usage
from carrel.environments.distributions import Distribution
from carrel.environments.files import link_or_copy, remove_files, remove_tree, sync_folder, write_atomically
from carrel.environments.models import Policy, Revision, RevisionKind

_FOREIGN = "foreign"
_RESERVE = "reserve"
_RESERVED_BYTES = 1_000_000
_TRIAL = re.compile(r"symtest_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


@contextlib.contextmanager
def exclusive(prefix: Path) -> Iterator[None]:
    """Hold the lock of *prefix* meanwhile, after putting right what a dead process left.

    Raises
    ------
    carrel.core.errors.Locked
    """
    state, what = inspection.state_folder(prefix), f"the environment {prefix.name}"
    with locks.locked(state / "lock", what), tethers.tied(state / "work.lock", what):
        recover(prefix)
        yield


def recover(prefix: Path) -> bool:
    """Put right what a dead process left half-done; return whether there was anything. The lock must be held."""
    if not _journal_path(prefix).exists():
        return False
    if _is_committed(prefix, _journal(prefix)):
        _close(prefix)
    else:
        roll_back(prefix)
    return True


def is_interrupted(prefix: Path) -> bool:
    """Whether a process died while it changed *prefix*, and nobody has put it right."""
    return _journal_path(prefix).exists() and not locks.is_held(inspection.state_folder(prefix) / "lock")


def begin(prefix: Path, touched_conda: Iterable[str], touched_pypi: Iterable[str], incoming: Iterable[str]) -> int:
    """Keep the named packages and write the journal; return the revision to go back to.

    Parameters
    ----------
    touched_conda, touched_pypi : iterable of str
        Names of installed packages whose files will change.
    incoming : iterable of str
        Files (relative to the prefix) that new packages will bring.
    """
    base = revisions.note_present(prefix)
    store = reverting.store(prefix)
    conda_names, pypi_names = set(touched_conda), set(touched_pypi)
    records = conda_meta.read_records(prefix) if conda_meta.is_conda_prefix(prefix) else []
    conda = [record for record in records if record.name in conda_names]
    pypi = [distribution for distribution in inspection.python_distributions(prefix) if distribution.key in pypi_names]
    for record in conda:
        keeping.keep_conda(store, record)
    for distribution in pypi:
        keeping.keep_distribution(store, prefix, distribution)
    again = [*map(keeping.conda_key, conda), *map(keeping.distribution_key, pypi)]
    kept = {file for key in again for file in store.files(key)}
    new, present = _sorted_out(prefix, incoming)
    remove_tree(_foreign(prefix))
    _keep_foreign(prefix, (relative for relative in present if relative not in kept))
    if any(one.key in pypi_names for one in distributions.legacy_distributions(prefix)):
        _keep_pointers(prefix)
    _reserve(prefix)
    journal = {
        "base": base,
        "becomes": base + 1,
        "pid": os.getpid(),
        "again": again,
        "incoming": new,
        "listing": _listing(prefix, pypi),
    }
    _write_journal(prefix, journal)
    return base


def expect(prefix: Path, incoming: Iterable[str]) -> None:
    """Add to the journal files (relative to the prefix) that packages will bring, where that is known only after the work began."""
    journal, store = _journal(prefix), reverting.store(prefix)
    known = {*journal["incoming"], *(file for key in journal["again"] for file in store.files(key))}
    new, present = _sorted_out(prefix, incoming)
    _keep_foreign(prefix, (relative for relative in present if relative not in known))
    _write_journal(prefix, {**journal, "incoming": list(dict.fromkeys([*journal["incoming"], *new]))})


def commit(
    prefix: Path,
    kind: RevisionKind,
    summary: str,
    *,
    request: Sequence[str] = (),
    command: str = "",
    policy: Policy | None = None,
    program: str = "",
    archives: Mapping[str, Mapping[str, Any]] | None = None,
) -> Revision:
    """End the work with a new revision (see :func:`carrel.environments.revisions.record`); going back is an undo from here on."""
    revision = revisions.record(prefix, kind, summary, request=request, command=command, policy=policy, program=program, archives=archives)
    _close(prefix)
    with contextlib.suppress(OSError, CarrelError):  # the change is made; what is kept too long takes room and nothing else
        revisions.prune(prefix)
    usage.touch_used(prefix)
    return revision


def roll_back(prefix: Path) -> None:
    """Bring every package back to what it was when the journal was written.

    Raises
    ------
    carrel.core.errors.InvalidFile
        What was written down before is damaged.
    """
    journal = _journal(prefix)
    (inspection.state_folder(prefix) / _RESERVE).unlink(missing_ok=True)
    state, texts = revisions.state_of(prefix, journal["base"]), revisions.texts_of(prefix, journal["base"])
    remove_files((prefix / relative for relative in journal["incoming"]), prefix)
    _sweep(prefix, journal["listing"])
    reverting.to_state(prefix, state, texts, again=frozenset(journal["again"]))
    _put_foreign_back(prefix)
    _close(prefix)


def _sorted_out(prefix: Path, incoming: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return which of *incoming* are not there yet, and which are."""
    root, folders = str(prefix), dict[str, bool]()
    new: list[str] = []
    present: list[str] = []
    for relative in dict.fromkeys(incoming):
        folder = relative.rpartition("/")[0]
        # most packages bring folders of their own, and where the folder is new the file is
        if folder not in folders:
            folders[folder] = os.path.lexists(os.path.join(root, folder))  # noqa: PTH118 - ten times as fast, for tens of thousands
        is_there = folders[folder] and os.path.lexists(os.path.join(root, relative))  # noqa: PTH118
        (present if is_there else new).append(relative)
    return new, present


def new_files(contents: Iterable[dict[str, Any]], records: Iterable[dict[str, Any]], python_version: str) -> list[str]:
    """Return where the files of conda packages will be, relative to the prefix (``noarch: python`` ones move)."""
    windows = os.name == "nt"
    library = "Lib" if windows else f"lib/python{'.'.join(python_version.split('.')[:2])}"
    scripts = "Scripts" if windows else "bin"
    result = []
    for content, record in zip(contents, records, strict=True):
        if record.get("noarch") != "python":
            result += content["paths"]
            continue
        for path in content["paths"]:
            first, _, rest = path.partition("/")
            moved = {"site-packages": f"{library}/site-packages/{rest}", "python-scripts": f"{scripts}/{rest}"}
            result.append(moved.get(first, path))
        result += [f"{scripts}/{script}" for script in content["scripts"]]
        result += [f"{scripts}/{script}{suffix}" for script in content["scripts"] for suffix in (("-script.py", ".exe") if windows else ())]
    return result


def _is_committed(prefix: Path, journal: Mapping[str, Any]) -> bool:
    return (revisions.newest(prefix) or 0) >= int(journal["becomes"])


def _close(prefix: Path) -> None:
    path = _journal_path(prefix)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
    (path.parent / _RESERVE).unlink(missing_ok=True)
    remove_tree(_foreign(prefix))


def _reserve(prefix: Path) -> None:
    """Take the room that going back needs for its records, so that a full disk cannot keep it from them."""
    path = inspection.state_folder(prefix) / _RESERVE
    with path.open("wb") as handle:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle.fileno(), 0, _RESERVED_BYTES)
        else:
            handle.write(bytes(_RESERVED_BYTES))


def _listing(prefix: Path, touched: list[Distribution]) -> dict[str, list[str]]:
    """Return what lies in the folders that an installer killed half-way may leave files in without a record of them."""
    listing = {}
    scripts = prefix / ("Scripts" if os.name == "nt" else "bin")
    for folder in [*distributions.site_packages(prefix), scripts, prefix / "conda-meta"]:
        if folder.is_dir():
            listing[folder.relative_to(prefix).as_posix()] = sorted(path.name for path in folder.iterdir())
    packages = {distribution.site_packages / name for distribution in touched for name in distribution.import_names}
    for package in packages:
        for walked, folders, names in os.walk(package):
            if not walked.endswith("__pycache__"):
                listing[Path(walked).relative_to(prefix).as_posix()] = sorted([*folders, *names])
    return listing


def _sweep(prefix: Path, listing: dict[str, list[str]]) -> None:
    """Remove what has come into the listed folders."""
    for relative, names in listing.items():
        folder = prefix / relative
        if folder.is_dir():
            known = {*names, "__pycache__"}
            # records of packages are needed to know their files; half-written ones have other names
            for path in [path for path in folder.iterdir() if path.name not in known and path.suffix != ".json"]:
                with contextlib.suppress(OSError):
                    remove_tree(path)
    for path in prefix.glob("symtest_*"):
        # by this link to the folder itself conda's library finds out whether there are links; it may be killed just then
        if _TRIAL.match(path.name) and path.is_symlink():
            path.unlink(missing_ok=True)


def _keep_foreign(prefix: Path, files: Iterable[str]) -> None:
    """Keep somebody else's *files* that a package is about to replace."""
    for relative in files:
        if (prefix / relative).is_symlink() or not (prefix / relative).is_dir():
            link_or_copy(prefix / relative, _foreign(prefix) / relative)


def _keep_pointers(prefix: Path) -> None:
    """Keep the files by which ``setup.py develop`` points to folders: uv takes them away, and rewrites one of them in place."""
    for folder in distributions.site_packages(prefix):
        for path in [*folder.glob("*.egg-link"), *folder.glob("easy-install.pth")]:
            kept = _foreign(prefix) / path.relative_to(prefix)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, kept)


def _put_foreign_back(prefix: Path) -> None:
    root = _foreign(prefix)
    for folder, inner, names in os.walk(root):
        for source in [path for name in (*inner, *names) if (path := Path(folder, name)).is_symlink() or not path.is_dir()]:
            link_or_copy(source, prefix / source.relative_to(root))


def _write_journal(prefix: Path, journal: Mapping[str, Any]) -> None:
    # in one line: it may name tens of thousands of files, and indenting is slow
    write_atomically(_journal_path(prefix), json.dumps(journal, ensure_ascii=False).encode())


def _journal(prefix: Path) -> dict[str, Any]:
    path = _journal_path(prefix)
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise InvalidFile(f"{path} is damaged: what was being changed in {prefix.name} cannot be put right from here.") from error
    if "base" not in found:
        raise InvalidFile(f"{path} was written by an older version of Carrel. Restore the environment with that.")
    return found


def _foreign(prefix: Path) -> Path:
    return inspection.state_folder(prefix) / _FOREIGN


def _journal_path(prefix: Path) -> Path:
    return inspection.state_folder(prefix) / "transaction.json"
