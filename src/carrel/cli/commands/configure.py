"""``carrel configure``."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import click

from carrel.cli.exits import Exit
from carrel.cli.invocation import Invocation, is_interactive, subcommand, usage
from carrel.cli.settings import PROGRAMS
from carrel.cli.settings.files import Edit, apply, last_run, read, undo
from carrel.cli.settings.source import Source
from carrel.core.errors import NotFound
from carrel.core.names import validate_label, validate_namespace
from carrel.core.tokens import PATTERN

_ANSWER = {
    "source": "The namespace, and the label, that programs take packages from.",
    "files": "One object per file: `program`, `path`, `status` (`changed`, `unchanged`; with --undo `restored`, `removed`, or `changed` "
    "since and left alone) and `diff`, a list of lines in which tokens are masked.",
    "applied": "Whether the files were written.",
}
_EXAMPLES = (
    "carrel configure acme --dry-run",
    "carrel configure acme pip uv --label dev",
    "carrel configure acme --token --yes < token.txt",
    "carrel configure --undo",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("namespace", required=False)
@click.argument("programs", nargs=-1, metavar="[PROGRAM]...")
@click.option("-l", "--label", metavar="LABEL", help="The label to take packages from (default: main).")
@click.option("--only", is_flag=True, help="Take packages from nowhere else.")
@click.option("--token", "with_token", is_flag=True, help="Write a token too, which is asked for or read from standard input.")
@click.option("--make-token", is_flag=True, help="Write a new token too, that only downloads from this namespace.")
@click.option("--undo", "take_back", is_flag=True, help="Take the last change back.")
@click.option("--force", is_flag=True, help="With --undo: restore files that were changed since.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would change.")
def command(
    invocation: Invocation,
    namespace: str | None,
    programs: tuple[str, ...],
    label: str | None,
    only: bool,
    with_token: bool,
    make_token: bool,
    take_back: bool,
    force: bool,
    yes: bool,
    dry_run: bool,
) -> int:
    """Set up conda, pip, uv, pixi and R for a namespace.

    PROGRAM is conda, pip, uv, pixi or r; without any, all that are on this machine. What would change is shown first, other
    settings and comments stay, and --undo takes it back.

    The files get a token only with --token or --make-token, for private packages; they are then readable for you alone.
    """
    if take_back:
        if namespace or programs or with_token or make_token:
            usage("--undo takes back the last change, whatever it was about.")
        return _undo(invocation, yes=yes, dry_run=dry_run, force=force)
    if namespace is None:
        usage("Name the namespace that packages are to come from.")
    if with_token and make_token:
        usage("Choose one of --token and --make-token.")
    unknown = [name for name in programs if name.lower() not in PROGRAMS]
    if unknown:
        usage(f"{unknown[0]!r} is no program that can be set up: choose from {', '.join(PROGRAMS)}.")
    validate_namespace(namespace)
    if label:
        validate_label(label)
    names = list(dict.fromkeys(name.lower() for name in programs)) or _installed()
    client = invocation.client()
    client.organizations.get(namespace)  # a name that does not exist would break every program
    token = _ask_token() if with_token else ("ca-new" if make_token else None)
    source = Source(client.base_url, namespace, None if label == "main" else label, token, only)
    edits = _edits(names, source)
    changed = [edit for edit in edits if edit.changed]
    told = f"{namespace}/label/{label}" if source.label else namespace
    document = {"source": told, "files": [_json(edit) for edit in edits], "applied": bool(changed) and not dry_run}
    lines = [line for edit in changed for line in (*edit.diff(), "")]
    if not changed:
        invocation.answer(document, f"Nothing to change: {', '.join(names)} take packages from {told}.")
        return Exit.OK
    if dry_run:
        invocation.answer(document, lines)
        return Exit.OK
    if not yes:
        for line in lines:
            click.echo(line, err=True)
        invocation.confirm(f"Write {'this file' if len(changed) == 1 else f'these {len(changed)} files'}?")
    if make_token:
        edits = _edits(names, Source(source.hub_url, namespace, source.label, _make_token(invocation, source), only))
        changed = [edit for edit in edits if edit.changed]
    apply(changed, told)
    invocation.answer(document, [f"{edit.program}: {edit.path}" for edit in changed])
    _remarks(invocation, source, changed)
    return Exit.OK


def _edits(names: list[str], source: Source) -> list[Edit]:
    found = []
    for name in names:
        for found_path, change in PROGRAMS[name].files(os.environ, source):
            path = found_path.absolute()
            before = read(path)
            after = change(before or "", source)
            found.append(Edit(name, path, before, after, secret=bool(source.token and source.token in after)))
    return found


def _installed() -> list[str]:
    found = [name for name, program in PROGRAMS.items() if any(map(shutil.which, program.commands))]
    if not found:
        raise NotFound(f"None of {', '.join(PROGRAMS)} is on this machine. Name the programs to set up.", code="no_programs")
    return found


def _json(edit: Edit) -> dict[str, Any]:
    status = "changed" if edit.changed else "unchanged"
    return {"program": edit.program, "path": str(edit.path), "status": status, "diff": edit.diff()}


def _ask_token() -> str:
    typed = click.prompt("Token", hide_input=True, err=True) if is_interactive() else sys.stdin.readline()
    token = str(typed).strip()
    if not PATTERN.fullmatch(token):
        usage("This is no token of a hub: it begins with 'ca-' and comes from 'carrel token create' or the hub's page of tokens.")
    return token


def _make_token(invocation: Invocation, source: Source) -> str:
    import platform

    scopes = ("conda:download", "pypi:download", "cran:download")
    client = invocation.signed_in_client()
    labels = [source.label] if source.label else None
    made = client.tokens.create(f"configure on {platform.node() or 'a computer'}", scopes, namespace=source.namespace, labels=labels)
    invocation.note(f"Made token {made.id}; 'carrel token revoke {made.id}' ends it.")
    return made.token


def _remarks(invocation: Invocation, source: Source, changed: list[Edit]) -> None:
    programs = {edit.program for edit in changed}
    if "conda" in programs and not source.only:
        after = next(edit.after for edit in changed if edit.program == "conda")
        if after.count("\n- ") + after.count("\n  - ") <= 1:
            invocation.warn("conda now asks this channel and those of its other settings. 'conda config --append channels NAME' adds one.")
    if "pip" in programs and not source.only:
        invocation.warn("pip asks all its indexes alike and takes the newest version. Where names must not be mixed up, use --only, or uv.")
    invocation.note("To take it back: carrel configure --undo")


def _undo(invocation: Invocation, *, yes: bool, dry_run: bool, force: bool) -> int:
    run = last_run()
    if run is None:
        raise NotFound("There is nothing to take back.", code="nothing_to_undo")
    preview = undo(dry_run=True, force=force)
    if not dry_run:
        if not yes:
            for entry in preview:
                for line in entry.diff:
                    click.echo(line, err=True)
            invocation.confirm(f"Take back what was set up for {run['source']}?")
        undo(dry_run=False, force=force)
    files = [{"program": e.program, "path": str(e.path), "status": e.status, "diff": list(e.diff)} for e in preview]
    told = {"restored": "as it was before", "removed": "removed, there was none before", "changed": "changed since, left alone"}
    lines = [f"{entry.program}: {entry.path} ({told[entry.status]})" for entry in preview]
    invocation.answer({"source": run["source"], "files": files, "applied": not dry_run}, lines)
    if any(entry.status == "changed" for entry in preview):
        invocation.warn("Look at the files that were left alone, or add --force to bring them back as they were.")
        return Exit.CONFLICT
    return Exit.OK
