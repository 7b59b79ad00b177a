"""JSON of accounts and device sign-ins."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from carrel.core.access import Role
from carrel.hub.accounts.service import UserView


class UserNamespace(BaseModel):
    """A namespace the user belongs to."""

    name: str
    kind: Literal["user", "organization"]
    role: Role
    display_name: str


class User(BaseModel):
    """The caller."""

    name: str
    display_name: str
    kind: Literal["user"] = "user"
    namespaces: list[UserNamespace]

    @classmethod
    def of(cls, view: UserView) -> User:
        """Return the JSON of *view*."""
        return cls(
            name=view.name,
            display_name=view.display_name,
            namespaces=[
                UserNamespace(
                    name=item.name,
                    kind="organization" if item.kind == "organization" else "user",
                    role=item.role,
                    display_name=item.display_name,
                )
                for item in view.namespaces
            ],
        )


class NewUser(BaseModel):
    """An account to create."""

    name: str = Field(max_length=64)
    password: str = Field(max_length=1000)
    email: str = Field("", max_length=320)
    display_name: str = Field("", max_length=200)


class NewDevice(BaseModel):
    """A device that wants to sign in."""

    client_name: str = Field("device", min_length=1, max_length=200)


class DeviceCodeInfo(BaseModel):
    """Codes of a device sign-in (RFC 8628, 3.2); times in seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class DeviceQuestion(BaseModel):
    """A device that asks after its token."""

    device_code: str = Field(max_length=200)
