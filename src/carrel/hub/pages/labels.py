"""The page of a namespace's labels: what is under them, what moves from one to another, and how it is taken back."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from carrel.core.access import Role
from carrel.core.errors import BadRequest, CarrelError
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.labels.views import NOLABEL, Action, ChangeRequest, ChangeView, FileSelection
from carrel.hub.pages.base import Form
from carrel.hub.pages.managing import ManagePageHandler
from carrel.hub.web.endpoint import Reply, endpoint

_DONE = {
    "created": "The label was created.",
    "locked": "The label is locked: only owners put files on it or take them off.",
    "unlocked": "The label is unlocked.",
    "renamed": "The label was renamed. Its former addresses do not work any more.",
    "removed": "The label was removed. Undo it below if that was a mistake.",
    "undone": "The change was taken back.",
    "left": "The change was taken back, but for files whose labels were changed since.",
}
_SHOWN_FILES = 200
_HISTORY = 20
# What the form offers; the rest has buttons of its own.
_ACTIONS = (Action.COPY, Action.MOVE, Action.REMOVE)
_FIELDS = {"from": "source", "to": "target", "package": "packages"}


class LabelsPageHandler(ManagePageHandler):
    """``/{namespace}/-/labels``."""

    @endpoint(summary="Page of the labels of a namespace", scope=Scope.NAMESPACE_READ, anonymous=True, media_type="text/html")
    def get(self, uow: UnitOfWork, namespace: str) -> Reply:
        """The labels that the reader sees; to members the forms, and what was changed."""
        return self._show(uow, namespace, Form())

    @endpoint(summary="Change labels with the browser", scope=Scope.PACKAGE_WRITE, media_type="text/html")
    async def post(self, namespace: str) -> Reply:
        """Create, lock, rename or remove a label; try, do or undo a change of many files' labels."""
        form = self.form("label", "action", "source", "target", "packages", "version", "change", "plan", "new_name")
        if form.name in ("preview", "apply"):
            return await self._change(namespace, form)
        values, labels, changes = form.values, self.hub.labels, self.hub.label_changes

        def work(uow: UnitOfWork) -> str:
            label = values["label"]
            if form.name == "create":
                if not label:
                    raise BadRequest("Give the label a name.", field="label")
                _, made = labels.create(uow, self.principal, namespace, label)
                if not made:
                    raise BadRequest(f"There is a label {label[:128]!r} already.", field="label")
                return "created"
            if form.name in ("lock", "unlock"):
                labels.update(uow, self.principal, namespace, label, locked=form.name == "lock")
                return f"{form.name}ed"
            if form.name == "rename":
                request = ChangeRequest(Action.RENAME, source=label, target=values["new_name"])
                changes.apply(uow, self.principal, namespace, request)
                return "renamed"
            if form.name == "remove":
                changes.apply(uow, self.principal, namespace, ChangeRequest(Action.DELETE, source=label))
                return "removed"
            number = values["change"]
            if form.name != "undo" or not (number.isascii() and number.isdigit() and len(number) <= 18):
                raise BadRequest("This form is not one of the page.")
            undone = changes.undo(uow, self.principal, namespace, int(number))
            return "left" if undone.left_alone else "undone"

        return await self.act(
            work, form, lambda uow, form: self._show(uow, namespace, form), lambda code: f"/{quote(namespace)}/-/labels?done={code}"
        )

    async def _change(self, namespace: str, form: Form) -> Reply:
        """Show what a change would do, or do it."""
        values = form.values
        action = next((each for each in _ACTIONS if each.value == values["action"]), Action.COPY)
        request = ChangeRequest(
            action,
            source=values["source"] or None,
            target=(values["target"] or None) if action is not Action.REMOVE else None,
            selection=FileSelection(
                packages=tuple(text for text in values["packages"].replace(",", " ").split() if text), version=values["version"] or None
            ),
        )
        if not request.source:
            form.errors["source"] = "Choose the label whose files you mean."
        if action is not Action.REMOVE and not request.target:
            form.errors["target"] = "Say which label they get."
        applies = form.name == "apply"

        def work(uow: UnitOfWork) -> ChangeView:
            wanted = replace(request, if_plan=values["plan"] or None) if applies else request
            try:
                return self.hub.label_changes.apply(uow, self.principal, namespace, wanted, dry_run=not applies)
            except CarrelError as error:
                if error.fields.get("field") in _FIELDS:
                    error.fields["field"] = _FIELDS[error.fields["field"]]
                elif error.code == "nothing_selected":
                    error.fields["field"] = "packages"
                raise

        def show(uow: UnitOfWork, refused: Form) -> Reply:
            return self._show(uow, namespace, replace(refused, name="preview"))

        if applies:
            return await self.act(work, form, show, lambda view: f"/{quote(namespace)}/-/labels?changed={view.id or 0}")
        tried = await self.attempt(work, form, show)
        if isinstance(tried, Reply):
            return tried
        return await self.hub.pool.read(lambda uow: self._show(uow, namespace, form, tried))

    def _show(self, uow: UnitOfWork, namespace: str, form: Form, tried: ChangeView | None = None) -> Reply:
        view = self.hub.namespaces.get(uow, self.principal, namespace)
        labels = self.hub.labels.list(uow, self.principal, namespace)
        changes = self.hub.label_changes.page(uow, self.principal, namespace, limit=_HISTORY).items if view.role is not None else ()
        return self.namespace_page(
            uow,
            view,
            "labels",
            "labels.html",
            form=form,
            labels=[each for each in labels if each.name != NOLABEL],
            unlabelled=next((each.files for each in labels if each.name == NOLABEL), 0),
            owner=view.role is Role.OWNER,
            changes=changes,
            tried=tried,
            tried_files=tried.files[:_SHOWN_FILES] if tried is not None else (),
            message=self._message(uow, namespace) or self.done(_DONE),
        )

    def _message(self, uow: UnitOfWork, namespace: str) -> str:
        number = self.get_query_argument("changed", "")
        if not (number.isascii() and number.isdigit() and len(number) <= 18):
            return ""
        if number == "0":
            return "Nothing had to be changed."
        try:
            change = self.hub.label_changes.get(uow, self.principal, namespace, int(number))
        except CarrelError:
            return ""
        return f"Done: {change.count} file{'' if change.count == 1 else 's'} changed. You can undo it below."
