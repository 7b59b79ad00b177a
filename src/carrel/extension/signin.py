"""Signing in by device code: the person confirms a code on the hub's page, no password passes through Jupyter."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

from carrel.client.hub import HubClient
from carrel.client.models import DeviceCode
from carrel.core.errors import BadRequest, NotFound
from carrel.extension.hub import HubAccess

_ENDED = {"expired_token": "expired", "access_denied": "denied"}


@dataclass
class _Flow:
    hub_url: str
    code: DeviceCode
    interval: float
    expires: float
    next_poll: float
    state: str = "pending"


class SignIn:
    """The device sign-ins under way."""

    def __init__(self, access: HubAccess) -> None:
        self._access = access
        self._flows: dict[str, _Flow] = {}
        self._lock = threading.Lock()

    def start(self, hub_url: str) -> dict[str, Any]:
        """Start a sign-in and return what the person needs."""
        code = HubClient(hub_url).device_code("JupyterLab")
        moment = time.monotonic()
        flow = secrets.token_urlsafe(12)
        with self._lock:
            self._flows = {key: value for key, value in self._flows.items() if value.expires > moment - 60}
            self._flows[flow] = _Flow(hub_url, code, max(code.interval, 1), moment + code.expires_in, moment)
        return {
            "flow": flow,
            "user_code": code.user_code,
            "verification_uri": code.verification_uri,
            "verification_uri_complete": code.verification_uri_complete or code.verification_uri,
            "interval": code.interval,
            "expires_in": code.expires_in,
        }

    def poll(self, flow_id: str) -> str:
        """Return the state of a sign-in: ``pending``, ``done``, ``expired`` or ``denied``.

        The hub is asked no more often than it allows, however often this is called.
        """
        with self._lock:
            flow = self._flows.get(flow_id)
            if flow is None:
                raise NotFound("There is no such sign-in. Start again.", code="flow_not_found")
            moment = time.monotonic()
            if flow.state != "pending":
                return flow.state
            if moment > flow.expires:
                flow.state = "expired"
                return flow.state
            if moment < flow.next_poll:
                return flow.state
            flow.next_poll = moment + flow.interval
        try:
            token = HubClient(flow.hub_url).device_token(flow.code.device_code)
        except BadRequest as error:
            if error.code == "slow_down":
                flow.interval += 5
            elif error.code in _ENDED:
                flow.state = _ENDED[error.code]
            elif error.code != "authorization_pending":
                raise
            return flow.state
        self._access.sign_in(flow.hub_url, token.token)
        flow.state = "done"
        return flow.state
