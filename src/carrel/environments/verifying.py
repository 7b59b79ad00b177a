"""Does the environment still work? Asked of its own Python, in a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from carrel.core.errors import Unavailable
from carrel.core.progress import CancelSignal
from carrel.environments import distributions, inspection, processes

_TIMEOUT = 120.0
_CODE = "import sys\nfor name in sys.argv[1:]:\n    __import__(name)\nprint('.'.join(map(str, sys.version_info[:3])))\n"


def modules_of(prefix: Path) -> list[str]:
    """Return the modules of *prefix* that must still be importable when it was changed or copied."""
    return ["ipykernel"] if any((folder / "ipykernel").is_dir() for folder in distributions.site_packages(prefix)) else []


def verify(prefix: Path, modules: list[str], *, cancel: CancelSignal) -> str:
    """Start the interpreter of *prefix*, import *modules* and return its version; nothing to do without Python.

    Raises
    ------
    Unavailable
        It does not start, or a module cannot be imported (code ``verification_failed``).
    """
    python = inspection.python_executable(prefix)
    if python is None:
        return ""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    try:
        # -I: neither the working directory nor the user's own site-packages may answer for the environment
        finished = processes.run([python, "-I", "-c", _CODE, *modules], cancel=cancel, environment=environment, timeout=_TIMEOUT)
    except (OSError, subprocess.SubprocessError, TimeoutError) as error:
        raise Unavailable(f"The interpreter of {prefix.name} does not start: {error}", code="verification_failed") from error
    if finished.returncode != 0:
        last = finished.stderr.strip().splitlines()[-1:] or [f"exit code {finished.returncode}"]
        raise Unavailable(f"{prefix.name} does not work: {last[0]}", code="verification_failed", log=finished.stderr[-4000:])
    return finished.stdout.strip()
