"""Endpoints of accounts and device sign-ins."""

from __future__ import annotations

from carrel.core.errors import BadRequest, Conflict, Forbidden, RateLimited
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.passwords import hash_password
from carrel.hub.accounts.principal import Principal, Via
from carrel.hub.accounts.resolver import load_principal
from carrel.hub.accounts.schemas import DeviceCodeInfo, DeviceQuestion, NewDevice, NewUser, User
from carrel.hub.tokens.schemas import CreatedToken
from carrel.hub.web.endpoint import Reply, endpoint
from carrel.hub.web.handler import ApiHandler


class UserHandler(ApiHandler):
    """``/user``."""

    @endpoint(summary="Who am I", scope=Scope.ACCOUNT_READ, response=User)
    def get(self, uow: UnitOfWork) -> User:
        """The caller and the namespaces their credential reaches; 401 when anonymous."""
        return User.of(self.hub.accounts.describe(uow, self.principal))


class UsersHandler(ApiHandler):
    """``/users``."""

    @endpoint(
        summary="Create an account",
        anonymous=True,
        request=NewUser,
        response=User,
        status=201,
        errors=(Conflict, Forbidden, RateLimited),
    )
    async def post(self, body: NewUser) -> Reply:
        """Only where registration is open."""
        self.hub.accounts.require_open_registration()
        address = self.request.remote_ip or ""
        self.hub.registrations.check(address)
        hashed = await self.hub.pool.compute(lambda: hash_password(body.password))
        self.hub.registrations.failed(address)  # counts also when the name is taken: the work is done

        def create(uow: UnitOfWork) -> User:
            user_id = self.hub.accounts.create_user(uow, body.name, hashed, body.email, body.display_name)
            principal: Principal = load_principal(uow, user_id, body.name, Via.PASSWORD)
            return User.of(self.hub.accounts.describe(uow, principal))

        return Reply(await self.hub.pool.write(create))


class DeviceCodeHandler(ApiHandler):
    """``/device/code``."""

    @endpoint(
        summary="Begin a device sign-in",
        anonymous=True,
        request=NewDevice,
        response=DeviceCodeInfo,
        writes=True,
        errors=(RateLimited,),
    )
    def post(self, uow: UnitOfWork, body: NewDevice) -> DeviceCodeInfo:
        """OAuth 2.0 device authorization (RFC 8628): show the code to the person, then ask ``/device/token``."""
        address = self.request.remote_ip or ""
        self.hub.registrations.check(address + "\ndevice")
        self.hub.registrations.failed(address + "\ndevice")
        code = self.hub.devices.start(uow, body.client_name)
        page = self.urls.page("activate")
        return DeviceCodeInfo(
            device_code=code.device_code,
            user_code=code.user_code,
            verification_uri=page,
            verification_uri_complete=f"{page}?code={code.user_code}",
            expires_in=code.expires_in,
            interval=code.interval,
        )


class DeviceTokenHandler(ApiHandler):
    """``/device/token``."""

    @endpoint(
        summary="Ask after the token of a device sign-in",
        anonymous=True,
        request=DeviceQuestion,
        response=CreatedToken,
        errors=(BadRequest,),
    )
    async def post(self, body: DeviceQuestion) -> CreatedToken:
        """400 with code ``authorization_pending``, ``slow_down``, ``expired_token`` or ``access_denied`` until it is there."""
        result = await self.hub.pool.write(lambda uow: self.hub.devices.poll(uow, body.device_code))
        if isinstance(result, BadRequest):
            raise result
        return CreatedToken.of_new(result)
