"""Python packages are unpacked aside first, and moved to where they belong when nothing can fail any more.

uv installs them below the environment's own folder of notes, on the same file system, with scripts that already start the
environment's interpreter. So every file is known and verified before the first one changes, no server and no second
installation is needed afterwards, and most packages arrive by the renaming of one folder.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from carrel.core.errors import Unavailable
from carrel.core.progress import CancelSignal, OnProgress
from carrel.environments import counting, distributions, files, inspection, reverting
from carrel.environments.distributions import Distribution
from carrel.environments.models import Sources
from carrel.environments.naming import normalize
from carrel.environments.pypi import uv

_STAGE = "staged"
_UVS_OWN = (".lock", ".gitignore", "CACHEDIR.TAG")
_LIBRARIES = ("lib*/python3*/site-packages", "lib/python3/dist-packages", "Lib/site-packages")


@contextmanager
def cleared(prefix: Path) -> Iterator[None]:
    """Leave nothing aside, neither of a dead process nor of the work meanwhile."""
    _discard(prefix)
    try:
        yield
    finally:
        _discard(prefix)


def stage(
    prefix: Path,
    lock: str,
    sources: Sources,
    on_event: OnProgress,
    cancel: CancelSignal,
    *,
    sizes: Mapping[str, int] | None = None,
    offline: bool = False,
) -> list[str]:
    """Fetch, verify and unpack the Python packages of *lock* aside; return the files that they will bring, relative to *prefix*.

    The lock of *prefix* must be held. What was staged before and not placed is gone.

    Parameters
    ----------
    lock : str
        A pylock.toml.
    sizes : mapping of str to int, optional
        Bytes of the archives, by normalized name.
    offline : bool
        Whether only uv's cache is used.

    Raises
    ------
    carrel.core.errors.Unavailable
        There is no Python in *prefix*.
    carrel.core.errors.CarrelError
        As :func:`carrel.environments.pypi.uv.install_lock`.
    """
    folder, python = _folder(prefix), inspection.python_executable(prefix)
    if python is None:
        raise Unavailable("The environment has no Python.")
    counter = counting.Counting(on_event, {name: (sizes or {}).get(name, 0) for name in counting.packages_of(lock)})
    _discard(prefix)
    uv.install_lock(python, lock, sources=sources, on_event=counter, cancel=cancel, aside=folder, offline=offline)
    counter.finished("download")
    for name in _UVS_OWN:
        (folder / name).unlink(missing_ok=True)
    return list(_files(folder))


def place(prefix: Path, lock: str, requested: Collection[str], sources: Sources, on_event: OnProgress, cancel: CancelSignal) -> None:
    """Move what was staged of *lock* into *prefix*, in place of the same packages there; *requested* (normalized names) are marked so."""
    folder, names = _folder(prefix), set(counting.packages_of(lock))
    counter = counting.Counting(on_event, dict.fromkeys(names, 0))
    replaced = [one for one in inspection.python_distributions(prefix) if one.key in names]
    # uv leaves the compiled form of single modules, which Python takes for the new one's if size and second are the same
    files.remove_compiled(path for one in replaced for path in distributions.files_of(one) if path.suffix == ".py")
    if any(_is_unknown(one) for one in (*replaced, *distributions.legacy_distributions(prefix)) if one.key in names):
        # installed in an old way: only uv knows how to take that away
        _discard(prefix)
        if (python := inspection.python_executable(prefix)) is not None:
            uv.install_lock(python, lock, sources=sources, on_event=counter, cancel=cancel, offline=True)
        mark_requested(prefix, names, requested)
    else:
        mark_requested(folder, names, requested)
        for one in replaced:
            reverting.remove_distribution(one, prefix)
        _move(folder, prefix)
        _discard(prefix)
    counter.finished("link")


def mark_requested(prefix: Path, names: Collection[str], requested: Collection[str]) -> None:
    """Correct the ``REQUESTED`` marks of the packages *names*: uv, given a lock, takes every package in it for requested."""
    wanted = set(names) - set(requested)
    for folder in (found for pattern in _LIBRARIES for found in prefix.glob(f"{pattern}/*.dist-info")):
        if normalize(folder.name.partition("-")[0]) in wanted and (folder / "REQUESTED").exists():
            record = folder / "RECORD"
            row = re.compile(rf"^{re.escape(folder.name)}/REQUESTED,.*\n?", re.MULTILINE)
            # a new file: the old one may be uv's own, of its cache
            rewritten = record.with_name("RECORD.new")
            rewritten.write_bytes(row.sub("", record.read_bytes().decode()).encode())
            rewritten.replace(record)
            (folder / "REQUESTED").unlink()


def _folder(prefix: Path) -> Path:
    return inspection.state_folder(prefix) / _STAGE


def _discard(prefix: Path) -> None:
    files.remove_tree(_folder(prefix))


def _is_unknown(distribution: Distribution) -> bool:
    return not (distribution.path / "RECORD").is_file()


def _files(folder: Path | str, start: str = "") -> Iterator[str]:
    """Yield the files in *folder*, which is called *start*; with plain texts, because there are tens of thousands."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, f"{start}{entry.name}/")
            else:
                yield start + entry.name


def _move(source: Path, target: Path) -> None:
    with os.scandir(source) as entries:
        found = list(entries)
    for entry in found:
        there = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            if there.is_dir():
                _move(Path(entry), there)
                continue
            if os.path.lexists(there):  # a file, or a link that leads nowhere
                raise FileExistsError(errno.EEXIST, "it is in the way of a package", str(there))
        elif there.is_dir() and not there.is_symlink():
            raise FileExistsError(errno.EEXIST, "it is in the way of a package", str(there))
        try:
            Path(entry).replace(there)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(Path(entry), there)  # a link leads to another file system


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        target.unlink(missing_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
