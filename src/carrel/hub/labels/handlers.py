"""Endpoints of labels and of their changes."""

from __future__ import annotations

from carrel.core.errors import BadRequest, Conflict, Forbidden, InvalidName, NotFound, PreconditionFailed
from carrel.core.kinds import Kind
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.channels.handlers import ChannelHandler
from carrel.hub.labels.schemas import (
    ChannelLabel,
    ChannelLabels,
    Label,
    LabelChange,
    LabelChangeList,
    LabelChangeQuery,
    LabelChanges,
    LabelledFile,
    LabelledFileList,
    LabelledFileQuery,
    LabelList,
    NewLabel,
    NewLabelChange,
)
from carrel.hub.labels.views import Action, ChangeRequest, FileSelection
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.handler import ApiHandler


class LabelsHandler(ApiHandler):
    """``/namespaces/{namespace}/labels``."""

    @endpoint(summary="List labels of a namespace", scope=Scope.NAMESPACE_READ, anonymous=True, response=LabelList, errors=(NotFound,))
    def get(self, uow: UnitOfWork, namespace: str) -> LabelList:
        """Outsiders see the labels under which they see a file. Files without a label are listed as ``nolabel``, if there are any."""
        views = self.hub.labels.list(uow, self.principal, namespace)
        return LabelList(items=[Label.of(view) for view in views])


class LabelHandler(ApiHandler):
    """``/namespaces/{namespace}/labels/{label}``; slashes of a label may be written as such or as ``%2F``."""

    @endpoint(summary="Get a label", scope=Scope.NAMESPACE_READ, anonymous=True, response=Label, errors=(NotFound,))
    def get(self, uow: UnitOfWork, namespace: str, label: str) -> Label:
        """404 for labels under which outsiders see nothing."""
        return Label.of(self.hub.labels.get(uow, self.principal, namespace, label))

    @endpoint(
        summary="Create a label",
        scope=Scope.NAMESPACE_WRITE,
        request=NewLabel,
        response=Label,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, InvalidName, BadRequest),
    )
    def put(self, uow: UnitOfWork, namespace: str, label: str, body: NewLabel) -> Reply:
        """Members create labels; owners lock and relate them. One that exists answers 200, and what is given of it is changed."""
        relations = body.relations.model_dump(exclude_none=True) if body.relations is not None else None
        view, made = self.hub.labels.create(uow, self.principal, namespace, label, locked=body.locked, relations=relations)
        return Reply(Label.of(view), 201 if made else 200)

    @endpoint(
        summary="Rename, lock, unlock or relate a label",
        scope=Scope.NAMESPACE_WRITE,
        request=LabelChanges,
        response=Label,
        writes=True,
        errors=(NotFound, Forbidden, InvalidName, BadRequest, Conflict),
    )
    def patch(self, uow: UnitOfWork, namespace: str, label: str, body: LabelChanges) -> Label:
        """Owners only. ``main`` and locked labels keep their names."""
        relations = body.relations.model_dump(exclude_none=True) if body.relations is not None else None
        view = self.hub.labels.update(uow, self.principal, namespace, label, locked=body.locked, relations=relations)
        if body.name is not None and body.name != label:
            request = ChangeRequest(Action.RENAME, label, body.name)
            self.hub.label_changes.apply(uow, self.principal, namespace, request)
            view = self.hub.labels.get(uow, self.principal, namespace, body.name)
        return Label.of(view)

    @endpoint(
        summary="Remove a label",
        scope=Scope.NAMESPACE_WRITE,
        response=LabelChange,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def delete(self, uow: UnitOfWork, namespace: str, label: str) -> LabelChange:
        """Owners only; the files stay. ``main`` and locked labels stay. Answers the change, which can be undone."""
        request = ChangeRequest(Action.DELETE, label)
        return LabelChange.of(self.hub.label_changes.apply(uow, self.principal, namespace, request))


class LabelFilesHandler(ApiHandler):
    """``/namespaces/{namespace}/labels/{label}/files``."""

    @endpoint(
        summary="List files of a label",
        scope=Scope.PACKAGE_READ,
        anonymous=True,
        query=LabelledFileQuery,
        response=LabelledFileList,
        errors=(NotFound, BadRequest),
    )
    def get(self, uow: UnitOfWork, namespace: str, label: str, query: LabelledFileQuery) -> LabelledFileList:
        """Published ones that the caller sees in lists, by package. The label ``nolabel`` means files without one."""
        selection = FileSelection(tuple(query.package), kind=query.kind.value if query.kind else None)
        page = self.hub.labels.files(uow, self.principal, namespace, label, selection=selection, limit=query.limit, cursor=query.cursor)
        return LabelledFileList(items=[LabelledFile.of(view, self.urls) for view in page.items], next_cursor=page.next_cursor)


class LabelChangesHandler(ApiHandler):
    """``/namespaces/{namespace}/label-changes``."""

    @endpoint(
        summary="List changes of labels",
        scope=Scope.NAMESPACE_READ,
        query=LabelChangeQuery,
        response=LabelChangeList,
        errors=(NotFound, Forbidden, BadRequest),
    )
    def get(self, uow: UnitOfWork, namespace: str, query: LabelChangeQuery) -> LabelChangeList:
        """Members only, newest first. Those who are not owners see changes that concern a package they see."""
        page = self.hub.label_changes.page(uow, self.principal, namespace, limit=query.limit, cursor=query.cursor)
        return LabelChangeList(items=[LabelChange.of(view) for view in page.items], next_cursor=page.next_cursor)

    @endpoint(
        summary="Change the labels of many files",
        scope=Scope.PACKAGE_WRITE,
        request=NewLabelChange,
        response=LabelChange,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, BadRequest, InvalidName, Conflict, PreconditionFailed),
    )
    def post(self, uow: UnitOfWork, namespace: str, body: NewLabelChange) -> Reply:
        """All of them or none, in one step.

        ``dry_run`` shows what would change and answers 200; so does a request that finds everything as it is to be.
        """
        view = self.hub.label_changes.apply(uow, self.principal, namespace, body.to_request(), dry_run=body.dry_run)
        return Reply(LabelChange.of(view), 201 if view.id is not None else 200)


