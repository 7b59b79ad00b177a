"""``python -m carrel.hub <command>``."""

from __future__ import annotations

import gc
import sys

# What is imported stays: looking it over again and again while it comes takes a tenth of the start.
gc.disable()

from carrel.hub.commands import main  # noqa: E402

gc.enable()

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
