"""Pictures of the hub's pages."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from hub_content import fill

from carrel.testing.hub import PASSWORD, HubProcess

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from shooting import Look, Shooter

_ANYONE = {
    "home": "/",
    "search": "/search?q=snow",
    "search-nothing": "/search?q=zzzzz&kind=notebook",
    "namespace": "/acme",
    "package": "/acme/snowlib",
    "package-older": "/acme/snowlib/2.4.0",
    "package-label": "/acme/snowlib?label=dev",
    "contents": "/acme/snowlib/2.4.1?view=contents&file=snowlib-2.4.1-0.conda&subdir=noarch",
    "package-r": "/acme/glacieR",
    "collections": "/acme/-/collections",
    "collection": "/acme/-/collections/melt-course",
    "notebook": "/acme/glacier-melt",
    "environment": "/acme/glacier-melt/3?view=environment",
    "sign-in": "/-/sign-in",
    "register": "/-/register",
    "not-found": "/acme/secret",
}
_MEMBER = {
    "home-signed-in": "/",
    "namespace-owner": "/acme",
    "private-environment": "/ana/geo-base",
    "data-file": "/acme/stations",
    "tokens": "/-/settings/tokens",
    "collection-editing": "/acme/-/collections/melt-course?edit=1",
    "labels": "/acme/-/labels",
    "members": "/acme/-/members",
    "audit": "/acme/-/audit",
    "namespace-settings": "/acme/-/settings",
    "package-settings": "/acme/snowlib/-/settings",
    "new-organization": "/-/organizations/new",
    "activate-code": "/activate",
}

_LONG = {"audit"}  # the beginning says enough


def take(shooter: Shooter) -> None:
    """Start a hub with sample content and take every page of it."""
    with tempfile.TemporaryDirectory() as folder:
        hub = HubProcess(Path(folder) / "data")
        hub.start()
        try:
            token = fill(hub)
            with shooter.contexts(base_url=hub.url) as contexts:
                for look, context in contexts:
                    _pages(shooter, context, look, _ANYONE)
                    _sign_in(context, "newcomer")
                    _pages(shooter, context, look, {"namespace-empty": "/newcomer"})
                    context.clear_cookies()
                    _sign_in(context, "ana")
                    _pages(shooter, context, look, _MEMBER)
                    _states(shooter, context, look, hub, token)
        finally:
            hub.stop()


def _pages(shooter: Shooter, context: BrowserContext, look: Look, addresses: dict[str, str]) -> None:
    page = context.new_page()
    for name, address in addresses.items():
        page.goto(address)
        page.wait_for_load_state("networkidle")
        shooter.shoot(page, name, look, full=name not in _LONG)
    page.close()


def _sign_in(context: BrowserContext, name: str) -> None:
    page = context.new_page()
    page.goto("/-/sign-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/")
    page.close()


def _states(shooter: Shooter, context: BrowserContext, look: Look, hub: HubProcess, token: str) -> None:
    page = context.new_page()
    page.goto("/-/settings/tokens")
    page.fill("#name", "build server")
    page.click("text=Create token")
    page.wait_for_selector("#new-token")
    shooter.shoot(page, "token-created", look)
    page.goto("/-/settings/tokens")
    page.click("li:has-text('build server') >> summary:has-text('Revoke')")
    page.click("text=Revoke build server")
    page.goto("/acme/-/labels")
    page.check("input[value=move]")
    page.click("text=Preview")
    shooter.shoot(page, "labels-preview", look)
    grant = requests.post(f"{hub.url}/api/v1/device/code", json={"client_name": "JupyterLab on atlas"}, timeout=30).json()
    page.goto(f"/activate?code={grant['user_code']}")
    shooter.shoot(page, "activate", look)
    page.click("text=Refuse")
    page.goto("/")
    page.click("details.menu summary")
    shooter.shoot(page, "menu", look, full=False)
    page.close()
