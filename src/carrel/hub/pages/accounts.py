"""Pages to sign in, register, sign out and approve a device."""

from __future__ import annotations

from carrel.core.errors import CarrelError, NotFound
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.passwords import MIN_LENGTH, hash_password
from carrel.hub.accounts.principal import Principal, Via
from carrel.hub.accounts.resolver import load_principal
from carrel.hub.accounts.service import NewSession
from carrel.hub.pages.base import Form, PageHandler, safe_next
from carrel.hub.web.authentication import SESSION_COOKIE
from carrel.hub.web.endpoint import Reply, endpoint


class _EntryHandler(PageHandler):
    """Pages that begin a session."""

    def begin(self, session: NewSession) -> Reply:
        """Return the answer that hands the session to the browser and leads on."""
        self.set_cookie(
            SESSION_COOKIE, session.secret, expires=session.expires_at, path="/", httponly=True, secure=self.secure, samesite="Lax"
        )
        return self.go(safe_next(self.form_value("next")))


class SignInHandler(_EntryHandler):
    """``/-/sign-in``."""

    @endpoint(summary="Sign-in page", anonymous=True, media_type="text/html")
    def get(self, uow: UnitOfWork) -> Reply:
        """A form; signed-in readers are led on."""
        after = safe_next(self.get_query_argument("next", "/"))
        if not self.principal.is_anonymous:
            return self.go(after)
        return self.page(uow, "sign_in.html", form=Form(), next=after)

    @endpoint(summary="Sign in", anonymous=True, media_type="text/html")
    async def post(self) -> Reply:
        """Check name and password, begin a session."""
        form = Form({"name": self.form_value("name").lower()})
        password = self.form_value("password", strip=False)
        address = self.request.remote_ip or ""
        try:
            principal = await self.hub.pool.compute(lambda: self.hub.passwords.sign_in(form.values["name"], password, address))
        except CarrelError as error:
            form.refuse(error)
            status = 400 if error.status == 401 else error.status  # 401 would ask for an HTTP authentication scheme
            return self.page(None, "sign_in.html", status=status, form=form, next=safe_next(self.form_value("next")))
        return self.begin(await self.hub.pool.write(lambda uow: self.hub.accounts.open_session(uow, principal)))


class RegisterHandler(_EntryHandler):
    """``/-/register``."""

    @endpoint(summary="Registration page", anonymous=True, media_type="text/html")
    def get(self, uow: UnitOfWork) -> Reply:
        """A form, where registration is open."""
        self.hub.accounts.require_open_registration()
        after = safe_next(self.get_query_argument("next", "/"))
        if not self.principal.is_anonymous:
            return self.go(after)
        return self.page(uow, "register.html", form=Form(), next=after, min_password=MIN_LENGTH)

    @endpoint(summary="Register", anonymous=True, media_type="text/html")
    async def post(self) -> Reply:
        """Create the account, begin a session."""
        form = Form({"name": self.form_value("name").lower(), "email": self.form_value("email")[:320], "password": ""})
        password = self.form_value("password", strip=False)
        address = self.request.remote_ip or ""
        try:
            self.hub.accounts.require_open_registration()
            self.hub.registrations.check(address)
            hashed = await self.hub.pool.compute(lambda: hash_password(password))
            self.hub.registrations.failed(address)  # counts also when the name is taken: the work is done
            session = await self.hub.pool.write(lambda uow: self._create(uow, form, hashed))
        except CarrelError as error:
            if error.fields.get("field") == "namespace" or error.code == "name_taken":
                form.errors["name"] = error.detail
            else:
                form.refuse(error)
            after = safe_next(self.form_value("next"))
            return self.page(None, "register.html", status=error.status, form=form, next=after, min_password=MIN_LENGTH)
        return self.begin(session)

    def _create(self, uow: UnitOfWork, form: Form, password_hash: str) -> NewSession:
        name = form.values["name"]
        user_id = self.hub.accounts.create_user(uow, name, password_hash, form.values["email"])
        principal: Principal = load_principal(uow, user_id, name, Via.PASSWORD)
        return self.hub.accounts.open_session(uow, principal)


class SignOutHandler(PageHandler):
    """``/-/sign-out``."""

    @endpoint(summary="Sign out", anonymous=True, media_type="text/html", writes=True)
    def post(self, uow: UnitOfWork) -> Reply:
        """End the session here and on the hub."""
        if secret := self.get_cookie(SESSION_COOKIE):
            self.hub.accounts.close_session(uow, secret)
        self.clear_cookie(SESSION_COOKIE, path="/")
        return self.go("/")


class ActivateHandler(PageHandler):
    """``/activate``: a person confirms that a device may act for them."""

    @endpoint(summary="Page to approve a device", media_type="text/html")
    def get(self, uow: UnitOfWork) -> Reply:
        """Ask for the code, or show which program asks. Never approves anything by itself."""
        code = self.get_query_argument("code", "")[:32]
        form = Form({"code": code})
        grant = None
        if code:
            try:
                grant = self.hub.devices.pending(uow, code)
            except NotFound as error:
                form.errors["code"] = error.detail
        return self.page(uow, "activate.html", grant=grant, outcome="", form=form)

    @endpoint(summary="Approve or refuse a device", media_type="text/html", writes=True)
    def post(self, uow: UnitOfWork) -> Reply:
        """Record the decision."""
        code = self.form_value("code")[:32]
        approve = self.form_value("decision") == "approve"
        form = Form({"code": code})
        try:
            grant = self.hub.devices.pending(uow, code)
        except NotFound as error:
            form.errors["code"] = error.detail
            return self.page(uow, "activate.html", status=404, grant=None, outcome="", form=form)
        self.hub.devices.decide(uow, self.principal, code, approve=approve)
        return self.page(uow, "activate.html", grant=grant, outcome="approved" if approve else "denied", form=form)
