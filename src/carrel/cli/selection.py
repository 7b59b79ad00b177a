"""Which files of a namespace are meant: packages by name or pattern, one release, one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from carrel.cli.invocation import Invocation, usage
from carrel.cli.output import count
from carrel.client.labels import LabelChange

if TYPE_CHECKING:
    from carrel.client.hub import HubClient

F = TypeVar("F", bound=Callable[..., Any])

CHANGE_ANSWER = {
    "namespace": "Namespace.",
    "id": "The change, for 'carrel label undo'; empty when nothing was changed.",
    "action": "What was done: `copy`, `move`, `add`, `remove` or `rename`.",
    "summary": "The same in words.",
    "count": "How many files changed their labels.",
    "files": "The files: objects with `package`, `version`, `filename`, `subdir`, `before` and `after`, which are lists of labels.",
    "dry_run": "Whether nothing was changed.",
}
_SHOWN = 40


@dataclass(frozen=True)
class Selection:
    """Packages of one namespace, all of them without any, and at most one release or file of them."""

    namespace: str
    packages: tuple[str, ...] = ()
    version: str | None = None
    filename: str | None = None

    @classmethod
    def parse(cls, specs: Sequence[str], namespace: str | None) -> Selection:
        """Read ``NAMESPACE``, ``NAMESPACE/PACKAGE[@VERSION[/FILE]]`` and ``NAMESPACE/PATTERN``; several must be of one namespace."""
        found: list[Selection] = []
        for spec in specs:
            parts = spec.rstrip("/").split("/")
            if len(parts) > 1 and "@" in parts[1]:
                parts[1:2] = parts[1].split("@", 1)
            if "" in parts or "://" in spec:
                usage(f"{spec!r} is not understood: write NAMESPACE/PACKAGE, NAMESPACE/PACKAGE@VERSION or NAMESPACE/'PATTERN'.")
            found.append(
                cls(
                    parts[0],
                    tuple(parts[1:2]),
                    parts[2] if len(parts) > 2 else None,
                    "/".join(parts[3:]) or None,
                )
            )
        names = {entry.namespace for entry in found} | ({namespace} if namespace else set())
        if len(names) > 1:
            usage(f"One change concerns one namespace, and {', '.join(sorted(names))} were named.")
        if len(found) > 1 and any(entry.version for entry in found):
            usage("Name one release or file at a time, or packages without a version.")
        if len(found) == 1:
            return found[0]
        whole = any(not entry.packages for entry in found)
        packages = () if whole else tuple(name for entry in found for name in entry.packages)
        return cls(next(iter(names), ""), packages)


def specs_argument(required: bool = False) -> Callable[[F], F]:
    """Add the argument that names the files."""
    return click.argument("specs", nargs=-1, required=required, metavar="SPEC..." if required else "[SPEC]...")


def change(
    invocation: Invocation,
    client: HubClient,
    action: str,
    selection: Selection,
    *,
    from_label: str | None = None,
    to_label: str | None = None,
    dry_run: bool = False,
) -> None:
    """Change labels and answer what was changed."""
    made = client.labels.change(
        selection.namespace,
        action,
        from_label=from_label,
        to_label=to_label,
        packages=selection.packages,
        version=selection.version,
        filename=selection.filename,
        dry_run=dry_run,
    )
    answer_change(invocation, selection.namespace, made, dry_run=dry_run)


def change_json(namespace: str, made: LabelChange, *, dry_run: bool) -> dict[str, Any]:
    """Return a change as commands answer it."""
    files = [
        {
            "package": file.package,
            "version": file.version,
            "filename": file.filename,
            "subdir": file.subdir,
            "before": list(file.before),
            "after": list(file.after),
        }
        for file in made.files
    ]
    head = {"namespace": namespace, "id": made.id, "action": made.action, "summary": made.summary, "count": made.count}
    return {**head, "files": files, "dry_run": dry_run}


def answer_change(invocation: Invocation, namespace: str, made: LabelChange, *, dry_run: bool) -> None:
    """Tell what a change did or would do."""
    lines = [f"{count(made.count, 'file')} {'would change' if dry_run else 'changed'}: {made.summary}"]
    lines += changed_lines(made)
    if made.left_alone or made.gone:
        told = [
            f"{count(len(made.left_alone), 'file')} changed since" if made.left_alone else "",
            f"{made.gone} removed since" if made.gone else "",
        ]
        invocation.warn(f"Left alone: {', '.join(filter(None, told))}.")
    invocation.answer(change_json(namespace, made, dry_run=dry_run), lines)
    if made.id and made.count and not dry_run:
        invocation.note(f"To take it back: carrel label undo {made.id} --namespace {namespace}")


def changed_lines(made: LabelChange) -> Iterable[str]:
    """Yield a line for each file, not for hundreds."""
    for file in made.files[:_SHOWN]:
        name = f"{file.subdir}/{file.filename}" if file.subdir else file.filename
        yield f"  {file.package}@{file.version}/{name}: {_labels(file.before)} → {_labels(file.after)}"
    if len(made.files) > _SHOWN:
        yield f"  … and {len(made.files) - _SHOWN} more"


def _labels(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "no label"
