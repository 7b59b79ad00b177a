from __future__ import annotations

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from carrel.extension.routes import ROUTES


async def test_status_without_a_hub(fetch_json):
    code, status = await fetch_json("GET", "status")
    assert code == 200
    assert status["hub"] == {"url": None, "configured": False, "reachable": False, "user": None, "namespaces": [], "error": None}
    assert status["policy"] == {"allow_install": True, "allow_publish": True, "reason": None}
    assert status["sources"] == []


PATHS = [
    ("GET", "status"),
    ("POST", "login"),
    ("DELETE", "login"),
    ("GET", "login/abc"),
    ("GET", "hub/search"),
    ("GET", "hub/releases"),
    ("GET", "kernels/x/environment"),
    ("POST", "kernels/x/environment"),
    ("GET", "environments"),
    ("GET", "environments/0123456789abcdef"),
    ("GET", "environments/0123456789abcdef/packages"),
    ("POST", "environments/0123456789abcdef/clone"),
    ("POST", "environments/0123456789abcdef/plan"),
    ("POST", "environments/0123456789abcdef/apply"),
    ("GET", "environments/0123456789abcdef/revisions"),
    ("GET", "environments/0123456789abcdef/revisions/1/diff"),
    ("POST", "environments/0123456789abcdef/revisions/1/restore"),
    ("GET", "environments/0123456789abcdef/export"),
    ("GET", "search"),
    ("GET", "packages/pypi/numpy"),
    ("POST", "imports"),
    ("GET", "jobs"),
    ("GET", "jobs/abc"),
    ("DELETE", "jobs/abc"),
    ("GET", "jobs/abc/log"),
    ("POST", "publish/check"),
    ("POST", "publish"),
    ("POST", "publish/undo"),
    ("POST", "reproduce/review"),
    ("POST", "reproduce/solve"),
    ("POST", "reproduce"),
]


def test_every_verb_is_in_the_list():
    verbs = sum(method in handler.__dict__ for _, handler in ROUTES for method in ("get", "post", "put", "patch", "delete"))
    assert verbs == len(PATHS)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_nothing_answers_without_authentication(method, path, http_server_client, jp_base_url):
    with pytest.raises(HTTPClientError) as error:
        await http_server_client.fetch(
            f"{jp_base_url}carrel/{path}", method=method, body="{}" if method == "POST" else None, follow_redirects=False
        )
    assert error.value.code == 403


class ReadOnly(Authorizer):
    """Allows reading and remembers what it was asked."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def is_authorized(self, handler, user, action, resource):
        self.asked.append((action, resource))
        return action == "read" or not resource.startswith("carrel:")


class TestAuthorizer:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["authorizer_class"] = ReadOnly
        return jp_server_config

    @pytest.mark.parametrize(("method", "path"), PATHS)
    async def test_changing_verbs_need_writing_rights(self, method, path, fetch_json):
        ReadOnly.asked.clear()
        code, _body = await fetch_json(method, path)
        assert ReadOnly.asked, "no verb goes unasked"
        action, resource = ReadOnly.asked[-1]
        assert resource in {"carrel:packages", "carrel:environments", "carrel:publish", "carrel:jobs", "carrel:hub"}
        if action == "write":
            assert code == 403
        else:
            assert method == "GET" or path in ("kernels/x/environment", "imports", "reproduce/review", "reproduce/solve")
            assert code != 403

    async def test_resources_are_not_mixed_up_between_handlers(self, fetch_json):
        ReadOnly.asked.clear()
        for path in ("status", "environments", "jobs"):
            await fetch_json("GET", path)
        assert [resource for _, resource in ReadOnly.asked] == ["carrel:hub", "carrel:environments", "carrel:jobs"]


class TestPolicy:
    @pytest.fixture
    def extension_settings(self, extension_settings):
        return {**extension_settings, "allow_install": False, "allow_publish": False, "policy_reason": "Ask the lab."}

    @pytest.mark.parametrize("path", ["environments/0123456789abcdef/plan", "environments/0123456789abcdef/apply", "reproduce", "publish"])
    async def test_what_is_switched_off_says_why(self, path, fetch_json):
        code, body = await fetch_json("POST", path, body={"path": "a.ipynb"})
        assert code == 403
        assert body["message"] == body["detail"] == "Ask the lab."
        assert body["code"] in ("install_not_allowed", "publish_not_allowed")

    async def test_the_panel_is_told(self, fetch_json):
        assert (await fetch_json("GET", "status"))[1]["policy"] == {
            "allow_install": False,
            "allow_publish": False,
            "reason": "Ask the lab.",
        }


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "imports", {"modules": "os"}, "bad_request"),
        ("POST", "publish/check", {"path": "a.ipynb"}, "bad_request"),
        ("POST", "publish/check", {"path": "../../a.ipynb", "notebook": {"cells": []}}, "invalid_path"),
        ("POST", "reproduce/review", {"reference": "nonsense"}, "bad_request"),
        ("GET", "packages/unknown/numpy", None, "unknown_source"),
        ("GET", "environments/0123456789abcdef", None, "environment_not_found"),
        ("GET", "jobs/abc", None, "job_not_found"),
        ("GET", "kernels/nobody/environment", None, "kernel_not_found"),
        ("GET", "hub/search", None, "hub_not_configured"),
        ("GET", "login/nobody", None, "flow_not_found"),
    ],
)
async def test_errors_have_a_code_and_a_sentence(method, path, body, code, fetch_json):
    status, answer = await fetch_json(method, path, body=body)
    assert 400 <= status < 600
    assert answer["code"] == code
    assert answer["status"] == status
    assert answer["message"] == answer["detail"] != ""
