"""Pages on which people change things, in a real browser: without scripts, with errors beside their fields, undone again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import requests
from page_checks import axe_source, serious_faults, sign_in, too_wide

from carrel.client import HubClient
from carrel.testing.artifacts import build_conda, build_r_package, build_sdist, build_wheel
from carrel.testing.hub import HubProcess

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_PAGES = {
    "package with labels": "/lab/tool?label=dev",
    "wheel": "/lab/lib",
    "R package": "/lab/rtool",
    "contents": "/lab/tool/1.0?view=contents&file=tool-1.0-0.conda&subdir=noarch",
    "collections": "/lab/-/collections",
    "collection": "/lab/-/collections/kit",
    "collection, editing": "/lab/-/collections/kit?edit=1",
    "labels": "/lab/-/labels",
    "members": "/lab/-/members",
    "audit": "/lab/-/audit",
    "settings": "/lab/-/settings",
    "package settings": "/lab/tool/-/settings",
    "new organization": "/-/organizations/new",
    "tokens": "/-/settings/tokens",
}


@pytest.fixture(scope="module")
def filled(hub: HubProcess) -> HubProcess:
    token = hub.create_user("ana")
    for name in ("ben", "cleo"):
        hub.create_user(name)
    hub.create_organization("lab", token, {"ben": "member"})
    client = HubClient(hub.url, token)
    for version, label in (("1.0", "main"), ("1.1", "dev"), ("1.2", "dev")):
        package = build_conda(
            "tool",
            version,
            noarch="python",
            depends=["python"],
            constrains=["other <2"],
            run_exports=["tool >=1"],
            files={"share/tool/data.txt": "x"},
        )
        client.upload_file("lab", package.data, package.filename, labels=[label], visibility="public")
    for artifact in (build_wheel("lib", requires=["numpy", "plots; extra == 'draw'"]), build_sdist("lib"), build_r_package("rtool")):
        client.upload_file("lab", artifact.data, artifact.filename, visibility="public")
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    collections = f"{hub.url}/api/v1/namespaces/lab/collections"
    session.post(collections, json={"name": "kit", "title": "Kit", "visibility": "public"}, timeout=30).raise_for_status()
    for item in ("tool", "lib"):
        session.put(f"{collections}/kit/items/lab/{item}", json={"note": "Why"}, timeout=30).raise_for_status()
    return hub


@pytest.fixture(scope="module")
def page(browser: Browser, filled: HubProcess) -> Iterator[Page]:
    """A page of ana's, without scripts."""
    context = browser.new_context(base_url=filled.url, java_script_enabled=False)
    context.set_default_timeout(10_000)
    page = context.new_page()
    _enter(page, "ana")
    yield page
    context.close()


