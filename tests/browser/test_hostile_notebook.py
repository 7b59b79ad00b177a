"""A notebook made by an attacker, in a real browser: nothing runs, nothing is fetched, nothing leaves its frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import hostile
import pytest
import requests
from publications import publish_notebook

from carrel.client import HubClient
from carrel.testing.hub import PASSWORD, HubProcess

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

# Runs in every frame before anything else: records what only running scripts could do.
_WATCH = "window.pwned = undefined; addEventListener('securitypolicyviolation', () => {});"


class Witness:
    """Records what a page does that it must not do."""

    def __init__(self, page: Page, base: str) -> None:
        self.dialogs: list[str] = []
        self.requests: list[str] = []
        self.opened: list[str] = []
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("popup", lambda popup: self.opened.append(popup.url))
        page.on("request", lambda request: self.requests.append(request.url) if not request.url.startswith((base, "data:")) else None)
        # Nothing is there to answer for other hosts; whoever asks is seen above.
        page.context.route(lambda url: not url.startswith(base), lambda route: route.abort())

    def check(self, page: Page) -> None:
        """Assert that nothing happened."""
        assert self.dialogs == []
        assert self.requests == []
        assert self.opened == []
        for frame in page.frames:
            assert frame.evaluate("window.pwned") is None, frame.url


@pytest.fixture(scope="module")
def path(hub: HubProcess) -> str:
    client = HubClient(hub.url, hub.create_user("mallory"))
    return publish_notebook(client, "mallory", "attack", hostile.notebook())


@pytest.fixture(scope="module")
def private_path(hub: HubProcess, path: str) -> str:
    client = HubClient(hub.url, hub.create_token("mallory"))
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Secret"}],
    }
    return publish_notebook(client, "mallory", "diary", notebook, visibility="private")


@pytest.fixture
def witness(page: Page, hub: HubProcess) -> Iterator[Witness]:
    seen = Witness(page, hub.url)
    yield seen
    seen.check(page)


def _frame(page: Page) -> Frame:
    frame = page.frame(name="notebook")
    assert frame is not None
    frame.wait_for_load_state()
    return frame


def test_the_page_of_a_hostile_notebook_stays_quiet(page: Page, hub: HubProcess, path: str, witness: Witness) -> None:
    page.goto(hub.url + path)
    frame = _frame(page)
    assert frame.locator("pre.source").count() > 0
    page.wait_for_timeout(500)
    assert page.url == hub.url + path
    assert frame.locator("script, iframe, object, embed, form, input, svg, style:not(head style)").count() == 0


def test_the_document_on_its_own_page_stays_quiet(page: Page, hub: HubProcess, path: str, witness: Witness) -> None:
    page.goto(hub.url + path)
    address = page.locator("iframe").get_attribute("src")
    page.goto(hub.url + str(address))
    page.wait_for_timeout(500)
    assert page.url == hub.url + str(address)
    assert page.evaluate("window.origin") == "null"


def test_moving_over_and_pressing_everything_stays_quiet(page: Page, hub: HubProcess, path: str, witness: Witness) -> None:
    page.goto(hub.url + path)
    frame = _frame(page)
    for index in range(min(frame.locator("summary, details").count(), 20)):
        frame.locator("summary, details").nth(index).dispatch_event("click")
    for _ in range(40):
        page.keyboard.press("Tab")
    for link in frame.locator("a[href]").all()[:40]:
        assert str(link.get_attribute("href")).startswith(("http://", "https://", "mailto:", "#"))
        assert "noopener" in str(link.get_attribute("rel"))


def test_the_frame_can_reach_neither_the_page_nor_the_hub(page: Page, hub: HubProcess, path: str) -> None:
    page.goto(hub.url + "/-/sign-in")
    page.fill("#name", "mallory")
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.goto(hub.url + path)
    frame = _frame(page)
    assert page.locator("iframe").get_attribute("sandbox") == "allow-popups allow-popups-to-escape-sandbox"
    # Playwright's own evaluation runs beside the page's policy, so it shows what a script would find.
    assert frame.evaluate("window.origin") == "null"
    for attempt in ("document.cookie", "parent.document.body", "localStorage.length"):
        with pytest.raises(Exception, match=r"SecurityError|cross-origin|sandboxed"):
            frame.evaluate(attempt)


def test_scripts_that_got_in_would_not_run(page: Page, hub: HubProcess, path: str) -> None:
    page.goto(hub.url + path)
    frame = _frame(page)
    frame.evaluate("document.body.innerHTML += '<img src=x onerror=window.pwned=1><svg onload=window.pwned=1>'")
    frame.evaluate("const s = document.createElement('script'); s.textContent = 'window.pwned=1'; document.body.append(s)")
    page.wait_for_timeout(300)
    assert frame.evaluate("window.pwned") is None


def test_every_answer_carries_the_policy(hub: HubProcess, path: str) -> None:
    text = requests.get(hub.url + path, headers={"Accept": "text/html"}, timeout=30).text
    address = text.partition(' src="/-/render/')[2].partition('"')[0]
    for url in (f"{hub.url}/-/render/{address}", f"{hub.url}/-/render/{'0' * 64}/1"):
        headers = requests.get(url, timeout=30).headers
        assert "sandbox allow-popups" in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_private_notebook_is_absent_for_others(page: Page, hub: HubProcess, private_path: str) -> None:
    page.goto(hub.url + "/-/sign-in")
    page.fill("#name", "mallory")
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.goto(hub.url + private_path)
    assert _frame(page).locator("h1").text_content() == "Secret"  # the frame's request carries the session
    address = hub.url + str(page.locator("iframe").get_attribute("src"))
    for url in (hub.url + private_path, address):
        assert requests.get(url, timeout=30).status_code == 404
    absent = requests.get(f"{hub.url}/mallory/no-such", headers={"Accept": "text/html"}, timeout=30).text
    hidden = requests.get(hub.url + private_path, headers={"Accept": "text/html"}, timeout=30).text
    assert hidden.replace("diary", "no-such") == absent
