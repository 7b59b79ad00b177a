"""Taking pictures: one browser, every size and colour scheme."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

WIDTHS = (1280, 400)
SCHEMES = ("light", "dark")
MOST_BYTES = 100_000  # of a picture that is committed


@dataclass(frozen=True)
class Look:
    """A width (CSS pixels) and a colour scheme."""

    width: int
    scheme: str

    @property
    def suffix(self) -> str:
        """End of the file names, such as ``-400-dark``."""
        return f"-{self.width}-{self.scheme}"


class Shooter:
    """Puts pictures into a folder and complains about what no picture should show.

    Parameters
    ----------
    browser : Browser
    folder : Path
    only : set of str
        Names of pictures to take; empty for all.
    """

    def __init__(self, browser: Browser, folder: Path, only: set[str]) -> None:
        self._browser = browser
        self._folder = folder
        self._only = only
        self.complaints: list[str] = []

    @contextmanager
    def contexts(self, **options: object) -> Iterator[Iterator[tuple[Look, BrowserContext]]]:
        """Give a browser context for each look; *options* go to Playwright's ``new_context``."""
        opened: list[BrowserContext] = []

        def each() -> Iterator[tuple[Look, BrowserContext]]:
            for width in WIDTHS:
                for scheme in SCHEMES:
                    context = self._browser.new_context(
                        viewport={"width": width, "height": 800 if width > 600 else 780},
                        color_scheme=scheme,
                        reduced_motion="reduce",
                        **options,
                    )
                    opened.append(context)
                    yield Look(width, scheme), context

        try:
            yield each()
        finally:
            for context in opened:
                context.close()

    @property
    def browser(self) -> Browser:
        """The browser, for parts that make contexts of their own."""
        return self._browser

    def wants(self, name: str) -> bool:
        """Whether the picture *name* was asked for."""
        return not self._only or name in self._only

    def shoot(self, page: Page, name: str, look: Look, *, full: bool = True, part: Locator | None = None) -> None:
        """Take the picture *name* of *page* as it is now, or of one *part* of it."""
        if not self.wants(name):
            return
        too_wide = full and page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if too_wide > 0:
            self.complaints.append(f"{name}{look.suffix}: the page is {too_wide} px too wide")
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}{look.suffix}.png"
        if part is not None:
            part.screenshot(path=path, animations="disabled", caret="hide")
        else:
            page.screenshot(path=path, full_page=full, animations="disabled", caret="hide")
        _shrink(path)
        if path.stat().st_size > MOST_BYTES:
            self.complaints.append(f"{path.name}: {path.stat().st_size} bytes")


def _shrink(path: Path) -> None:
    """Reduce a large picture to a palette when Pillow is there. Small ones keep their colours: a palette loses those of icons."""
    if path.stat().st_size < MOST_BYTES * 0.9:
        return
    try:
        from PIL import Image
    except ImportError:
        return
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
