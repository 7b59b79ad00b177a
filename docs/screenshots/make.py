"""Take the pictures of the documentation, from the real thing with sample content.

    python docs/screenshots/make.py                  all of them, into docs/screenshots/<part>/
    python docs/screenshots/make.py hub              one part
    python docs/screenshots/make.py hub home search  single pictures

Each part is a module here with a function ``take(shooter)``; add its name to PARTS. The chosen few that the
documentation shows are committed, the rest is for looking at.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from carrel.testing.browser import find_chromium, run_browser

HERE = Path(__file__).parent
PARTS = {"hub": "hub_pages", "lab": "lab_panel"}


def main(arguments: list[str]) -> int:
    """Take the pictures and return 1 if one of them shows a fault."""
    from shooting import Shooter

    chosen = arguments[0] if arguments else None
    if chosen is not None and chosen not in PARTS:
        print(f"There is no part {chosen!r}. Parts: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    executable = find_chromium()
    if executable is None:
        print("No Chromium was found. Install it or name it in the variable CHROMIUM.", file=sys.stderr)
        return 2
    complaints: list[str] = []
    with run_browser(executable) as browser:
        for part, module in PARTS.items():
            if chosen in (None, part):
                shooter = Shooter(browser, HERE / part, set(arguments[1:]))
                importlib.import_module(module).take(shooter)
                complaints += shooter.complaints
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
