"""Pictures of the JupyterLab side: every state of the panel and of the sheets.

All states are real: a hub, JupyterLab, conda environments, jobs. To hold a job still while its picture is taken, the
process of the hub is stopped by a signal and goes on afterwards; "not reachable" is a hub that was ended.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING

import lab_content
import psutil
from lab_stage import NARROW, SLOW, USUAL, WIDE, Stage
from playwright.sync_api import expect

from carrel.client import CredentialStore, HubClient
from carrel.demo.session import Running, demonstration

if TYPE_CHECKING:
    from shooting import Shooter


def take(shooter: Shooter) -> None:
    """Start the demonstration and walk through it."""
    with TemporaryDirectory(prefix="carrel-pictures-") as name:
        folder = Path(name)
        # Commands of JupyterLab switch the theme, also while a modal sheet keeps menus from being clicked.
        settings = folder / "lab" / "profile" / "config" / "jupyter_lab_config.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
        with demonstration(lambda _: nullcontext(lambda _: None), folder=folder) as running:
            kept = CredentialStore(folder / "lab" / "profile" / "carrel").get(running.hub_url)
            assert kept is not None
            with HubClient(running.hub_url, kept.token) as client:
                lab_content.fill(client, running.lab.root_dir)
            stage = Stage(shooter, shooter.browser)
            try:
                for walk in WALKS:
                    _walk(walk, stage, running, shooter)
            finally:
                stage.close()


def _walk(walk: Callable[[Stage, Running], None], stage: Stage, running: Running, shooter: Shooter) -> None:
    try:
        walk(stage, running)
    except Exception as error:
        shooter.complaints.append(f"{walk.__name__}: {error}")
        stage.page.screenshot(path=Path(gettempdir()) / f"pictures{walk.__name__}.png")


@contextmanager
def _held(running: Running) -> Iterator[None]:
    """Let the hub stand still while the block runs."""
    os.kill(running.hub.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(running.hub.pid, signal.SIGCONT)


@contextmanager
def _children_held(running: Running) -> Iterator[None]:
    """Let every process that JupyterLab starts stand still while the block runs; those that run already go on."""
    server = psutil.Process(running.lab.process.pid)
    known = {child.pid for child in server.children(recursive=True)}
    held: dict[int, psutil.Process] = {}
    ended = threading.Event()

    def hold() -> None:
        while not ended.wait(0.02):
            for child in server.children(recursive=True):
                if child.pid not in known and child.pid not in held:
                    with suppress(psutil.Error):
                        child.suspend()
                        held[child.pid] = child

    watching = threading.Thread(target=hold)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
        for child in held.values():
            with suppress(psutil.Error):
                child.resume()


def _without_notebook(stage: Stage, running: Running) -> None:
    stage.open(running.lab.page_url())
    stage.show_panel()
    expect(stage.part("no-notebook")).to_be_visible()
    expect(stage.part("choose").first).to_be_visible()
    stage.take("launcher")
    stage.panel("no-notebook")
    stage.run("carrel:open")
    expect(stage.part("open-choice").first).to_be_visible()
    stage.sheet("open-sheet")
    stage.page.keyboard.press("Escape")


def _search_and_install(stage: Stage, running: Running) -> None:
    page = stage.page
    stage.open(running.lab_url)
    stage.wait_for_kernel()
    stage.show_panel()
    expect(stage.row("import", "acme_charts")).to_be_visible(timeout=SLOW)
    stage.take("missing-import")
    stage.panel("missing-import")
    stage.small("missing-import")
    for query, name in (("chart", "results"), ("ipykernle", "no-results")):
        stage.part("search-input").fill(query)
        expect(stage.part("result").or_(stage.part("no-results")).first).to_be_visible(timeout=SLOW)
        page.wait_for_timeout(1500)
        stage.panel(name)
    stage.part("search-input").fill("acme-charts")
    stage.row("result", "acme-charts").locator(".carrel-Row-open").click()
    expect(stage.page.locator(".carrel-Versions-row").first).to_be_visible()
    stage.take("details")
    stage.panel("details")
    install = stage.row("result", "acme-charts").get_by_test_id("carrel-install")
    with _held(running):
        install.click()
        expect(stage.part("transaction")).to_have_attribute("data-state", "planning")
        page.wait_for_timeout(1000)
        stage.panel("planning")
    expect(stage.part("ready").or_(stage.part("apply")).first).to_be_visible(timeout=SLOW)
    if stage.part("apply").is_visible():
        stage.panel("plan-first")
        stage.part("apply").click()
    expect(stage.part("ready")).to_be_visible(timeout=SLOW)
    stage.panel("ready", (USUAL,))
    stage.part("search-input").fill("")
    page.locator(".jp-NotebookPanel .jp-CodeCell").first.click()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jp-OutputArea-output img").first).to_be_visible(timeout=SLOW)
    stage.take("installed")
    stage.panel("installed", (NARROW, USUAL, WIDE))
    _plan(stage, running)


def _plan(stage: Stage, running: Running) -> None:
    page = stage.page
    stage.part("search-input").fill("acme-maps")
    stage.row("result", "acme-maps").get_by_test_id("carrel-install").click()
    expect(stage.part("apply")).to_be_visible(timeout=SLOW)
    stage.sheet("plan")
    stage.panel("plan", (NARROW, USUAL, WIDE))
    with _held(running):
        stage.part("apply").click()
        expect(stage.part("transaction")).to_have_attribute("data-state", "applying")
        page.wait_for_timeout(2000)
        stage.panel("applying")
        stage.take("applying")
    expect(stage.part("restart-bar")).to_be_visible(timeout=SLOW)
    stage.part("search-input").fill("")
    stage.take("restart")
    stage.panel("restart")
    stage.section("this-notebook", open_=False)
    stage.section("installed", open_=False)
    stage.section("activity", open_=True)
    stage.panel("activity")
    stage.section("channels", open_=True)
    stage.section("shared", open_=True)
    expect(stage.part("shared-row").first).to_be_visible()
    stage.section("activity", open_=False)
    stage.panel("shared-and-channels", (NARROW, USUAL, WIDE))
    stage.section("shared", open_=False)
    stage.section("channels", open_=False)
    stage.section("activity", open_=True)
    stage.part("undo").first.click()
    expect(stage.part("transaction")).to_be_hidden(timeout=SLOW)
    page.wait_for_timeout(1500)
    stage.panel("undone", (USUAL,))
    if stage.part("restart").is_visible():
        stage.part("restart").click()
        expect(stage.part("restart-bar")).to_be_hidden(timeout=SLOW)
    stage.run("carrel:restore-environment")
    expect(stage.part("history-sheet").get_by_test_id("carrel-plan-line").first).to_be_visible(timeout=SLOW)
    stage.sheet("earlier-states")
    stage.part("history-cancel").click()


def _ways_out(stage: Stage, running: Running) -> None:
    stage.open(running.lab_url)
    stage.wait_for_kernel()
    stage.show_panel()
    stage.section("this-notebook", open_=False)
    stage.part("search-input").fill("acme-atlas")
    row = stage.row("result", "acme-atlas")
    row.locator(".carrel-Row-open").click()
    row.locator(".carrel-Versions-row", has_text="2.0.0").get_by_role("button").click()
    expect(stage.part("way-out").first).to_be_visible(timeout=SLOW)
    row.locator(".carrel-Row-open").click()
    stage.sheet("ways-out")
    stage.panel("ways-out", (NARROW, USUAL, WIDE))
    stage.part("cancel").click()
    stage.part("search-input").fill("acme-globe")
    stage.row("result", "acme-globe").get_by_test_id("carrel-install").click()
    expect(stage.part("no-ways-out")).to_be_visible(timeout=SLOW)
    stage.sheet("no-ways-out")
    stage.panel("no-ways-out")
    stage.part("cancel").click()
    stage.part("search-input").fill("")


def _copy(stage: Stage, running: Running) -> None:
    page = stage.page
    stage.open(running.lab.page_url("exercise-3.ipynb"))
    stage.wait_for_kernel()
    stage.show_panel()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    expect(page.locator(".jp-OutputArea-output img").first).to_be_visible(timeout=SLOW)
    expect(stage.part("make-copy")).to_be_visible(timeout=SLOW)
    stage.sheet("read-only")
    stage.panel("read-only")
    stage.part("make-copy").click()
    expect(stage.part("copy-name")).to_be_focused()
    stage.sheet("copy")
    stage.panel("copy")
    stage.part("copy-name").fill("my course")
    stage.panel("copy-invalid", (USUAL,))
    stage.part("copy-name").fill("my-course")
    with _children_held(running):
        stage.part("copy-make").click()
        expect(stage.part("copy-cancel")).to_be_visible()
        page.wait_for_timeout(4000)
        stage.sheet("copying")
        stage.panel("copying")
    expect(stage.part("copy-use")).to_be_visible(timeout=SLOW)
    stage.sheet("copy-made")
    stage.panel("copy-made")
    stage.part("copy-use").click()
    expect(stage.part("copy-sheet")).to_be_hidden(timeout=SLOW)
    stage.wait_for_kernel()
    expect(stage.part("installed-row").first).to_be_visible(timeout=SLOW)
    stage.sheet("copied")


def _imports(stage: Stage, running: Running) -> None:
    stage.open(running.lab.page_url("imports.ipynb"))
    stage.wait_for_kernel()
    stage.show_panel()
    expect(stage.row("import", "acme_maps")).to_be_visible(timeout=SLOW)
    stage.panel("imports")


def _publish(stage: Stage, running: Running) -> None:
    page = stage.page
    stage.open(running.lab.page_url("tide-tables.ipynb"))
    stage.wait_for_kernel()
    stage.part("publish").locator("button, jp-button").first.click()
    expect(stage.part("finding").first).to_be_visible(timeout=SLOW)
    stage.sheet("publish-secret")
    stage.part("publish-visibility").select_option("public")
    stage.part("finding").first.locator("select").select_option("not_secret")
    stage.take("publish-secret-public")
    stage.part("publish-cancel").click()
    stage.open(running.lab_url)
    stage.wait_for_kernel()
    stage.show_panel()
    page.locator(".jp-NotebookPanel .jp-CodeCell").first.click()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jp-OutputArea-output img").first).to_be_visible(timeout=SLOW)
    page.keyboard.press("Control+s")
    stage.part("publish").locator("button, jp-button").first.click()
    expect(stage.part("publish-submit")).to_be_enabled(timeout=SLOW)
    stage.part("publish-namespace").select_option("acme")
    stage.part("publish-visibility").select_option("organization")
    stage.part("publish-message").fill("The first one")
    stage.sheet("publish")
    with _held(running):
        stage.part("publish-submit").click()
        page.wait_for_timeout(1500)
        stage.take("publishing")
    expect(stage.part("publish-sheet")).to_be_hidden(timeout=SLOW)
    expect(page.locator(".Toastify__toast").first).to_be_visible()
    expect(stage.part("publish").first).to_contain_text("Update v1")
    stage.take("published")


def _reproduce(stage: Stage, running: Running) -> None:
    page = stage.page
    stage.open(running.lab.page_url() + "&hub=acme/ferry-times")
    expect(stage.part("trust")).to_be_visible(timeout=SLOW)
    stage.sheet("review-new-channel")
    page.keyboard.press("Escape")
    stage.open(running.lab.page_url() + "&hub=acme/harbour-temperatures")
    expect(stage.part("reproduce-submit")).to_be_enabled(timeout=SLOW)
    page.wait_for_timeout(500)
    stage.sheet("review")
    with _held(running):
        stage.part("reproduce-submit").click()
        page.wait_for_timeout(1500)
        stage.take("rebuilding")
    expect(stage.part("review-sheet")).to_be_hidden(timeout=SLOW)
    stage.wait_for_kernel()
    stage.show_panel()
    expect(stage.part("installed-row").first).to_be_visible(timeout=SLOW)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_timeout(3000)
    stage.take("reproduced")


def _other_platform(stage: Stage, running: Running) -> None:
    page = stage.page
    stage.open(running.lab.page_url() + "&hub=acme/lighthouse-log")
    expect(stage.part("solve")).to_be_enabled(timeout=SLOW)
    page.wait_for_timeout(500)
    stage.sheet("review-other-platform")
    with _held(running):
        stage.part("solve").click()
        page.wait_for_timeout(1500)
        stage.sheet("solving")
    expect(stage.part("solved")).to_be_visible(timeout=SLOW)
    stage.sheet("solved")
    stage.part("reproduce-submit").click()
    expect(stage.part("review-sheet")).to_be_hidden(timeout=SLOW)
    stage.wait_for_kernel()
    stage.show_panel()
    expect(stage.part("installed-row").first).to_be_visible(timeout=SLOW)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_timeout(3000)
    stage.take("rebuilt-here")


def _signed_out(stage: Stage, running: Running) -> None:
    stage.open(running.lab_url)
    stage.wait_for_kernel()
    stage.show_panel()
    for name in ("this-notebook", "installed"):
        stage.section(name, open_=False)
    stage.section("channels", open_=True)
    stage.part("sign-out").click()
    expect(stage.part("sign-in")).to_be_visible()
    stage.panel("signed-out")
    stage.part("sign-in").click()
    expect(stage.part("user-code")).to_have_text(re.compile(r"\w{4}-\w{4}"))
    stage.panel("sign-in")
    stage.take("sign-in")
    stage.part("sign-in-flow").get_by_role("button", name="Cancel").click()


def _unreachable(stage: Stage, running: Running) -> None:
    running.hub.stop()
    stage.open(running.lab_url)
    stage.wait_for_kernel()
    stage.show_panel()
    expect(stage.part("notice").first).to_be_visible(timeout=SLOW)
    stage.panel("unreachable")
    stage.part("search-input").fill("yaml")
    stage.page.wait_for_timeout(6000)
    stage.panel("unreachable-search")
    stage.part("search-input").fill("")
    for name in ("this-notebook", "installed"):
        if stage.part(name).count():
            stage.section(name, open_=False)
    for name in ("shared", "channels"):
        stage.section(name, open_=True)
    stage.page.wait_for_timeout(2000)
    stage.panel("unreachable-sections")
    stage.part("publish").locator("button, jp-button").first.click()
    stage.page.wait_for_timeout(2500)
    stage.take("unreachable-publish")


WALKS = (
    _without_notebook,
    _search_and_install,
    _ways_out,
    _imports,
    _copy,
    _publish,
    _reproduce,
    _other_platform,
    _signed_out,
    _unreachable,
)
