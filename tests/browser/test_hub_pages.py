"""The hub's pages in a real browser: with and without scripts, by keyboard, in every size and colour scheme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import requests
from page_checks import axe_source, serious_faults, sign_in, too_wide
from publications import publish_notebook

from carrel.client import HubClient
from carrel.formats.environment import dump_lock
from carrel.formats.environment.lock import Lock, LockedConda
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.hub import PASSWORD, HubProcess

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

_NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"language_info": {"name": "python"}},
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# First\n\n$$\\frac{a}{b}$$\n\n## Second\n\n|a|b|\n|-|-|\n|1|2|\n"},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "execution_count": 1,
            "source": "print('a long line', " + ", ".join(map(str, range(60))) + ")",
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": "x" * 300},
                {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mE\x1b[0m: \x1b[38;5;241mv\x1b[0m"]},
            ],
        },
    ],
}
_PAGES = {
    "home": "/",
    "search": "/search?q=tool",
    "nothing found": "/search?q=zzzz",
    "namespace": "/lab",
    "package": "/lab/tool",
    "older version": "/lab/tool/1.0",
    "notebook": "/lab/study",
    "environment": "/lab/base",
    "data file": "/lab/numbers",
    "not found": "/lab/absent",
}
_SIGNED_OUT = {"sign in": "/-/sign-in", "register": "/-/register"}
_SIGNED_IN = {"tokens": "/-/settings/tokens", "empty namespace": "/ana", "device code": "/activate"}


@pytest.fixture(scope="module")
def filled(hub: HubProcess) -> HubProcess:
    token = hub.create_user("ana")
    hub.create_organization("lab", token)
    client = HubClient(hub.url, token)
    for version in ("1.0", "1.1"):
        package = build_conda(
            "tool", version, noarch="python", depends=["python"], about={"summary": "A tool", "description": "# A tool\n\n- x\n"}
        )
        client.upload_file("lab", package.data, package.filename, visibility="public")
    wheel = build_wheel("tool", "1.1", requires=["numpy"])
    client.upload_file("lab", wheel.data, wheel.filename)
    publish_notebook(client, "lab", "study", _NOTEBOOK)
    conda = LockedConda(
        "python", "3.12.8", "h1_0", "https://conda.example.org/c/linux-64/python-3.12.8-h1_0.conda", "a" * 64, "b" * 32, 9, "linux-64"
    )
    filename, data = dump_lock(Lock("linux-64", "3.12.8", ("python",), ("https://conda.example.org/c",), (conda,)))
    client.upload_file("lab", data, filename, package="base", version="1", visibility="public")
    client.upload_file("lab", b"id,name,value\n1,a,0.5\n2,b,0.25\n", "numbers.csv", package="numbers", version="1", visibility="public")
    return hub


@pytest.fixture
def context(browser: Browser, filled: HubProcess) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=filled.url)
    yield context
    context.close()


@pytest.fixture
def without_scripts(browser: Browser, filled: HubProcess) -> Iterator[Page]:
    context = browser.new_context(base_url=filled.url, java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_fault_and_no_sideways_scrolling(context: BrowserContext, filled: HubProcess, scheme: str) -> None:
    axe = axe_source()
    page = context.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    faults: dict[str, list[str]] = {}

    def check(name: str) -> None:
        found = serious_faults(page, axe)
        if too_wide(page) > 0:
            found.append(f"{too_wide(page)} px too wide")
        if found:
            faults[name] = found

    def look(name: str, address: str) -> None:
        for width in (400, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(address)
            check(f"{name} {width}")

    for name, address in (_PAGES | _SIGNED_OUT).items():
        look(name, address)
    page.goto("/lab/study")
    document = requests.get(filled.url + str(page.locator("iframe").get_attribute("src")), timeout=30).text
    for width in (400, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("about:blank")  # without the sandbox, in which axe could not run either
        page.set_content(document)
        check(f"notebook document {width}")
    sign_in(context, filled)
    for name, address in (_SIGNED_IN | {"namespace as owner": "/lab", "home signed in": "/"}).items():
        look(name, address)
    assert faults == {}


def test_pages_obey_their_own_policy_and_ask_nobody_else(context: BrowserContext, filled: HubProcess) -> None:
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith((filled.url, "data:")) else None)
    for address in (_PAGES | _SIGNED_OUT).values():
        page.goto(address)
        page.wait_for_load_state("networkidle")
    assert [text for text in complaints if "404" not in text] == []


def test_every_page_reads_without_scripts(without_scripts: Page) -> None:
    page = without_scripts
    for name, address in (_PAGES | _SIGNED_OUT).items():
        page.goto(address)
        assert page.locator("main h1").count() == 1, name
        assert page.locator("button:visible", has_text="Copy").count() == 0, name
    page.goto("/lab/study")
    assert page.frame_locator("iframe").locator("h1").text_content() == "First"
    page.click("nav.outline >> text=Second")
    page.wait_for_timeout(300)
    assert any(frame.url.endswith("#Second") for frame in page.frames)


def test_the_whole_account_path_works_without_scripts(without_scripts: Page, filled: HubProcess) -> None:
    page = without_scripts
    page.goto("/-/settings/tokens")
    assert page.url == f"{filled.url}/-/sign-in?next=/-/settings/tokens"
    page.fill("#name", "ana")
    page.fill("#password", "wrong wrong")
    page.click("main button")
    assert page.locator("[role=alert]").count() == 1
    page.fill("#password", PASSWORD)
    page.click("main button")
    assert page.url == f"{filled.url}/-/settings/tokens"
    page.fill("#name", "build server")
    page.check("text=Upload files")
    page.select_option("#namespace", "lab")
    page.select_option("#expires", "30")
    page.click("text=Create token")
    secret = str(page.locator("#new-token").text_content())
    user = requests.get(f"{filled.url}/api/v1/packages/lab/tool", headers={"Authorization": f"Bearer {secret}"}, timeout=30)
    assert user.status_code == 200
    page.goto("/-/settings/tokens")
    assert secret not in page.content()
    page.click("li:has-text('build server') >> summary:has-text('Revoke')")
    page.click("text=Revoke build server")
    assert page.locator("li:has-text('build server')").count() == 0
    answer = requests.get(f"{filled.url}/api/v1/packages/lab/tool", headers={"Authorization": f"Bearer {secret}"}, timeout=30)
    assert answer.status_code == 401
    page.click("details.menu summary")
    page.click("text=Sign out")
    page.goto("/-/settings/tokens")
    assert "/-/sign-in" in page.url


def test_registering_and_what_is_wrong_with_a_form(without_scripts: Page, filled: HubProcess) -> None:
    page = without_scripts
    page.goto("/-/register")
    for name, expected in (("ana", "taken"), ("search", "reserved"), ("not ok", "cannot be a namespace")):
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.click("main button")
        assert expected in str(page.locator("#name-error").text_content())
        assert page.locator("#name").get_attribute("aria-invalid") == "true"
    page.fill("#name", "newcomer")
    page.fill("#password", PASSWORD)
    page.click("main button")
    assert page.url == f"{filled.url}/"
    assert page.locator("text=Publish something").count() == 1


@pytest.mark.parametrize("decision", ["Connect", "Refuse"])
def test_a_device_is_approved_only_by_hand(context: BrowserContext, filled: HubProcess, decision: str) -> None:
    grant = requests.post(f"{filled.url}/api/v1/device/code", json={"client_name": "JupyterLab <b>on</b> atlas"}, timeout=30).json()
    page = context.new_page()
    page.goto(f"/activate?code={grant['user_code']}")
    assert "/-/sign-in" in page.url
    page.fill("#name", "ana")
    page.fill("#password", PASSWORD)
    page.click("main button")
    assert page.url == f"{filled.url}/activate?code={grant['user_code']}"
    assert "JupyterLab <b>on</b> atlas asks to act for you" in str(page.locator("main").text_content())
    poll = {"device_code": grant["device_code"]}
    assert requests.post(f"{filled.url}/api/v1/device/token", json=poll, timeout=30).json()["code"] == "authorization_pending"
    page.click(f"main button:has-text('{decision}')")
    page.wait_for_selector("text=You may close this page")
    page.wait_for_timeout(5_000 if decision == "Connect" else 100)
    answer = requests.post(f"{filled.url}/api/v1/device/token", json=poll, timeout=30)
    assert (answer.status_code == 200) if decision == "Connect" else (answer.json()["code"] == "access_denied")


def test_forms_of_other_sites_are_refused(filled: HubProcess) -> None:
    session = requests.Session()
    for address in ("/-/sign-in", "/-/register", "/-/sign-out", "/activate", "/-/settings/tokens"):
        answer = session.post(filled.url + address, data={"name": "ana", "password": PASSWORD}, headers={"Accept": "text/html"}, timeout=30)
        assert answer.status_code in (401, 403), address
        assert "carrel_session" not in session.cookies


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "\\\\evil.example"]
)
def test_the_sign_in_leads_nowhere_else(filled: HubProcess, target: str) -> None:
    session = requests.Session()
    page = session.get(f"{filled.url}/-/sign-in", timeout=30).text
    xsrf = page.partition('name="_xsrf" value="')[2].partition('"')[0]
    form = {"name": "ana", "password": PASSWORD, "next": target, "_xsrf": xsrf}
    answer = session.post(f"{filled.url}/-/sign-in", data=form, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_headers_of_pages(filled: HubProcess) -> None:
    for address in (*_PAGES.values(), "/-/sign-in"):
        headers = requests.get(filled.url + address, headers={"Accept": "text/html"}, timeout=30).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


def test_programs_get_problem_documents(filled: HubProcess) -> None:
    answer = requests.get(f"{filled.url}/lab/absent", headers={"Accept": "application/json"}, timeout=30)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_keyboard_alone_reaches_everything(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/lab/tool")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "top-search"
    page.keyboard.type("study")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=study")
    page.click("main a.cover")
    assert page.url.endswith("/lab/study")


def test_commands_are_copied(browser: Browser, filled: HubProcess) -> None:
    context = browser.new_context(base_url=filled.url, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto("/lab/tool")
    page.click("button[data-copy=install-1]")
    page.wait_for_selector("button.done")
    assert page.evaluate("navigator.clipboard.readText()") == f"conda install -c {filled.url}/conda/lab tool"
    context.close()


def test_search_filters_and_pages(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/search?q=")
    assert page.locator("ul.list > li").count() == 4
    page.click("label.pill:has-text('Notebooks')")
    page.wait_for_url("**kind=notebook**")
    assert page.locator("ul.list h3").all_text_contents() == ["lab / study"]
