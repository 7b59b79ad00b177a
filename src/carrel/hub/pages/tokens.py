"""The page of the reader's access tokens."""

from __future__ import annotations

from carrel.core.clock import now
from carrel.core.errors import CarrelError, Forbidden, NotFound
from carrel.core.scopes import SCOPES, Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Via
from carrel.hub.pages import commands
from carrel.hub.pages.base import Form, PageHandler
from carrel.hub.tokens.service import NewToken
from carrel.hub.web.endpoint import Reply, endpoint

_DAY = 86400
_LIVES = {"30": 30 * _DAY, "90": 90 * _DAY, "365": 365 * _DAY, "": None}


class TokensPageHandler(PageHandler):
    """``/-/settings/tokens``."""

    @endpoint(summary="Page of access tokens", scope=Scope.ACCOUNT_READ, media_type="text/html")
    def get(self, uow: UnitOfWork) -> Reply:
        """The reader's tokens, and a form for a new one."""
        return self._page(uow, Form())

    @endpoint(summary="Create or revoke an access token", scope=Scope.ACCOUNT_WRITE, media_type="text/html", writes=True)
    def post(self, uow: UnitOfWork) -> Reply:
        """Show a new token once; lead back after revoking one."""
        if self.principal.via is not Via.SESSION:
            raise Forbidden("Sign in with the browser to use this page. Programs use the API.")
        revoked = self.form_value("revoke")
        if revoked:
            if not revoked.isascii() or not revoked.isdigit() or len(revoked) > 18:
                raise NotFound("You have no such token.")
            self.hub.tokens.revoke(uow, self.principal, int(revoked))
            return self.go("/-/settings/tokens")
        form = Form(
            {
                "name": self.form_value("name")[:200],
                "scopes": [text for text in self.get_body_arguments("scope") if text in set(Scope)],
                "namespace": self.form_value("namespace"),
            }
        )
        if not form.values["name"]:
            form.errors["name"] = "Give the token a name."
        if not form.values["scopes"]:
            form.errors["scopes"] = "Choose at least one thing that it may do."
        if form.errors:
            return self._page(uow, form, status=422)
        try:
            created = self.hub.tokens.create(
                uow,
                self.principal,
                name=form.values["name"],
                scopes=[Scope(text) for text in form.values["scopes"]],
                namespace=form.values["namespace"] or None,
                expires_in=_LIVES.get(self.form_value("expires"), 90 * _DAY),
            )
        except CarrelError as error:
            form.refuse(error)
            return self._page(uow, form, status=error.status)
        reply = self._page(uow, Form(), created)
        return Reply(reply.body, reply.status, {**reply.headers, "Cache-Control": "no-store"})

    def _page(self, uow: UnitOfWork, form: Form, created: NewToken | None = None, status: int = 200) -> Reply:
        return self.page(
            uow,
            "tokens.html",
            status=status,
            form=form,
            tokens=self.hub.tokens.list(uow, self.principal),
            created=created,
            token_commands=commands.use_token(self.urls.base, self.principal.user_name, created.view.namespace or "") if created else (),
            scopes=SCOPES,
            now=now(),
        )
