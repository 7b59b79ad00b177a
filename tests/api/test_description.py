"""The API describes itself, and errors have one form."""

from __future__ import annotations

import json
import re

import pytest
import requests
from api_world import Api, problem
from openapi_spec_validator import validate
from tornado.web import RequestHandler

from carrel.hub.routes import ROUTES
from carrel.hub.web.endpoint import VERBS, declaration_of, endpoint
from carrel.hub.web.handler import ApiHandler
from carrel.hub.web.routing import ConfigurationError, Route, check_declarations
from carrel.testing.hub import HubProcess


def test_the_description_is_valid_and_complete(hub: HubProcess) -> None:
    document = Api(hub.url).get("openapi.json").json()
    validate(document)
    assert document["servers"] == [{"url": hub.url}]
    for route in ROUTES:
        if not route.template.startswith("/api/v1/"):
            continue
        described = document["paths"][re.sub(r"\{(\w+):[^{}]+\}", r"{\1}", route.template)]
        for verb in VERBS:
            if verb != "head" and declaration_of(route.handler, verb) is not None:
                assert described[verb]["summary"]
                assert described[verb]["description"]
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_an_undeclared_verb_stops_the_start() -> None:
    class Forgotten(ApiHandler):
        async def get(self) -> None:
            self.write("everything")

    with pytest.raises(ConfigurationError, match=r"Forgotten\.get"):
        check_declarations((Route("/x", Forgotten),))

    class Declared(ApiHandler):
        @endpoint(summary="x", anonymous=True)
        async def get(self) -> None:
            """Nothing."""

    check_declarations((Route("/x", Declared),))
    check_declarations(ROUTES)
    assert all(issubclass(route.handler, RequestHandler) for route in ROUTES)


@pytest.mark.parametrize(
    ("verb", "path", "status", "code"),
    [
        ("GET", "nothing/here", 404, "not_found"),
        ("PUT", "user", 405, "method_not_allowed"),
        ("BREW", "user", 405, "method_not_allowed"),
        ("GET", "namespaces/%ff/packages", 400, "bad_request"),
        ("GET", "namespaces/nobody-here/packages", 404, "not_found"),
        ("GET", "namespaces/x%00y/packages", 404, "not_found"),
        ("GET", "namespaces/x/packages?limit=0", 422, "invalid_input"),
        ("GET", "namespaces/x/packages?limit=%ff", 400, "bad_request"),
    ],
)
def test_errors_are_problem_documents(hub: HubProcess, verb: str, path: str, status: int, code: str) -> None:
    answer = requests.request(verb, f"{hub.url}/api/v1/{path}", timeout=30)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"x"', b"null"])
def test_bodies_that_are_no_object(hub: HubProcess, body: bytes) -> None:
    answer = requests.post(f"{hub.url}/api/v1/device/code", data=body, timeout=30)
    assert answer.status_code in (400, 422)
    problem(answer)


def test_large_bodies_for_nobody_are_told_so(hub: HubProcess) -> None:
    body = b"x" * 3_000_000
    for headers in ({}, {"Expect": "100-continue"}):
        answer = requests.post(f"{hub.url}/api/v1/nothing/here", data=body, headers=headers, timeout=30)
        assert (answer.status_code, problem(answer)["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["api/v1/device/code", "-/sign-in"])
def test_large_bodies_that_would_be_held_in_memory_are_refused(hub: HubProcess, path: str) -> None:
    body = json.dumps({"client_name": "x" * 3_000_000}).encode()
    answer = requests.post(f"{hub.url}/{path}", data=body, timeout=30)
    assert (answer.status_code, problem(answer)["code"], problem(answer)["limit"]) == (413, "too_large", 2 * 1024 * 1024)
    session = requests.Session()
    assert session.post(f"{hub.url}/{path}", data=body, headers={"Expect": "100-continue"}, timeout=30).status_code == 413
    assert Api(hub.url).get("health").json() == {"status": "ok", "database": "ok", "blobs": "ok"}


def test_redirect_free_roots(hub: HubProcess) -> None:
    assert Api(hub.url).get("").json() == requests.get(f"{hub.url}/api/v1", timeout=30).json()
