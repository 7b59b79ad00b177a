"""The page of a namespace's settings: what it says of itself, who publishes without a token, what conda users are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from urllib.parse import quote

from carrel.core.access import Visibility
from carrel.core.errors import BadRequest, CarrelError, NotFound, Unprocessable
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.formats.parsing import load_json
from carrel.hub.namespaces.service import find_namespace, require_owner
from carrel.hub.notices.service import NoticeLevel
from carrel.hub.pages.base import Form
from carrel.hub.pages.managing import ManagePageHandler, visibilities_of
from carrel.hub.web.endpoint import Reply, endpoint

_DONE = {
    "saved": "The settings were saved.",
    "publisher": "The publisher was registered. It may upload from now on.",
    "unpublisher": "The publisher was removed.",
    "notice": "The notice was saved.",
    "published": "conda shows the notice from now on.",
    "archived": "The notice is not shown any more.",
    "deleted": "The notice was deleted.",
    "hotfix": "The instructions are in force.",
    "unhotfix": "The instructions were removed: records say what the packages say.",
}
_LEVELS = [(level.value, level.value.capitalize()) for level in NoticeLevel]
_HOTFIX_CHARACTERS = 2_000_000


class SettingsPageHandler(ManagePageHandler):
    """``/{namespace}/-/settings``."""

    @endpoint(summary="Page of the settings of a namespace", scope=Scope.NAMESPACE_READ, media_type="text/html")
    def get(self, uow: UnitOfWork, namespace: str) -> Reply:
        """Forms, to owners."""
        return self._show(uow, namespace, Form())

    @endpoint(summary="Change settings with the browser", scope=Scope.NAMESPACE_WRITE, media_type="text/html")
    async def post(self, namespace: str) -> Reply:
        """One change of the settings, of a publisher, of a notice or of patch instructions."""
        form = self.form("display_name", "description", "visibility", "id", "issuer", "package", "claims", "message", "level", "expires")
        form.values["subdir"] = self.text("subdir", 64)
        form.values["instructions"] = self.text("instructions", _HOTFIX_CHARACTERS)
        change = self._changes(namespace).get(form.name)

        def work(uow: UnitOfWork) -> str:
            if change is None:
                raise BadRequest("This form is not one of the page.")
            return change(uow, form)

        base = f"/{quote(namespace)}/-/settings"
        return await self.act(work, form, lambda uow, form: self._show(uow, namespace, form), lambda code: f"{base}?done={code}")

    def _changes(self, namespace: str) -> dict[str, Callable[[UnitOfWork, Form], str]]:
        principal, notices, hotfixes = self.principal, self.hub.notices, self.hub.hotfixes

        def about(uow: UnitOfWork, form: Form) -> str:
            values = form.values
            changes = {"display_name": values["display_name"][:200], "description": values["description"]}
            if values["visibility"] in set(Visibility):
                changes["default_visibility"] = values["visibility"]
            self.hub.namespaces.update(uow, principal, namespace, changes)
            return "saved"

        def publisher(uow: UnitOfWork, form: Form) -> str:
            try:
                self.hub.publishers.register(
                    uow,
                    principal,
                    namespace,
                    package=form.values["package"] or None,
                    issuer=form.values["issuer"],
                    claims=_claims(form.values["claims"]),
                )
            except Unprocessable as error:
                for item in error.fields.get("errors") or ():
                    name, _, claim = item["field"].partition(".")
                    item["field"], item["message"] = name, f"{claim}: {item['message']}." if claim else f"{item['message'].capitalize()}."
                raise
            return "publisher"

        def unpublisher(uow: UnitOfWork, form: Form) -> str:
            self.hub.publishers.remove(uow, principal, namespace, _number(form.values["id"]))
            return "unpublisher"

        def notice(uow: UnitOfWork, form: Form) -> str:
            values = form.values
            made = notices.create(
                uow, principal, namespace, message=values["message"], level=values["level"], expires_at=_end_of_day(values["expires"])
            )
            if self.text("publish") == "yes":
                notices.publish(uow, principal, namespace, made.id)
                return "published"
            return "notice"

        def step(name: str) -> Callable[[UnitOfWork, Form], str]:
            def change(uow: UnitOfWork, form: Form) -> str:
                {"published": notices.publish, "archived": notices.archive, "deleted": notices.delete}[name](
                    uow, principal, namespace, form.values["id"]
                )
                return name

            return change

        def hotfix(uow: UnitOfWork, form: Form) -> str:
            try:
                document = load_json(form.values["instructions"].encode(), "This")
            except CarrelError as error:
                raise BadRequest(error.detail, field="instructions") from error
            try:
                hotfixes.put(uow, principal, namespace, form.values["subdir"], document)
            except CarrelError as error:
                if error.fields.get("field") not in ("subdir", None):
                    error.fields["field"] = "instructions"
                raise
            return "hotfix"

        def unhotfix(uow: UnitOfWork, form: Form) -> str:
            hotfixes.delete(uow, principal, namespace, form.values["subdir"])
            return "unhotfix"

        return {
            "about": about,
            "publisher": publisher,
            "unpublisher": unpublisher,
            "notice": notice,
            "publish": step("published"),
            "archive": step("archived"),
            "delete": step("deleted"),
            "hotfix": hotfix,
            "unhotfix": unhotfix,
        }

    def _show(self, uow: UnitOfWork, namespace: str, form: Form) -> Reply:
        require_owner(self.principal, find_namespace(uow, namespace))
        view = self.hub.namespaces.get(uow, self.principal, namespace)
        found = self.hub.notices.list(uow, self.principal, namespace)
        subdir = form.values.get("subdir") or self.get_query_argument("subdir", "noarch")
        return self.namespace_page(
            uow,
            view,
            "settings",
            "settings.html",
            form=form,
            visibilities=visibilities_of(view.kind),
            publishers=self.hub.publishers.list(uow, self.principal, namespace),
            issuers=[(issuer, issuer) for issuer in self.hub.publishers.verifier.issuers],
            notices=found[0] if isinstance(found, tuple) else found,
            levels=_LEVELS,
            subdir=subdir,
            instructions=self._instructions(uow, namespace, subdir),
            message=self.done(_DONE),
        )

    def _instructions(self, uow: UnitOfWork, namespace: str, subdir: str) -> str:
        try:
            return json.dumps(self.hub.hotfixes.get(uow, self.principal, namespace, subdir), indent=2, ensure_ascii=False)
        except (NotFound, BadRequest):
            return ""


def _claims(text: str) -> dict[str, str]:
    """Return the claims of lines ``name = value``.

    Raises
    ------
    Unprocessable
    """
    claims: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = line.partition("=")
        if not sign:
            raise BadRequest(f"Write one claim on each line, as name = value; {line[:80]!r} is none.", field="claims")
        claims[name.strip()] = value.strip()
    if not claims:
        raise BadRequest("Name at least one claim.", field="claims")
    return claims


def _end_of_day(text: str) -> datetime | None:
    """Return the end (UTC) of the day that a date field names, None for an empty one."""
    if not text:
        return None
    try:
        return datetime.combine(datetime.strptime(text, "%Y-%m-%d").date(), time(), UTC) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise BadRequest("Write the day as 2026-12-31.", field="expires") from error


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound("There is no such publisher.")
    return int(text)
