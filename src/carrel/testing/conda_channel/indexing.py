"""Repodata of a channel folder: plain, compressed and sharded (CEP 16)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def index(channel: Path, *, force: bool = False) -> None:
    """Write or refresh the repodata of the folder *channel*.

    The work is done in a child process, because py-rattler's threads can bring a short-lived interpreter down at its end.

    Parameters
    ----------
    force : bool
        Read every package again rather than only the new ones.

    Raises
    ------
    RuntimeError
        With the words of the indexer.
    """
    (channel / "noarch").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", __name__, str(channel), *(["--force"] if force else [])]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise RuntimeError(f"The channel could not be indexed:\n{process.stderr.strip()}")


def _main(channel: str, *flags: str) -> None:
    import asyncio

    from rattler.index import index_fs

    asyncio.run(index_fs(channel, write_zst=True, write_shards=True, force="--force" in flags))


if __name__ == "__main__":
    _main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # leaves before the library's threads are torn down
