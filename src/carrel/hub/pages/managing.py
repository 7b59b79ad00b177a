"""What the pages share on which people change things: who may, one transaction for each form, nothing lost on an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from carrel.core.access import Role, Visibility
from carrel.core.errors import CarrelError, Forbidden, Unauthenticated
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Via
from carrel.hub.namespaces.service import NamespaceView
from carrel.hub.pages.base import Form, PageHandler
from carrel.hub.web.endpoint import Reply

T = TypeVar("T")
_MOST_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Tab:
    """A page of a namespace in the navigation of its members."""

    key: str
    title: str
    address: str


def tabs_of(namespace: NamespaceView) -> list[Tab]:
    """Return the pages on which the reader finds something to do; none for outsiders."""
    if namespace.role is None:
        return []
    base = f"/{namespace.name}"
    tabs = [
        Tab("overview", "Overview", base),
        Tab("collections", "Collections", f"{base}/-/collections"),
        Tab("labels", "Labels", f"{base}/-/labels"),
    ]
    if namespace.kind == "organization":
        tabs.append(Tab("members", "Members", f"{base}/-/members"))
    if namespace.role is Role.OWNER:
        tabs += [Tab("audit", "Activity", f"{base}/-/audit"), Tab("settings", "Settings", f"{base}/-/settings")]
    return tabs


def visibilities_of(namespace_kind: str) -> list[Visibility]:
    """Return the visibilities that make sense in a namespace of this kind."""
    return [each for each in Visibility if each is not Visibility.ORGANIZATION or namespace_kind == "organization"]


class ManagePageHandler(PageHandler):
    """A page with forms. Programs use the API: forms are taken from browsers only."""

    def text(self, name: str, limit: int = _MOST_CHARACTERS) -> str:
        """Return a field of the submitted form with the line ends of this world, at most *limit* characters."""
        return self.form_value(name).replace("\r\n", "\n")[:limit]

    def form(self, *fields: str) -> Form:
        """Return the submitted form with these fields."""
        return Form({name: self.text(name) for name in fields}, name=self.text("form", 40))

    def namespace_page(
        self, uow: UnitOfWork, namespace: NamespaceView, current: str, template: str, *, form: Form | None = None, **context: Any
    ) -> Reply:
        """Return a page of a namespace with its navigation; *current* is the key of the tab."""
        return self.page(
            uow, template, namespace=namespace, tabs=tabs_of(namespace), current=current, **self.forms(form or Form()), **context
        )

    def forms(self, form: Form) -> dict[str, Any]:
        """Return what templates with forms read: ``form_of(name)`` is the submitted form, or an empty one."""
        return {"form_of": lambda name: form if form.name == name else Form(name=name), "submitted": form}

    async def attempt(self, work: Callable[[UnitOfWork], T], form: Form, show: Callable[[UnitOfWork, Form], Reply]) -> T | Reply:
        """Do *work* in one transaction and return its result; if it is refused, the form again with the reason.

        Parameters
        ----------
        work : callable
            Nothing of it stays when it raises.
        form : Form
            What was filled in.
        show : callable
            Makes the page that holds the form.
        """
        if self.principal.via is not Via.SESSION:
            raise Forbidden("Sign in with the browser to use this page. Programs use the API.")
        if form.errors:
            return await self._again(form, show, HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            return await self.hub.pool.write(work)
        except Unauthenticated:
            raise
        except CarrelError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            form.refuse(error)
            return await self._again(form, show, error.status)

    async def act(
        self, work: Callable[[UnitOfWork], T], form: Form, show: Callable[[UnitOfWork, Form], Reply], done: Callable[[T], str]
    ) -> Reply:
        """As :meth:`attempt`, and then lead on to the address that *done* makes of the result."""
        result = await self.attempt(work, form, show)
        return result if isinstance(result, Reply) else self.go(done(result))

    async def _again(self, form: Form, show: Callable[[UnitOfWork, Form], Reply], status: int) -> Reply:
        reply = await self.hub.pool.read(lambda uow: show(uow, form))
        return Reply(reply.body, status, reply.headers)

    def done(self, messages: Mapping[str, str]) -> str:
        """Return the message that the address asks for: only codes stand there, so nobody can put words into it."""
        return messages.get(self.get_query_argument("done", ""), "")
