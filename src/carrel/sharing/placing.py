"""Putting the files of a publication beside each other on this machine, never over anything."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from carrel.client.hub import HubClient
from carrel.client.models import File
from carrel.core.errors import BadRequest, NotFound
from carrel.core.kinds import Kind
from carrel.core.progress import CancelSignal
from carrel.sharing import notebook as notebooks

if TYPE_CHECKING:
    from carrel.sharing.reproduce import Publication


def place(client: HubClient, publication: Publication, directory: Path, kernelspec: dict[str, Any] | None, cancel: CancelSignal) -> Path:
    """Put the notebook of *publication*, which runs in the kernel *kernelspec*, and its data files into *directory*; return the notebook.

    Raises
    ------
    carrel.core.errors.BadRequest
        A data file would lie outside of *directory* (code ``invalid_data_file``).
    carrel.core.errors.NotFound
        There is no notebook.
    """
    if publication.notebook is None or publication.notebook_file is None:
        raise NotFound(f"{publication.reference} holds no notebook.")
    directory.mkdir(parents=True, exist_ok=True)
    files = [file for file in publication.release.files if file.kind == Kind.FILE]
    wanted = notebooks.publication(publication.notebook).get("files")
    paths = wanted if isinstance(wanted, dict) else {}
    places = [(file, _relative(str(paths.get(file.filename, file.filename)))) for file in files]
    if any(_is_other(directory / place, file) for file, place in places):
        directory = _free(directory, f"{publication.release.package}-v{publication.release.version}", "")
        directory.mkdir()
    for file, place in places:
        target = directory / place
        if not target.resolve().is_relative_to(directory.resolve()):
            raise BadRequest(f"The data file {file.filename} would lie outside of {directory}.", code="invalid_data_file")
        if not target.exists():
            client.download(file, target, cancel=cancel)
    copy = notebooks.untrusted_copy(publication.notebook, kernelspec)
    stem = PurePosixPath(publication.notebook_file.filename.replace("\\", "/")).stem or publication.release.package
    content = notebooks.serialize(copy)
    while True:
        path = _free(directory, stem, ".ipynb")
        with contextlib.suppress(FileExistsError), path.open("xb") as file_object:  # never over a file that appeared meanwhile
            file_object.write(content)
            return path


def _relative(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or not path.parts or any(part in ("..", "") or part.startswith(".") or ":" in part for part in path.parts):
        raise BadRequest(
            f"The publication names a data file {name[:200]!r} that cannot be placed beside the notebook.", code="invalid_data_file"
        )
    return path


def _is_other(path: Path, file: File) -> bool:
    if not path.exists():
        return False
    if not path.is_file() or path.stat().st_size != file.size:
        return True
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() != file.sha256


def _free(directory: Path, stem: str, suffix: str) -> Path:
    path = directory / f"{stem}{suffix}"
    number = 1
    while path.exists():
        path = directory / f"{stem}-{number}{suffix}"
        number += 1
    return path
