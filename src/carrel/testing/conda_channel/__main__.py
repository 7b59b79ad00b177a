"""``python -m carrel.testing.conda_channel [REQUIREMENT …]``: build a channel and print what it holds (JSON).

Without ``--output`` the channel stays in the user's cache, ready for whoever asks for the same one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from carrel.testing.conda_channel import DEFAULT_REQUIREMENTS, build_channel


def main() -> None:
    """Build a channel as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m carrel.testing.conda_channel", description="Build a small channel of real packages.")
    parser.add_argument("requirements", nargs="*", metavar="requirement", default=list(DEFAULT_REQUIREMENTS))
    parser.add_argument("--output", type=Path, help="folder that gets a copy of its own")
    parser.add_argument("--python", type=Path, help="interpreter that becomes the python package (default: this one)")
    parser.add_argument("--archive", choices=["conda", "tar.bz2"], default="conda")
    options = parser.parse_args()
    folder = options.output.absolute() if options.output else None
    channel = build_channel(folder, options.requirements, options.python, options.archive)
    described = {"path": str(channel.path), "subdir": channel.subdir, "python_version": channel.python_version}
    sys.stdout.write(json.dumps({**described, "packages": channel.packages}, indent=1) + "\n")


if __name__ == "__main__":
    main()
