"""The page of the reader's access tokens."""

from __future__ import annotations

from datetime import timedelta

from carrel.core.clock import now
from carrel.core.errors import CarrelError, NotFound
from carrel.core.scopes import SCOPES, Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.pages import commands
from carrel.hub.pages.base import Form
from carrel.hub.pages.managing import ManagePageHandler
from carrel.hub.tokens.service import NewToken
from carrel.hub.web.endpoint import Reply, endpoint

_DAY = 86400
_LIVES = {"30": 30 * _DAY, "90": 90 * _DAY, "365": 365 * _DAY, "": None}
_OVERLAPS = {"0": 0, "1": _DAY, "7": 7 * _DAY}
_EXPIRES_SOON = timedelta(days=14)
# What most tokens need; the others are names that other tools know, or parts of these.
_USUAL = (
    Scope.PACKAGE_READ,
    Scope.PACKAGE_WRITE,
    Scope.PACKAGE_DELETE,
    Scope.NAMESPACE_READ,
    Scope.NAMESPACE_WRITE,
    Scope.ACCOUNT_READ,
    Scope.ACCOUNT_WRITE,
    Scope.ALL,
)


class TokensPageHandler(ManagePageHandler):
    """``/-/settings/tokens``."""

    @endpoint(summary="Page of access tokens", scope=Scope.ACCOUNT_READ, media_type="text/html")
    def get(self, uow: UnitOfWork) -> Reply:
        """The reader's tokens, and a form for a new one, filled in with what the address names."""
        given = {name: self.get_query_argument(name, "")[:200] for name in ("namespace", "packages", "collection")}
        given["packages"] = given["packages"] or self.get_query_argument("package", "")[:200]
        return self._show(uow, Form({name: text for name, text in given.items() if text}))

    @endpoint(summary="Create, replace or revoke an access token", scope=Scope.ACCOUNT_WRITE, media_type="text/html")
    async def post(self) -> Reply:
        """Show a new token once; lead back after revoking one."""
        revoked, replaced = self.text("revoke", 20), self.text("replace", 20)
        if revoked:
            return await self.act(
                lambda uow: self.hub.tokens.revoke(uow, self.principal, _number(revoked)),
                Form(name="revoke"),
                self._show,
                lambda _: "/-/settings/tokens",
            )
        if replaced:
            form, overlap = Form(name="replace"), _OVERLAPS.get(self.text("overlap"), _DAY)
            made = await self.attempt(lambda uow: self.hub.tokens.rotate(uow, self.principal, _number(replaced), overlap), form, self._show)
        else:
            form = self.form("name", "namespace", "packages", "labels", "collection", "expires")
            form.name = "create"
            form.values["scopes"] = [text for text in self.get_body_arguments("scope") if text in set(Scope)]
            if not form.values["name"]:
                form.errors["name"] = "Give the token a name."
            if not form.values["scopes"]:
                form.errors["scopes"] = "Choose at least one thing that it may do."
            made = await self.attempt(lambda uow: self._create(uow, form), form, self._show)
        if isinstance(made, Reply):
            return made
        reply = await self.hub.pool.read(lambda uow: self._show(uow, Form(), made))
        return Reply(reply.body, reply.status, {**reply.headers, "Cache-Control": "no-store"})

    def _create(self, uow: UnitOfWork, form: Form) -> NewToken:
        values = form.values
        try:
            return self.hub.tokens.create(
                uow,
                self.principal,
                name=values["name"][:200],
                scopes=[Scope(text) for text in values["scopes"]],
                namespace=values["namespace"] or None,
                packages=_words(values["packages"]),
                labels=_words(values["labels"]),
                collection=values["collection"] or None,
                expires_in=_LIVES.get(values["expires"], 90 * _DAY),
                remote_addr=self.request.remote_ip or "",
            )
        except CarrelError as error:
            field = {"package": "packages", "label": "labels", "namespace": "namespace"}.get(str(error.fields.get("field")))
            if field is None and isinstance(error, NotFound):
                field = "collection" if values["collection"] else "namespace"
            if field is not None:
                error.fields["field"] = field
            raise

    def _show(self, uow: UnitOfWork, form: Form, created: NewToken | None = None) -> Reply:
        moment = now()
        tokens = self.hub.tokens.list(uow, self.principal)
        by_scope = {info.scope: info for info in SCOPES}
        return self.page(
            uow,
            "tokens.html",
            form=form,
            no_form=Form(),
            tokens=tokens,
            created=created,
            token_commands=commands.use_token(self.urls.base, self.principal.user_name, created.view.namespace or "") if created else (),
            scopes=[by_scope[scope] for scope in _USUAL],
            other_scopes=[info for info in SCOPES if info.scope not in _USUAL],
            lives=[("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "Never")],
            now=moment,
            soon=moment + _EXPIRES_SOON,
        )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound("You have no such token.")
    return int(text)


def _words(text: str) -> list[str] | None:
    """Return the names in *text*, separated by commas or spaces; None when there is none."""
    return [word for word in text.replace(",", " ").split() if word] or None
