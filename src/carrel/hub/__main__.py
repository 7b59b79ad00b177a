"""``python -m carrel.hub <command>``."""

from __future__ import annotations

import sys

from carrel.hub.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
