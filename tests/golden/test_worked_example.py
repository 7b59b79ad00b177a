"""The worked example of ``docs/explanation/environments.md``: its commands are run, and print what the page says.

``python tests/golden/test_worked_example.py`` writes the page anew; read the difference before it is committed.
"""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from carrel.environments.locations import current_platform
from carrel.testing.artifacts import build_conda
from carrel.testing.conda_channel import index, serve

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "environments.md"
CHANNEL, HOME, MOMENT = "https://hub.example/conda/lab", "/home/ada", "2026-11-22 10:00"
_BLOCK = re.compile(r"(?<=```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| UTC)?"), MOMENT),
    (re.compile(r"\b\d+(?:\.\d+)? s\b"), "0.4 s"),
    # other versions of the compressor make other archives
    (re.compile(r"\b\d+ B\b"), "990 B"),
    (re.compile(r"\b\d+(?:\.\d+)? kB\b"), "3.9 kB"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "30b36ffa5f0ce81aa2a4a7156853f0a9070bccbb5c7aa996a2b8cfbbeecad75b"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "34af41ef824a2cd8e11a9e074ba2a275"),
    (re.compile(r"(?<=/envs/)[0-9a-f]{16}\b"), "6920f2078371ddf4"),
)


def make_channel(folder: Path) -> None:
    """Write a channel of four small packages: ``chart`` 2 wants a newer ``palette``, which ``report`` does not take."""
    (folder / "noarch").mkdir(parents=True)
    for name, version, depends in (
        ("palette", "1.4", ()),
        ("palette", "2.0", ()),
        ("chart", "1.0", ("palette",)),
        ("chart", "2.0", ("palette >=2",)),
        ("report", "0.9", ("palette <2",)),
        ("table", "3.1", ()),
    ):
        files = {f"share/{name}/version.txt": f"{version}\n"}
        artifact = build_conda(name, version, depends=depends, noarch="generic", files=files)
        (folder / "noarch" / artifact.filename).write_bytes(artifact.data)
    index(folder)


class Shell:
    """Runs commands as Ada would, and says what she sees."""

    def __init__(self, folder: Path, channel: str) -> None:
        self.home, self.channel = folder / "ada", channel
        self.home.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        (programs / "carrel").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m carrel.cli "$@"\n')
        (programs / "carrel").chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CARREL_", "CONDA_", "VIRTUAL_ENV", "COLUMNS"))}
        self.environ = {
            **kept,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "CARREL_CHANNELS": channel,
            "CARREL_CONFIG_DIR": str(self.home / ".config" / "carrel"),
            "CARREL_DATA_DIR": str(self.home / ".local" / "share" / "carrel"),
            "CARREL_CACHE_DIR": str(self.home / ".cache" / "carrel"),
            "JUPYTER_DATA_DIR": str(self.home / ".local" / "share" / "jupyter"),
        }

    def run(self, command: str) -> str:
        """Return what *command* prints, with the names of this run's folders and servers replaced."""
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.home, env=self.environ, capture_output=True, text=True, timeout=120, check=False
        )
        text = done.stdout + done.stderr
        for found, shown in ((self.channel, CHANNEL), (str(self.home), HOME), (getpass.getuser(), "ada")):
            text = text.replace(found, shown)
        for pattern, shown in _VARYING:
            text = pattern.sub(shown, text)
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def commands_of(block: str) -> Iterator[str]:
    """Yield the commands of a console block."""
    for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = entry.splitlines()
        end = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
        yield "\n".join(lines[: end + 1])


def played(page: str, folder: Path) -> str:
    """Return *page* with the outputs of its commands as they are now."""
    make_channel(folder / "channel")
    with serve(folder / "channel") as server:
        shell = Shell(folder, server.url)
        return _BLOCK.sub(lambda block: "".join(f"$ {command}\n{shell.run(command)}" for command in commands_of(block[0])), page)


@pytest.mark.skipif(current_platform() != "linux-64", reason="the page shows a run on linux-64")
def test_the_worked_example(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    assert played(page, tmp_path) == page


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(played(PAGE.read_text("utf-8"), Path(name)), "utf-8")