def _enter(page: Page, name: str) -> None:
    from carrel.testing.hub import PASSWORD

    page.goto("/-/sign-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("main button")


def test_no_serious_fault_on_pages_with_forms(browser: Browser, filled: HubProcess) -> None:
    axe = axe_source()
    faults: dict[str, list[str]] = {}
    # What differs in width and colour is in the style sheet, which a few of them use all of.
    for width, scheme, pages in ((400, "light", _PAGES), (1280, "dark", {name: _PAGES[name] for name in ("labels", "members", "tokens")})):
        context = browser.new_context(base_url=filled.url, viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        sign_in(context, filled)
        page = context.new_page()
        for name, address in pages.items():
            page.goto(address)
            # Whatever is folded away is looked at, too.
            page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
            found = serious_faults(page, axe)
            if too_wide(page) > 0:
                found.append(f"{too_wide(page)} px too wide")
            if found:
                faults[f"{name} {width}"] = found
        context.close()
    assert faults == {}


def test_pages_tell_of_each_kind(page: Page) -> None:
    page.goto("/lab/tool")
    for text in ("Constrains", "other <2", "Exports, weak", "tool >=1", "mamba install", "anaconda download lab/tool"):
        assert page.locator(f"main :text('{text}')").count() >= 1, text
    page.click("nav[aria-label=Labels] >> text=dev")
    assert "/conda/lab/label/dev tool" in str(page.locator("#install-1").text_content())
    assert page.locator("h1").inner_text().split() == ["tool", "version", "1.2"]
    assert page.locator("ul.list .name a").all_text_contents() == ["tool-1.2-0.conda"]
    page.goto("/lab/tool/1.0?view=contents&file=tool-1.0-0.conda&subdir=noarch")
    assert page.locator("tbody th").all_text_contents() == ["share/tool/data.txt"]
    page.goto("/lab/lib")
    for text in ("py3-none-any", "With the extra “draw”", "plots"):
        assert page.locator(f"main :text('{text}')").count() >= 1, text
    assert page.locator("ul.list li:has-text('lib-1.0.tar.gz') .badge:has-text('source')").count() == 1
    page.goto("/lab/rtool")
    assert "Maintainer" in str(page.locator("#details >> xpath=../..").text_content())
    assert 'install.packages("rtool"' in str(page.locator("#install-1").text_content())


def test_labels_are_tried_changed_and_undone(page: Page) -> None:
    page.goto("/lab/-/labels")
    page.select_option("#source", "dev")
    page.fill("#packages", "tol")
    page.click("text=Preview")
    assert "No file of a package 'tol'" in str(page.locator("#packages-error").text_content())
    page.fill("#packages", "too*")
    page.check("input[value=move]")
    page.click("text=Preview")
    assert page.locator("#tried").text_content() == "This would change 2 files"
    assert page.locator("section.preview tbody tr").count() == 2
    page.click("button:has-text('Move 2 files')")
    assert "2 files changed" in str(page.locator("[role=status].notice").text_content())
    assert page.locator("li:has(h3 a:text-is('main')) .meta").first.text_content().split()[:1] == ["6"]
    page.click("li:has-text('Move dev to main') >> text=Undo")
    assert "taken back" in str(page.locator("[role=status].notice").text_content())
    assert "3 files" not in str(page.locator("li:has(h3 a:text-is('dev'))").text_content())
    page.fill("#label", "no good")
    page.click("text=Create label")
    assert "cannot be a label" in str(page.locator("#label-error").text_content())
    assert page.locator("#label").input_value() == "no good"
    page.fill("#label", "old/stable")
    page.click("text=Create label")
    page.click("li:has-text('old/stable') >> button:has-text('Lock')")
    assert page.locator("li:has-text('old/stable') .badge:has-text('Locked')").count() == 1
    page.click("li:has-text('old/stable') >> button:has-text('Unlock')")
    page.click("li:has(h3:has-text('old/stable')) >> summary:text-is('Remove')")
    page.click("button:has-text('Remove old/stable')")
    assert page.locator("h3:has-text('old/stable')").count() == 0


def test_members_and_groups(page: Page) -> None:
    page.goto("/lab/-/members")
    page.fill("#user", "nobody")
    page.select_option("#role", "owner")
    page.click("text=Add member")
    assert "no user named" in str(page.locator("#user-error").text_content())
    assert (page.locator("#user").input_value(), page.locator("#role").input_value()) == ("nobody", "owner")
    page.fill("#user", "cleo")
    page.select_option("#role", "member")
    page.click("text=Add member")
    assert page.locator("li h3:has-text('cleo')").count() == 1
    page.click("li:has(h3:has-text('ana')) >> summary:has-text('Leave')")
    page.click("text=Leave lab")
    assert "needs an owner" in str(page.locator("[role=alert]").first.text_content())
    page.fill("#group", "writers")
    page.select_option("#permission", "write")
    page.click("text=Create group")
    group = page.locator("#group-writers")
    group.locator("summary", has_text="Change").click()
    group.locator("input[name=user]").first.fill("cleo")
    group.get_by_role("button", name="Add the user").click()
    group.locator("summary", has_text="Change").click()
    group.locator("input[name=package]:visible").fill("absent")
    group.get_by_role("button", name="Add the package").click()
    assert "no package 'absent'" in str(group.locator("p.error").text_content())
    group.locator("input[name=package]:visible").fill("tool")
    group.get_by_role("button", name="Add the package").click()
    assert [text.strip(" ×\n") for text in group.locator(".chip").all_text_contents()] == ["cleo", "tool"]
    group.get_by_role("button", name="Take cleo out of writers").click()
    assert group.locator(".chip").count() == 1
    page.goto("/lab/-/audit")
    assert page.locator("li .name").first.text_content() == "group.member.remove"


def test_collections(page: Page) -> None:
    page.goto("/lab/-/collections")
    page.fill("#title", "First steps")
    page.check("input[value=public]")
    page.click("text=Create collection")
    assert "/lab/-/collections/first-steps?edit=1" in page.url
    for item in ("nothing", "lab/absent"):
        page.fill("#item", item)
        page.click("button:has-text('Put in')")
        assert page.locator("#item-error").count() == 1
        assert page.locator("#item").input_value() == item
    for item in ("lab/tool", page.url.split("/-/")[0] + "/lib"):
        page.fill("#item", item)
        page.click("button:has-text('Put in')")
    items = page.locator("ul.list h3 a")
    assert [text.split()[-1] for text in items.all_text_contents()] == ["tool", "lib"]
    page.get_by_role("button", name="Up lib").click()
    assert [text.split()[-1] for text in items.all_text_contents()] == ["lib", "tool"]
    page.get_by_role("button", name="Take out tool").click()
    assert items.count() == 1
    page.click("text=Done")
    assert "/conda/lab/collection" not in page.content()  # only what it holds
    assert "/pypi/lab/collection/first-steps/simple/" in str(page.locator("#use-1").text_content())
    page.goto("/lab/-/collections/first-steps?edit=1")
    page.click("text=Remove the collection")
    page.click("button:has-text('Remove first-steps')")
    assert page.locator("a:has-text('First steps')").count() == 0


def test_settings_of_packages_and_namespaces(page: Page) -> None:
    page.goto("/lab/tool")
    page.click("aside >> text=Settings")
    page.fill("#home_page", "javascript:alert(1)")
    page.fill("#summary", "Kept while it is wrong")
    page.click("text=Save")
    assert "begins with https://" in str(page.locator("#home_page-error").text_content())
    assert page.locator("#summary").input_value() == "Kept while it is wrong"
    page.fill("#home_page", "https://tool.example.org")
    page.select_option("#status", "deprecated")
    page.fill("#status_reason", "Use lib.")
    page.click("text=Save")
    page.fill("#user", "cleo")
    page.select_option("#permission", "write")
    page.click("text=Add collaborator")
    assert page.locator("li:has-text('cleo') .badge").text_content() == "Write"
    page.click("li:has(h3:has-text('1.1')) >> summary:has-text('Yank')")
    page.fill("#reason-2", "Wrong")
    page.click("button:has-text('Yank 1.1')")
    page.goto("/lab/tool/1.1")
    assert "Reason: Wrong" in str(page.locator("main").text_content())
    assert page.locator("p.notice:has-text('deprecated')").count() == 1
    page.goto("/search?q=tool")
    assert page.locator("li:has(h3 a[href='/lab/tool']) .badge").text_content() == "Deprecated"
    page.goto("/lab/tool/-/settings")
    page.click("li:has(h3:has-text('1.1')) >> text=Offer again")
    page.click("summary:has-text('Remove tool')")
    page.fill("#confirm", "tol")
    page.click("text=with all its versions")
    assert "Write tool to confirm" in str(page.locator("#confirm-error").text_content())
    page.goto("/lab/-/settings")
    page.fill("#display_name", "The Laboratory")
    page.click("text=Save >> nth=0")
    assert page.locator(".namespace-name").inner_text() == "The Laboratory"
    page.click("text=Write a notice")
    page.fill("#message", "Closed on Monday")
    page.click("button:has-text('Publish')")
    assert page.locator("li:has-text('Closed on Monday') .badge").text_content() == "Published"
    page.click("summary:has-text('Instructions')")
    page.fill("#instructions", "{not json")
    page.click("main form:has(#instructions) button")
    assert "not JSON" in str(page.locator("#instructions-error").text_content())
    assert page.locator("#instructions").input_value() == "{not json"


def test_tokens_are_narrowed_and_replaced(page: Page, filled: HubProcess) -> None:
    page.goto("/-/settings/tokens?namespace=lab&package=tool")
    page.fill("#name", "one package")
    page.fill("#labels", "not a label!")
    page.click("text=Create token")
    assert "cannot be a label" in str(page.locator("main").text_content())
    assert page.locator("#packages").input_value() == "tool"
    page.fill("#labels", "")
    page.click("text=Create token")
    secret = str(page.locator("#new-token").text_content())

    def status(token: str, path: str) -> int:
        return requests.get(f"{filled.url}/api/v1/packages/{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code

    assert (status(secret, "lab/tool"), status(secret, "lab/lib")) == (200, 404)
    page.click("li:has-text('one package') >> summary:has-text('Replace')")
    page.select_option("li:has-text('one package') select", "0")
    page.click("button:has-text('Replace one package')")
    newer = str(page.locator("#new-token").text_content())
    assert newer != secret
    assert (status(secret, "lab/tool"), status(newer, "lab/tool"), status(newer, "lab/lib")) == (401, 200, 404)


def test_new_organization_and_what_others_see(page: Page, browser: Browser, filled: HubProcess) -> None:
    page.goto("/-/organizations/new")
    page.fill("#name", "lab")
    page.fill("#description", "Kept")
    page.click("main button")
    assert "taken" in str(page.locator("#name-error").text_content())
    assert page.locator("#description").input_value() == "Kept"
    page.fill("#name", "institute")
    page.click("main button")
    assert page.url == f"{filled.url}/institute/-/members"
    tabs = "nav.tabs a"
    assert page.locator(tabs).all_text_contents() == ["Overview", "Collections", "Labels", "Members", "Activity", "Settings"]
    context = browser.new_context(base_url=filled.url, java_script_enabled=False)
    other = context.new_page()
    for name, expected in (("", []), ("ben", ["Overview", "Collections", "Labels", "Members"])):
        if name:
            _enter(other, name)
        other.goto("/lab")
        assert other.locator(tabs).all_text_contents() == expected
        for address in ("/lab/-/audit", "/lab/-/settings", "/institute/-/members"):
            answer = other.goto(address)
            assert answer is not None
            assert answer.status in ((200,) if not name else (403,)), address
            assert ("/-/sign-in" in other.url) == (not name)
    assert other.goto("/lab/-/nothing").status == 404  # type: ignore[union-attr]
    context.close()


def test_forms_of_other_sites_are_refused(filled: HubProcess) -> None:
    for address in ("/lab/-/labels", "/lab/-/members", "/lab/-/settings", "/lab/tool/-/settings", "/lab/-/collections/kit"):
        answer = requests.post(filled.url + address, data={"form": "delete"}, headers={"Accept": "text/html"}, timeout=30)
        assert answer.status_code in (401, 403), address
