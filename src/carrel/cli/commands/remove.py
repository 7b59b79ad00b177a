"""``carrel remove``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from carrel.cli.commands.download import choose
from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import count
from carrel.client.models import File
from carrel.client.targets import Target
from carrel.core.units import format_bytes

if TYPE_CHECKING:
    from carrel.client.hub import HubClient

_ANSWER = {
    "items": "What was named: objects with `reference`, `releases`, `files` and `size` (bytes).",
    "removed": "Whether it is gone now.",
    "dry_run": "Whether nothing was to be removed.",
}
_SHOWN = 12


@dataclass
class _Doomed:
    """Something that is going to be removed, and what is in it."""

    reference: str
    releases: tuple[str, ...]
    files: list[File]
    remove: Callable[[], None]

    def to_json(self) -> dict[str, Any]:
        names = [f"{file.subdir}/{file.filename}" if file.subdir else file.filename for file in self.files]
        return {"reference": self.reference, "releases": list(self.releases), "files": names, "size": sum(file.size for file in self.files)}


@subcommand(_ANSWER, examples=("carrel remove acme/charts@1.1 --dry-run", "carrel remove 'acme/charts@1.1/*.whl'"))
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option("-y", "--yes", "-f", "--force", "yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would go.")
def command(invocation: Invocation, specs: tuple[str, ...], yes: bool, dry_run: bool) -> None:
    """Remove packages, releases or files.

    SPEC is NAMESPACE/NAME for a package with all its releases, NAMESPACE/NAME@VERSION, or NAMESPACE/NAME@VERSION/FILE, where
    FILE may be a pattern. What goes is shown first. The names of files stay taken: other bytes never get them. To keep
    installers from a release without breaking those who use it, yank it instead.
    """
    targets = [invocation.target(spec, "package") for spec in specs]
    doomed: list[_Doomed] = []
    for target in targets:
        doomed += _look(invocation.signed_in_client_for(target), target)
    lines: list[str] = []
    for entry in doomed:
        size = format_bytes(sum(file.size for file in entry.files))
        releases = f"{count(len(entry.releases), 'release')}, " if entry.releases else ""
        lines.append(f"{entry.reference}: {releases}{count(len(entry.files), 'file')}, {size}")
        if len(entry.files) > 1:
            lines += [f"  {name}" for name in entry.to_json()["files"][:_SHOWN]]
            lines += [f"  … and {len(entry.files) - _SHOWN} more"] if len(entry.files) > _SHOWN else []
    document = {"items": [entry.to_json() for entry in doomed], "removed": not dry_run, "dry_run": dry_run}
    if dry_run:
        invocation.answer(document, ["This would be removed:", *(f"  {line}" for line in lines)])
        return
    if not yes:
        for line in lines:
            click.echo(line, err=True)
        invocation.confirm("Remove this for good?")
    for entry in doomed:
        entry.remove()
    invocation.answer(document, [f"Removed {entry.reference}." for entry in doomed])


def _look(client: HubClient, target: Target) -> list[_Doomed]:
    namespace, package = target.namespace, str(target.package)
    if target.version is None:
        client.package(namespace, package)
        releases = client.releases(namespace, package)
        files = [file for release in releases for file in release.files]
        versions = tuple(release.version for release in releases)
        return [_Doomed(str(target), versions, files, lambda: client.delete_package(namespace, package))]
    release = client.release(namespace, package, target.version)
    if target.filename is None:
        remove = lambda: client.delete_release(namespace, package, release.version)  # noqa: E731
        return [_Doomed(str(target), (), list(release.files), remove)]
    pattern = f"{target.subdir}/{target.filename}" if target.subdir else target.filename
    found = []
    for file in choose(release.files, (pattern,), target.reference):

        def remove_file(file: File = file) -> None:
            client.delete_file(namespace, package, release.version, file.filename, file.subdir)

        name = f"{file.subdir}/{file.filename}" if file.subdir else file.filename
        found.append(_Doomed(f"{target.reference}/{name}", (), [file], remove_file))
    return found
