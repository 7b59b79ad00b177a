"""``carrel download``."""

from __future__ import annotations

import fnmatch
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import progress
from carrel.client.models import File
from carrel.client.references import Reference
from carrel.core.errors import Conflict, NotFound
from carrel.core.progress import Progress
from carrel.core.units import format_bytes

_ANSWER = {
    "reference": "The exact release, `NAMESPACE/NAME@VERSION`.",
    "files": "One object per file: `filename`, `path`, `size`, `sha256` and `status` (`downloaded`, or `present` when these very "
    "bytes were there already).",
}


@subcommand(_ANSWER)
@click.argument("reference", metavar="REF")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder (default: this one).")
@click.option("--force", is_flag=True, help="Replace files with other content.")
def command(invocation: Invocation, reference: str, files: tuple[str, ...], into: Path, force: bool) -> None:
    """Download the files of a release, verified.

    REF is NAMESPACE/NAME for the latest release, NAMESPACE/NAME@VERSION, or the address of the page. FILE names files of the
    release, patterns such as '*.whl' included; without any, all are downloaded. A file appears complete and with the digest
    that the hub announced, or not at all.
    """
    ref = invocation.reference(reference)
    client = invocation.client_for(ref)
    release = client.release(ref.namespace, ref.name, ref.version or "latest")
    exact = Reference(release.namespace, release.package, release.version)
    targets = places(choose(release.files, files, exact), into)
    present = {path for file, path in targets if _holds(path, file)}
    if not force:
        for _, path in targets:
            if path.exists() and path not in present:
                raise Conflict(f"{path} exists with other content. Choose another folder with --into, or add --force.", code="file_exists")
    total = sum(file.size for file, path in targets if path not in present)
    answers, lines = [], []
    before = 0
    with progress(invocation) as show:
        for file, path in targets:
            if path not in present:

                def report(step: Progress, before: int = before) -> None:
                    show(Progress("download", before + step.done, total, "bytes"))

                client.download(file, path, report)
                before += file.size
            status = "present" if path in present else "downloaded"
            answers.append({"filename": file.filename, "path": str(path), "size": file.size, "sha256": file.sha256, "status": status})
            lines.append(f"{path}  {format_bytes(file.size)}" + ("  (was there)" if path in present else ""))
    invocation.answer({"reference": str(exact), "files": answers}, lines)


def choose(files: Sequence[File], patterns: Sequence[str], reference: Reference) -> list[File]:
    """Return the files that *patterns* name, all without any.

    Raises
    ------
    carrel.core.errors.NotFound
    """
    if not patterns:
        return list(files)
    chosen: dict[int, File] = {}
    for pattern in patterns:
        matching = {
            number: file
            for number, file in enumerate(files)
            if fnmatch.fnmatchcase(file.filename, pattern)
            or (file.subdir and fnmatch.fnmatchcase(f"{file.subdir}/{file.filename}", pattern))
        }
        if not matching:
            names = ", ".join(file.filename for file in files[:8]) or "none"
            raise NotFound(f"{reference} has no file {pattern!r}; its files: {names}.", code="file_not_found")
        chosen |= matching
    return [chosen[number] for number in sorted(chosen)]


def places(files: Sequence[File], folder: Path) -> list[tuple[File, Path]]:
    """Return where each file goes: into *folder*, below the platform's name where two have one name."""
    names = Counter(_name(file) for file in files)
    return [(file, folder / file.subdir / _name(file) if names[_name(file)] > 1 else folder / _name(file)) for file in files]


def _name(file: File) -> str:
    return Path(file.filename.replace("\\", "/")).name  # whatever a hub says, nothing is written outside of the folder


def _holds(path: Path, file: File) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
