"""People, packages and a small HTTP client for the tests of the API."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import requests

from carrel.testing.hub import HubProcess

ROLES = ("anonymous", "outsider", "member", "owner")
VISIBILITIES = ("private", "organization", "unlisted", "public")


@dataclass
class Api:
    """Calls of one person; paths are relative to ``/api/v1/``."""

    base: str
    token: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, verb: str, path: str, **options: Any) -> requests.Response:
        headers = dict(options.pop("headers", None) or {})
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        url = path if path.startswith("http") else f"{self.base}/api/v1/{path}"
        return self.session.request(verb, url, headers=headers, timeout=60, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> requests.Response:
        return self.call("POST", path, json={} if json is None else json, **options)

    def put(self, path: str, **options: Any) -> requests.Response:
        return self.call("PUT", path, **options)

    def patch(self, path: str, json: Any, **options: Any) -> requests.Response:
        return self.call("PATCH", path, json=json, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.call("DELETE", path, **options)

    def upload(self, namespace: str, filename: str, data: Any, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
        return self.put(f"namespaces/{namespace}/files/{filename}", data=data, headers=headers, params=query)


@dataclass
class World:
    """An organization with an owner and a member, an outsider, and the anonymous caller."""

    hub: HubProcess
    organization: str
    people: dict[str, Api]
    names: dict[str, str]

    @property
    def owner(self) -> Api:
        return self.people["owner"]


def make_world(hub: HubProcess) -> World:
    mark = uuid.uuid4().hex[:6]
    names = {role: f"{role}-{mark}" for role in ROLES[1:]}
    tokens = {role: hub.create_user(name) for role, name in names.items()}
    organization = f"org-{mark}"
    hub.create_organization(organization, tokens["owner"], {names["member"]: "member"})
    people = {"anonymous": Api(hub.url), **{role: Api(hub.url, token) for role, token in tokens.items()}}
    return World(hub, organization, people, names)


def problem(response: requests.Response) -> dict[str, Any]:
    """Return the problem document of a failure, which must be complete."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    document: dict[str, Any] = response.json()
    assert {"type", "title", "status", "code", "detail"} <= document.keys()
    assert document["status"] == response.status_code
    return document
