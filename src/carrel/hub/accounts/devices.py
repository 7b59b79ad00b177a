"""Sign-in of programs that cannot show a form: OAuth 2.0 device authorization grant (RFC 8628)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from carrel.core.clock import now
from carrel.core.errors import BadRequest, Conflict, Forbidden, NotFound
from carrel.core.tokens import hash_token
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts import repository
from carrel.hub.accounts.principal import Principal, Via
from carrel.hub.accounts.resolver import load_principal
from carrel.hub.audit.repository import record
from carrel.hub.settings import HubSettings
from carrel.hub.tokens.service import NewToken, TokenService

# Consonants without look-alikes (RFC 8628, 6.1): no words, no 0/O or 1/I; 20^8 possibilities.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a device gets to begin with; times in seconds."""

    device_code: str
    user_code: str
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True)
class PendingDevice:
    """A sign-in that waits for a person's decision."""

    user_code: str
    client_name: str


class DeviceService:
    """Device sign-ins.

    Parameters
    ----------
    settings : HubSettings
    tokens : TokenService
        Mints the token when the device asks after an approval.
    """

    def __init__(self, settings: HubSettings, tokens: TokenService) -> None:
        self._settings = settings
        self._tokens = tokens

    def start(self, uow: UnitOfWork, client_name: str) -> DeviceCode:
        """Begin a sign-in."""
        moment = now()
        repository.delete_expired(uow, moment - timedelta(hours=1))
        device_code = secrets.token_urlsafe(32)
        letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
        user_code = f"{letters[:4]}-{letters[4:]}"
        repository.insert_device_grant(
            uow,
            {
                "device_code_sha256": hash_token(device_code),
                "user_code": user_code,
                "client_name": client_name,
                "state": "pending",
                "created_at": moment,
                "expires_at": moment + timedelta(seconds=self._settings.device_seconds),
            },
        )
        return DeviceCode(device_code, user_code, self._settings.device_seconds, self._settings.device_interval)

    def poll(self, uow: UnitOfWork, device_code: str) -> NewToken | BadRequest:
        """Return the token once a person approved, otherwise the reason to wait or to stop.

        The reason is returned, not raised, so that the time of this question is committed.
        """
        grant = repository.device_grant_by_code(uow, hash_token(device_code))
        moment = now()
        if grant is None or grant.expires_at <= moment or grant.state == "used":
            return BadRequest("This sign-in is over. Start a new one.", code="expired_token")
        if grant.state == "denied":
            return BadRequest("The sign-in was refused.", code="access_denied")
        if grant.state == "approved" and grant.user_id is not None:
            if not repository.claim_device_grant(uow, grant.id, "approved", state="used"):
                return BadRequest("This sign-in is over. Start a new one.", code="expired_token")
            owner = repository.user_by_id(uow, grant.user_id)
            if owner is None:
                return BadRequest("The account is gone.", code="access_denied")
            principal = load_principal(uow, owner.id, owner.name, Via.SESSION)
            return self._tokens.create(uow, principal, name=grant.client_name, scopes=None)
        too_soon = grant.last_polled_at is not None and moment - grant.last_polled_at < timedelta(
            seconds=self._settings.device_interval - 0.5
        )
        repository.update_device_grant(uow, grant.id, last_polled_at=moment)
        if too_soon:
            return BadRequest("Ask less often.", code="slow_down", interval=self._settings.device_interval)
        return BadRequest("Nobody has approved the sign-in yet.", code="authorization_pending", interval=self._settings.device_interval)

    def pending(self, uow: UnitOfWork, user_code: str) -> PendingDevice:
        """Return the sign-in that *user_code* (typed by a person, any case, dash or not) stands for.

        Raises
        ------
        NotFound
        """
        grant = repository.device_grant_by_user_code(uow, normalize_user_code(user_code))
        if grant is None or grant.state != "pending" or grant.expires_at <= now():
            raise NotFound("This code is unknown or expired. Start the sign-in again on the device.", code="unknown_user_code")
        return PendingDevice(grant.user_code, grant.client_name)

    def decide(self, uow: UnitOfWork, principal: Principal, user_code: str, *, approve: bool) -> None:
        """Approve or deny a sign-in as the signed-in person.

        Raises
        ------
        NotFound
        Conflict
            Somebody decided meanwhile.
        Forbidden
            The caller did not sign in by a browser session: a token cannot approve its own successors.
        """
        if principal.user_id is None or principal.via is not Via.SESSION:
            raise Forbidden("Sign in with the browser to approve a device.")
        code = self.pending(uow, user_code).user_code
        grant = repository.device_grant_by_user_code(uow, code)
        values = {"state": "approved" if approve else "denied", "user_id": principal.user_id}
        if grant is None or not repository.claim_device_grant(uow, grant.id, "pending", **values):
            raise Conflict("This sign-in was decided already.")
        record(uow, principal, "device.approve" if approve else "device.deny", None, grant.client_name)


def normalize_user_code(text: str) -> str:
    """Return *text* as codes are kept: ``BCDF-GHJK``."""
    letters = "".join(letter for letter in text.upper() if letter in _LETTERS)
    return f"{letters[:4]}-{letters[4:8]}"
