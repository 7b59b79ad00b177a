"""Addresses of labels.

A label may hold slashes, written as such or as ``%2F``; of a label that ends in ``/files`` the last one has to be ``%2F``.
"""

from __future__ import annotations

from carrel.hub.labels.handlers import (
    CondaLabelsHandler,
    CranLabelsHandler,
    LabelChangeHandler,
    LabelChangesHandler,
    LabelFilesHandler,
    LabelHandler,
    LabelsHandler,
    PypiLabelsHandler,
    UndoHandler,
)
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

_NAMESPACE = f"{API}/namespaces/{{namespace}}"
_CHANGE = f"{_NAMESPACE}/label-changes/{{change:[0-9]+}}"

ROUTES: tuple[Route, ...] = (
    Route(f"{_NAMESPACE}/labels", LabelsHandler),
    Route(f"{_NAMESPACE}/labels/{{label:.+}}/files", LabelFilesHandler),
    Route(f"{_NAMESPACE}/labels/{{label:.+}}", LabelHandler),
    Route(f"{_NAMESPACE}/label-changes", LabelChangesHandler),
    Route(_CHANGE, LabelChangeHandler),
    Route(f"{_CHANGE}/undo", UndoHandler),
)

CHANNEL_ROUTES: tuple[Route, ...] = (
    Route("/conda/{namespace}/labels.json", CondaLabelsHandler),
    Route("/pypi/{namespace}/labels.json", PypiLabelsHandler),
    Route("/cran/{namespace}/labels.json", CranLabelsHandler),
)
