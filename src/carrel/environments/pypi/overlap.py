"""No Python package overwrites files of conda's, whatever the packages are called.

Names are compared while a plan is made. What a wheel holds is known when it has been unpacked, still before anything changes:
then files are compared (``opencv-python`` of an index and ``opencv`` of a channel both bring ``cv2``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from carrel.core.errors import Conflict
from carrel.environments import conda_meta, distributions, inspection


def _files_of_python_packages(prefix: Path) -> Iterable[str]:
    """Return the files that pip's packages have already, also where they once took them from conda's: an update harms no more."""
    for distribution in inspection.python_distributions(prefix):
        for path in distributions.files_of(distribution):
            yield path.relative_to(prefix).as_posix()


def check(prefix: Path, files: Iterable[str], *, leaving: Collection[str], arriving: Iterable[str]) -> None:
    """Check that *files*, which Python packages are about to bring, belong to no conda package.

    Parameters
    ----------
    files, arriving : iterable of str
        Paths relative to the prefix; *arriving* are those that conda brings in the same change.
    leaving : collection of str
        conda packages that are removed or replaced in the same change.

    Raises
    ------
    carrel.core.errors.Conflict
        Code ``conda_owned``; the fields ``files`` and ``packages`` say what would be overwritten.
    """
    if not conda_meta.is_conda_prefix(prefix):
        return
    own = set(_files_of_python_packages(prefix))
    files = [file for file in files if "__pycache__" not in file and file not in own]
    hit = sorted(set(files) & set(arriving))
    owners: set[str] = set()
    present = {file for file in files if (prefix / file).is_file()}
    if present:
        for record in conda_meta.read_records(prefix):
            taken = present.intersection(conda_meta.files_of(record.path)) if record.name not in leaving else set()
            if taken:
                owners.add(record.name)
                hit += sorted(taken)
    if hit:
        whose = ", ".join(sorted(owners)) or "a package that conda installs in the same change"
        shown = ", ".join(hit[:3]) + (f" and {len(hit) - 3} more" if len(hit) > 3 else "")
        raise Conflict(
            f"A Python package would overwrite files of {whose}, which conda installed ({shown}). Nothing was changed. Install it from "
            "a conda channel, or remove the conda package first.",
            code="conda_owned",
            files=hit[:100],
            packages=sorted(owners),
        )
