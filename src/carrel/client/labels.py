"""Labels of a namespace: looking, locking, and changes of one file or hundreds in one step, which can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from carrel.client.endpoints import Endpoints, given, path
from carrel.client.models import File
from carrel.client.packages import file_path


@dataclass(frozen=True, slots=True)
class Label:
    """A label; ``files`` counts those that the caller sees."""

    name: str
    locked: bool = False
    files: int = 0
    relations: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A file that bears a label."""

    package: str
    version: str
    filename: str
    subdir: str = ""
    kind: str = ""
    size: int = 0
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file whose labels a change touches."""

    package: str
    version: str
    filename: str
    subdir: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A change of labels, made or, without ``id``, only tried.

    ``count`` is the number of files changed, ``unchanged`` of those that were so before, ``gone`` of those that an undo did not
    find any more; ``left_alone`` are files that an undo did not touch because they were changed since.
    """

    id: str = ""
    action: str = ""
    summary: str = ""
    count: int = 0
    unchanged: int = 0
    gone: int = 0
    at: str = ""
    actor: str = ""
    undone_at: str | None = None
    files: tuple[ChangedFile, ...] = ()
    left_alone: tuple[ChangedFile, ...] = ()


class Labels(Endpoints):
    """``/namespaces/{namespace}/labels`` and ``…/label-changes``."""

    def list(self, namespace: str) -> tuple[Label, ...]:
        """Return the labels, by name."""
        return self._items(Label, path("namespaces", namespace, "labels"))

    def get(self, namespace: str, label: str) -> Label:
        """Return a label."""
        return self._get(Label, path("namespaces", namespace, "labels", label))

    def files(self, namespace: str, label: str) -> Iterator[LabelledFile]:
        """Yield the files that bear a label."""
        return self._pages(LabelledFile, path("namespaces", namespace, "labels", label, "files"))

    def lock(self, namespace: str, label: str, locked: bool) -> Label:
        """Lock or unlock a label: owners alone change what a locked one shows."""
        return self._send(Label, "PATCH", path("namespaces", namespace, "labels", label), {"locked": locked})

    def relate(self, namespace: str, label: str, base: str | None, overrides: str | None) -> Label:
        """Say how the conda channel of a label relates to others (CEP 42), as paths from it; without any it stands alone."""
        relations = given({"base": base, "overrides": overrides})
        return self._send(Label, "PATCH", path("namespaces", namespace, "labels", label), {"relations": relations})

    def delete(self, namespace: str, label: str) -> None:
        """Remove a label from everything."""
        self._do("DELETE", path("namespaces", namespace, "labels", label))

    def change(
        self,
        namespace: str,
        action: str,
        *,
        from_label: str | None = None,
        to_label: str | None = None,
        packages: Sequence[str] = (),
        version: str | None = None,
        filename: str | None = None,
        kind: str | None = None,
        dry_run: bool = False,
    ) -> LabelChange:
        """Change the labels of all matching files in one step.

        Parameters
        ----------
        action : str
            ``copy``, ``move``, ``add``, ``remove`` or ``rename``.
        packages : sequence of str
            Names or patterns; all without any.
        dry_run : bool
            Only say what would change.
        """
        options = {"from": from_label, "to": to_label, "packages": list(packages) or None, "version": version}
        body = {"action": action, "dry_run": dry_run, **given({**options, "filename": filename, "kind": kind})}
        return self._send(LabelChange, "POST", path("namespaces", namespace, "label-changes"), body)

    def history(self, namespace: str) -> Iterator[LabelChange]:
        """Yield the changes made so far, newest first."""
        return self._pages(LabelChange, path("namespaces", namespace, "label-changes"))

    def undo(self, namespace: str, change: str) -> LabelChange:
        """Take a change back."""
        return self._send(LabelChange, "POST", path("namespaces", namespace, "label-changes", change, "undo"))

    def set_on_file(self, namespace: str, package: str, version: str, filename: str, labels: Iterable[str], subdir: str = "") -> File:
        """Give one file exactly these labels."""
        return self._send(File, "PUT", f"{file_path(namespace, package, version, filename, subdir)}/labels", {"labels": list(labels)})
