"""The command as a child process, or in this process where its start would cost more than the test; with a home of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from carrel.cli.invocation import Command
from carrel.cli.main import cli, main


@dataclass(frozen=True)
class Answer:
    """What a call of the command left."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}\n{self.err}"


def find_command(words: list[str]) -> Command:
    """Return the click command that *words* call."""
    found: click.Command = cli
    for word in words:
        if isinstance(found, click.Group):
            context = click.Context(found)
            found = found.get_command(context, word) or found
    assert isinstance(found, Command)
    return found


@dataclass
class Carrel:
    """Calls ``carrel`` as a person with the home *home* would."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environ(self) -> dict[str, str]:
        base = {name: value for name, value in os.environ.items() if not name.startswith(("CARREL_", "VIRTUAL_ENV", "CONDA_"))}
        own = {
            "CARREL_CONFIG_DIR": self.home / "config",
            "CARREL_DATA_DIR": self.home / "data",
            "CARREL_CACHE_DIR": self.home / "cache",
            "UV_CACHE_DIR": self.home / "uv-cache",
            "JUPYTER_DATA_DIR": self.home / "jupyter",
        }
        return {**base, **{name: str(path) for name, path in own.items()}, **self.variables}

    def command(self, *words: object) -> list[str]:
        return [sys.executable, "-m", "carrel.cli", *map(str, words)]

    def __call__(self, *words: object, stdin: str = "", cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Answer:
        done = subprocess.run(
            self.command(*words),
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd or self.home,
            env={**self.environ(), **(env or {})},
            timeout=120,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: object, **options: Any) -> Answer:
        """Call and expect success."""
        answer = self(*words, **options)
        assert answer.code == 0, answer
        return answer

    def json(self, *words: object, **options: Any) -> Any:
        """Call with ``--json``, expect success and exactly the documented members."""
        document = json.loads(self.ok(*words, "--json", **options).out)
        documented = find_command([str(word) for word in words]).json_answer
        assert set(document) == set(documented), f"answered {sorted(document)}, documented {sorted(documented)}"
        return document


class QuickCarrel(Carrel):
    """The same without a child process: standard streams, variables and the present folder are those of a terminal-less shell."""

    def __call__(self, *words: object, stdin: str = "", cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        before, folder, entered = dict(os.environ), Path.cwd(), sys.stdin
        os.environ.clear()
        os.environ.update({**self.environ(), **(env or {})})
        os.chdir(cwd or self.home)
        sys.stdin = io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main([str(word) for word in words])
        finally:
            sys.stdin = entered
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)
        return Answer(int(code), out.getvalue(), err.getvalue())
