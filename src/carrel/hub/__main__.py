"""``python -m carrel.hub <command>``."""

from __future__ import annotations

import gc
import sys

# What is imported stays. Looking it over again and again while it comes takes a tenth of the start, and later every full
# collection would go over it.
gc.disable()

from carrel.hub.commands import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
