"""``carrel download``."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.output import cancellable, progress
from carrel.cli.parallel import Counter, in_parallel
from carrel.client.models import File, Release
from carrel.client.references import Reference
from carrel.core.errors import Conflict, NotFound
from carrel.core.kinds import Kind
from carrel.core.units import format_bytes

if TYPE_CHECKING:
    from carrel.client.hub import HubClient

_ANSWER = {
    "reference": "The exact release, `NAMESPACE/NAME@VERSION`; with --all the package.",
    "files": "One object per file: `filename`, `version`, `path`, `size`, `sha256` and `status` (`downloaded`, or `present` when these "
    "very bytes were there already).",
}
_EXAMPLES = (
    "carrel download acme/charts '*.whl' --output wheels",
    "carrel download acme/charts --label dev --platform linux-64",
)


@dataclass(frozen=True)
class Filter:
    """Which files are wanted."""

    label: str | None = None
    kinds: tuple[str, ...] = ()
    platform: str | None = None

    def __bool__(self) -> bool:
        return bool(self.label or self.kinds or self.platform)

    def takes(self, file: File) -> bool:
        """Whether *file* is wanted; files of no platform are for all of them."""
        return (
            (self.label is None or self.label in file.labels)
            and (not self.kinds or file.kind in self.kinds)
            and (self.platform is None or file.subdir in ("", "noarch", self.platform))
        )

    def __str__(self) -> str:
        told = [f"label {self.label}" if self.label else "", " or ".join(self.kinds), self.platform or ""]
        return ", ".join(filter(None, told))


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("reference", metavar="REF")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option(
    "-o", "--output", "--into", "into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder (default: this one)."
)
@click.option("-l", "--label", metavar="LABEL", help="Only files that bear this label.")
@click.option(
    "-t", "--kind", "kinds", multiple=True, type=click.Choice([kind.value for kind in Kind]), help="Only this kind; may be repeated."
)
@click.option("--platform", metavar="PLATFORM", help="No conda files of other platforms than this one, such as linux-64.")
@click.option("--all", "all_releases", is_flag=True, help="All releases, not only one.")
@click.option("--force", is_flag=True, help="Replace files with other content.")
@click.option("--jobs", type=click.IntRange(1, 16), default=4, show_default=True, help="So many files at the same time.")
def command(
    invocation: Invocation,
    reference: str,
    files: tuple[str, ...],
    into: Path,
    label: str | None,
    kinds: tuple[str, ...],
    platform: str | None,
    all_releases: bool,
    force: bool,
    jobs: int,
) -> None:
    """Download files, verified.

    REF is NAMESPACE/NAME for the latest release that has what is asked for, NAMESPACE/NAME@VERSION, the same with /FILE, or the
    address of the page. FILE names files of the release, patterns such as '*.whl' included; without any, all are downloaded.

    A file appears complete and with the digest that the hub announced, or not at all. Files for one
    platform go into a folder of its name, as in a conda channel.
    """
    target = invocation.target(reference, "package")
    if target.filename is not None:
        files = (f"{target.subdir}/{target.filename}" if target.subdir else target.filename, *files)
    if all_releases and target.version:
        usage("--all goes with a package, not with one release of it.")
    client = invocation.client_for(target)
    wanted = Filter(label, kinds, platform)
    releases = _releases(client, target.reference, wanted, all_releases)
    exact = Reference(target.namespace, str(target.package), None if all_releases else releases[0].version)
    version_of = {id(file): release.version for release in releases for file in release.files}
    chosen = choose([file for release in releases for file in release.files if wanted.takes(file)], files, exact)
    targets = places(chosen, into)
    if len({path for _, path in targets}) < len(targets):
        usage("Several of these files have the same name. Download one release at a time, each into a folder of its own.")
    present = {path for file, path in targets if _holds(path, file)}
    if not force:
        for _, path in targets:
            if path.exists() and path not in present:
                raise Conflict(
                    f"{path} exists with other content. Choose another folder with --output, or add --force.", code="file_exists"
                )
    missing = [(file, path) for file, path in targets if path not in present]
    with cancellable() as cancel, progress(invocation) as show:
        counter = Counter("download", sum(file.size for file, _ in missing), show)

        def fetch(one: tuple[File, Path]) -> None:
            client.download(one[0], one[1], counter.of(one[1]), cancel)

        in_parallel(missing, fetch, jobs, cancel)
    answers = [
        {
            "filename": file.filename,
            "version": version_of[id(file)],
            "path": str(path),
            "size": file.size,
            "sha256": file.sha256,
            "status": "present" if path in present else "downloaded",
        }
        for file, path in targets
    ]
    lines = [f"{path}  {format_bytes(file.size)}" + ("  (was there)" if path in present else "") for file, path in targets]
    invocation.answer({"reference": str(exact), "files": answers}, lines)


def _releases(client: HubClient, ref: Reference, wanted: Filter, all_releases: bool) -> list[Release]:
    """Return the releases that are meant: the named one, all, or the latest that has a wanted file."""
    if ref.version or (not wanted and not all_releases):
        releases = [client.release(ref.namespace, ref.name, ref.version or "latest")]
    else:
        releases = [release for release in client.releases(ref.namespace, ref.name) if release.state == "published"]
        releases = [release for release in releases if any(map(wanted.takes, release.files))]
        if not all_releases:
            releases = releases[:1]
    if wanted and not any(map(wanted.takes, (file for release in releases for file in release.files))):
        raise NotFound(f"{ref} has no file of that sort ({wanted}). 'carrel show {ref}' lists what there is.", code="file_not_found")
    return releases


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
    """Return where each file goes: into *folder*, those for one platform below its name."""
    return [(file, folder.joinpath(*_parts(file.subdir), *_parts(file.filename)[-1:])) for file in files]


def _parts(name: str) -> list[str]:
    # Whatever a hub says, nothing is written outside of the folder.
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..") and ":" not in part]


def _holds(path: Path, file: File) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
