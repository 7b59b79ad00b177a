"""``carrel upload``."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click

from carrel.cli.exits import Exit, complain, exit_code
from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.output import cancellable, progress
from carrel.client.models import File
from carrel.core.access import Visibility
from carrel.core.kinds import Kind
from carrel.core.units import format_bytes

if TYPE_CHECKING:
    from carrel.cli.uploading import Item

_ANSWER = {
    "namespace": "Where the files went.",
    "files": "One object per file: `path` and `status`: `uploaded`, `present` (these very bytes were there), `skipped` (other bytes "
    "were there), `failed`, or `planned` with `--dry-run`. When failed `error` with `code`, `status` and `detail`; otherwise `filename`, "
    "`kind`, `package`, `version` (empty while the hub has not given it), `subdir`, `size`, `sha256`, and of files that are on the hub "
    "`labels` and `download_url`.",
    "dry_run": "Whether nothing was sent.",
}
_EXAMPLES = (
    "carrel upload dist/*",
    "carrel upload analysis.ipynb environment.yml tides.csv --package tides",
    "carrel upload --namespace acme --label dev charts-1.2-0.conda",
    "carrel upload --recursive --skip-existing conda-bld",
)
# What build tools leave beside packages: indexes of channels, made anew by the hub.
_INDEXES = (
    "repodata*.json*",
    "current_repodata*.json*",
    "channeldata.json",
    "run_exports.json*",
    "patch_instructions.json",
    "index.html",
    "rss.xml",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-n", "--namespace", "-u", "--user", metavar="NAME", help="User or organization to upload to (default: yourself).")
@click.option("-p", "--package", metavar="NAME", help="Package (default: what the file says, else the file's name).")
@click.option("-v", "--version", metavar="VERSION", help="Release (default: what the file says, else the next number).")
@click.option("-t", "--kind", type=click.Choice([kind.value for kind in Kind]), help="Kind of the files (default: found out).")
@click.option("-l", "--label", "labels", multiple=True, metavar="LABEL", help="Label of the files; may be repeated (default: main).")
@click.option("--visibility", type=click.Choice([entry.value for entry in Visibility]), help="Who sees the package.")
@click.option("--private", is_flag=True, help="The same as --visibility private.")
@click.option("--public", is_flag=True, help="The same as --visibility public.")
@click.option("-s", "--summary", metavar="TEXT", help="One line about the package.")
@click.option("-r", "--recursive", is_flag=True, help="Upload the files in folders too; hidden ones and channel indexes are left out.")
@click.option("--skip-existing", is_flag=True, help="Go on when the hub has other bytes under the same name.")
@click.option("--force", is_flag=True, help="Send what is there already, and number a new release of unchanged files.")
@click.option("--jobs", type=click.IntRange(1, 16), default=4, show_default=True, help="So many files at the same time.")
@click.option("--dry-run", is_flag=True, help="Show what would become of each file, and send nothing.")
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
    public: bool,
    summary: str | None,
    recursive: bool,
    skip_existing: bool,
    force: bool,
    jobs: int,
    dry_run: bool,
) -> int:
    """Upload packages, notebooks, environments and data files.

    Kind, name and version are read from the file. Notebooks, environments and data files have no version of their own: those
    of one package become its next numbered release together, unless --version names one; their package has the name of the
    environment, or of the file.

    What the hub has already is not sent again, so that an interrupted upload is continued by the same command. A name is never
    given to other bytes, with --force neither: clients keep what they have under it.
    """
    from carrel.cli.uploading import Upload, Wishes  # brings the readers of all formats

    wished = {visibility} | ({"private"} if private else set()) | ({"public"} if public else set())
    wished.discard(None)
    if len(wished) > 1:
        usage("Choose one of --private, --public and --visibility.")
    paths = expand(files, recursive=recursive)
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    wishes = Wishes(namespace, package, version, kind, labels, next(iter(wished), None), summary, skip_existing, force)
    with cancellable() as cancel, progress(invocation) as show:
        upload = Upload(client, wishes, paths, jobs, cancel)
        upload.plan(show)
        if not dry_run:
            upload.send(show)
    code = Exit.OK
    for item in upload.items:
        if item.error is not None:
            code = code or exit_code(item.error)
            complain(f"{item.path}: {item.error.detail}")
    for name, draft in upload.drafts.items() if not dry_run else ():
        invocation.warn(f"Release {draft} of {namespace}/{name} stays a draft that only members see. Run the command again to complete it.")
    document = {"namespace": namespace, "files": [item.to_json() for item in upload.items], "dry_run": dry_run}
    invocation.answer(document, [line for item in upload.items if (line := _line(item, namespace))])
    return code


def _line(item: Item, namespace: str) -> str:
    if item.status == "failed":
        return ""
    where = f"{namespace}/{item.package}@{item.version or '(next number)'}"
    told = {
        "uploaded": f"{item.path} → {where}",
        "present": f"{item.path} → {where} (was there)",
        "skipped": f"{item.path}: skipped, the hub has other bytes under this name",
        "planned": f"{item.path} would go to {where} ({item.kind.value}, {format_bytes(item.size)})",
    }
    return told[item.status]


def expand(patterns: Sequence[str], *, recursive: bool = False) -> list[Path]:
    """Return the files that *patterns* name; patterns that no shell has replaced are replaced here."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        names = [path]
        if not path.exists() and glob.has_magic(pattern):
            names = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - absolute patterns too
            if any(name.is_file() for name in names):  # the folders beside the files were not meant
                names = [name for name in names if recursive or name.is_file()]
        if not names:
            usage(f"No file matches {pattern!r}.")
        for name in names:
            if name.is_dir():
                inside = list(_inside(name)) if recursive else []
                if not recursive:
                    usage(f"{str(name)!r} is a folder. Add --recursive to upload the files in it.")
                if not inside:
                    usage(f"There is nothing to upload in {str(name)!r}.")
                found.update(dict.fromkeys(inside))
            elif name.is_file():
                found.setdefault(name)
            else:
                usage(f"There is no file {str(name)!r}.")
    return list(found)


def _inside(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__pycache__")) or (path.is_symlink() and path.is_dir()):
            continue
        if path.is_dir():
            yield from _inside(path)
        elif path.is_file() and not any(path.match(pattern) for pattern in _INDEXES):
            yield path


def package_and_version(file: File) -> tuple[str, str]:
    """Return the package and the release that an uploaded file belongs to."""
    parts = [unquote(part) for part in urlsplit(file.download_url).path.rpartition("/files/")[0].split("/")]
    return (parts[-3], parts[-1]) if len(parts) > 3 and parts[-2] == "releases" else (file.filename, "")
