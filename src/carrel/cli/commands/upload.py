"""``carrel upload``."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click

from carrel.cli.exits import Exit, complain, exit_code
from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.output import progress
from carrel.client.models import File
from carrel.core.access import Visibility
from carrel.core.errors import CarrelError, FileExists
from carrel.core.kinds import Kind
from carrel.core.progress import Progress

_ANSWER = {
    "namespace": "Where the files went.",
    "files": "One object per file: `path`, `status` (`uploaded`, `skipped` or `failed`); when uploaded `filename`, `kind`, `package`, "
    "`version`, `labels`, `size`, `sha256` and `download_url`; when failed `error` with `code`, `status` and `detail`.",
}
# What is wrong with one file says nothing about the next; other errors would only repeat.
_ABOUT_ONE_FILE = frozenset({400, 409, 413, 422})
_EXAMPLES = (
    "carrel upload dist/*",
    "carrel upload --namespace acme --label dev charts-1.2-0.conda",
    "carrel upload --package harbour --version 2025 harbour.csv",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--namespace", metavar="NAME", help="User or organization to upload to; by default yourself.")
@click.option("--package", metavar="NAME", help="Package; needed for notebooks, environments and data files.")
@click.option("--version", metavar="VERSION", help="Release; needed for notebooks, environments and data files.")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="Kind of the files; by default the hub finds out.")
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="Label of the files; may be repeated (default: main).")
@click.option("--visibility", type=click.Choice([entry.value for entry in Visibility]), help="Who sees the package.")
@click.option("--private", is_flag=True, help="The same as --visibility private.")
@click.option("--summary", metavar="TEXT", help="One line about the package.")
@click.option("--skip-existing", is_flag=True, help="Go on when the hub has other bytes under the same name.")
def command(
    invocation: Invocation,
    files: tuple[str, ...],
    namespace: str | None,
    package: str | None,
    version: str | None,
    kind: str | None,
    labels: tuple[str, ...],
    visibility: str | None,
    private: bool,
    summary: str | None,
    skip_existing: bool,
) -> int:
    """Upload packages, notebooks, environments and data files.

    The hub reads names and versions from conda packages, wheels, source distributions and R packages. For everything else
    name them. A file that is there already, byte for byte, is fine; a name is never given to other bytes.
    """
    if private and visibility not in (None, Visibility.PRIVATE):
        usage("Choose one of --private and --visibility.")
    paths = expand(files)
    client = invocation.signed_in_client()
    namespace = namespace or client.whoami().name
    about: dict[str, Any] = {"package": package, "version": version, "kind": kind, "labels": labels, "summary": summary}
    about["visibility"] = Visibility.PRIVATE.value if private else visibility
    answers: list[dict[str, Any]] = []
    lines: list[str] = []
    code = Exit.OK
    total = sum(path.stat().st_size for path in paths)
    before = 0
    with progress(invocation) as show:
        for path in paths:

            def report(step: Progress, before: int = before) -> None:
                show(Progress("upload", before + step.done, total, "bytes"))

            try:
                file = client.upload_file(namespace, path, path.name, progress=report, **about)
            except CarrelError as error:
                if isinstance(error, FileExists) and skip_existing:
                    answers.append({"path": str(path), "status": "skipped"})
                    lines.append(f"{path}: skipped, the hub has other bytes under this name")
                elif error.status in _ABOUT_ONE_FILE:
                    code = code or exit_code(error)
                    problem = {key: value for key, value in error.to_problem().items() if key not in ("type", "title")}
                    answers.append({"path": str(path), "status": "failed", "error": problem})
                    complain(f"{path}: {error.detail}")
                else:
                    raise
            else:
                answers.append({"path": str(path), "status": "uploaded", **file_json(file)})
                lines.append(f"{path} → {namespace}/{'@'.join(package_and_version(file))}")
            before += path.stat().st_size
    invocation.answer({"namespace": namespace, "files": answers}, lines)
    return code


def expand(patterns: Sequence[str]) -> list[Path]:
    """Return the files that *patterns* name; patterns that no shell has replaced are replaced here."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        names = [path]
        if not path.exists() and glob.has_magic(pattern):
            names = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - absolute patterns too
        if not names:
            usage(f"No file matches {pattern!r}.")
        for name in names:
            if not name.is_file():
                usage(f"{str(name)!r} is a folder." if name.is_dir() else f"There is no file {str(name)!r}.")
            found.setdefault(name)
    return list(found)


def package_and_version(file: File) -> tuple[str, str]:
    """Return the package and the release that an uploaded file belongs to."""
    parts = [unquote(part) for part in urlsplit(file.download_url).path.rpartition("/files/")[0].split("/")]
    return (parts[-3], parts[-1]) if len(parts) > 3 and parts[-2] == "releases" else (file.filename, "")


def file_json(file: File) -> dict[str, Any]:
    """Return an uploaded file as commands answer it."""
    package, version = package_and_version(file)
    whole = dataclasses.asdict(file)
    kept = {key: whole[key] for key in ("filename", "kind", "subdir", "labels", "size", "sha256", "download_url")}
    return {**kept, "package": package, "version": version}
