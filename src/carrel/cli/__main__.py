"""``python -m carrel.cli``."""

from __future__ import annotations

import sys

from carrel.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
