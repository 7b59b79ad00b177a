"""``carrel copy``."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from carrel.cli.invocation import Invocation, namespace_option, subcommand, usage
from carrel.cli.output import count
from carrel.cli.selection import Selection, change_json, changed_lines, specs_argument
from carrel.core.access import Visibility

_ANSWER = {
    "namespace": "Where the files are now.",
    "count": "How many files were copied, or changed their labels.",
    "files": "The files: objects with `package`, `version`, `filename` and `subdir`, and the labels `before` and `after` (within a "
    "namespace) or `kind` and `outcome` (to another one).",
    "id": "The change of labels, for 'carrel label undo'; empty after a copy to another namespace.",
    "dry_run": "Whether nothing was copied.",
}
_EXAMPLES = (
    "carrel copy acme/charts@1.2 --from-label dev --to-label main",
    "carrel copy upstream/charts --to acme --to-label vetted",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@specs_argument(required=True)
@click.option("--to", "--to-owner", "to", metavar="NAMESPACE", help="Copy to this user or organization.")
@click.option("--from-label", metavar="LABEL", help="Copy only files that bear this label.")
@click.option("--to-label", metavar="LABEL", help="Give the copies this label (default, to another namespace: those they have).")
@click.option("--visibility", type=click.Choice([entry.value for entry in Visibility]), help="Who sees packages that the copy makes.")
@click.option("--replace", is_flag=True, help="Files that are there already get the labels of the copy.")
@click.option("--skip-existing", "--update", "skip", is_flag=True, help="Leave files that are there already alone.")
@namespace_option
@click.option("--dry-run", is_flag=True, help="Show what would be copied.")
def command(
    invocation: Invocation,
    specs: tuple[str, ...],
    to: str | None,
    from_label: str | None,
    to_label: str | None,
    visibility: str | None,
    replace: bool,
    skip: bool,
    namespace: str | None,
    dry_run: bool,
) -> None:
    """Copy files to another label or namespace.

    Within a namespace the files get one more label; to another namespace the hub shares the bytes, so that nothing is sent.
    SPEC is NAMESPACE/PACKAGE, NAMESPACE/PACKAGE@VERSION or NAMESPACE/PACKAGE@VERSION/FILE; within a namespace patterns such as
    'NAMESPACE/tide*' too.
    """
    if replace and skip:
        usage("Choose one of --replace and --skip-existing.")
    selection = Selection.parse(specs, namespace)
    if to is None or to == selection.namespace:
        if to_label is None:
            usage("Say where to copy: --to NAMESPACE, --to-label LABEL, or both.")
        _relabel(invocation, selection, from_label, to_label, dry_run)
        return
    if not selection.packages or any(set("*?[") & set(name) for name in selection.packages):
        usage("Name the packages to copy to another namespace: NAMESPACE/PACKAGE.")
    client = invocation.signed_in_client()
    files: list[dict[str, Any]] = []
    for package in selection.packages:
        copied = client.copy_package(
            selection.namespace,
            package,
            to,
            version=selection.version,
            filename=selection.filename,
            from_label=from_label,
            to_label=to_label,
            visibility=visibility,
            existing="replace" if replace else "skip" if skip else "error",
            dry_run=dry_run,
        )
        files += [{"package": package, **dataclasses.asdict(file)} for file in copied.files]
    told = "would be copied" if dry_run else "copied"
    lines = [f"{count(len(files), 'file')} {told} to {to}"]
    lines += [
        f"  {file['package']}@{file['version']}/{file['filename']}" + (f" ({file['outcome']})" if file["outcome"] else "") for file in files
    ]
    invocation.answer({"namespace": to, "count": len(files), "files": files, "id": "", "dry_run": dry_run}, lines)


def _relabel(invocation: Invocation, selection: Selection, from_label: str | None, to_label: str, dry_run: bool) -> None:
    client = invocation.signed_in_client()
    made = client.labels.change(
        selection.namespace,
        "copy" if from_label else "add",
        from_label=from_label,
        to_label=to_label,
        packages=selection.packages,
        version=selection.version,
        filename=selection.filename,
        dry_run=dry_run,
    )
    document = change_json(selection.namespace, made, dry_run=dry_run)
    told = "would get" if dry_run else "got"
    lines = [f"{count(made.count, 'file')} {told} the label {to_label}", *changed_lines(made)]
    invocation.answer({name: document[name] for name in _ANSWER}, lines)
    if made.id and made.count and not dry_run:
        invocation.note(f"To take it back: carrel label undo {made.id} --namespace {selection.namespace}")