class LabelChangeHandler(ApiHandler):
    """``/namespaces/{namespace}/label-changes/{change}``."""

    @endpoint(summary="Get a change of labels", scope=Scope.NAMESPACE_READ, response=LabelChange, errors=(NotFound, Forbidden))
    def get(self, uow: UnitOfWork, namespace: str, change: str) -> LabelChange:
        """With its files, as far as they exist and the caller sees them; their labels are those that the change is about."""
        return LabelChange.of(self.hub.label_changes.get(uow, self.principal, namespace, _number(change)))


class UndoHandler(ApiHandler):
    """``/namespaces/{namespace}/label-changes/{change}/undo``."""

    @endpoint(
        summary="Undo a change of labels",
        scope=Scope.PACKAGE_WRITE,
        response=LabelChange,
        status=201,
        writes=True,
        errors=(NotFound, Forbidden, Conflict),
    )
    def post(self, uow: UnitOfWork, namespace: str, change: str) -> LabelChange:
        """Files whose labels were changed again since are left alone and named. The undo is a change, too."""
        return LabelChange.of(self.hub.label_changes.undo(uow, self.principal, namespace, _number(change)))


class ChannelLabelsHandler(ChannelHandler):
    """``labels.json`` at the root of a channel; ``kind`` says of which."""

    kind = Kind.CONDA

    @endpoint(summary="Labels of a channel", scope=Scope.PACKAGE_READ, anonymous=True, response=ChannelLabels, errors=(NotFound,))
    async def get(self, namespace: str) -> Reply:
        """Those under which the caller finds a file of this channel; owners see empty ones, too."""
        namespace_id = await self.namespace_id(namespace)
        audience = self.audience(namespace_id)
        views = await self.hub.pool.read(lambda uow: self.hub.labels.channel(uow, namespace_id, audience, self.kind))
        self.set_header("Cache-Control", f"{'public' if self.principal.is_anonymous else 'private'}, max-age=30")
        self.add_vary("Authorization", "Cookie")
        return Reply(ChannelLabels(labels=[ChannelLabel(name=view.name, locked=view.locked, files=view.files) for view in views]))


class CondaLabelsHandler(ChannelLabelsHandler):
    """``/conda/{namespace}/labels.json``."""


class PypiLabelsHandler(ChannelLabelsHandler):
    """``/pypi/{namespace}/labels.json``."""

    kind = Kind.PYPI


class CranLabelsHandler(ChannelLabelsHandler):
    """``/cran/{namespace}/labels.json``."""

    kind = Kind.R


def _number(digits: str) -> int:
    # Beyond what a database takes for a number there is none.
    return int(digits[:19])
