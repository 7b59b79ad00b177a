"""An unmodified conda client, in a process of its own: the library can crash an interpreter that ends at once."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_END = """
try:
    answer = asyncio.run(main(**json.load(sys.stdin)))
    print(json.dumps(answer))
    status = 0
except Exception as error:
    print(type(error).__name__, error, file=sys.stderr)
    status = 1
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)
"""


class Refused(Exception):
    """The client found no solution or could not fetch."""


def run(script: str, **arguments: Any) -> Any:
    """Return what ``async def main`` of *script* returns for *arguments*; both are JSON."""
    program = f"import asyncio, json, os, sys\n{script}{_END}"
    done = subprocess.run([sys.executable, "-c", program], input=json.dumps(arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return json.loads(done.stdout)
