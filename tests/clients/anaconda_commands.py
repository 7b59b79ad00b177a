"""The real anaconda-client, one person's: a home folder of its own, commands and what they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_SERVER = Path(__file__).with_name("anaconda_fork_server.py")


class Anaconda:
    """Commands of one person.

    Parameters
    ----------
    home : Path
        Made; settings and tokens of the client go there, commands run in its folder ``work``.
    python : str or Path
        An interpreter that has anaconda-client.
    """

    def __init__(self, home: Path, python: str | Path = sys.executable) -> None:
        self.work = home / "work"
        self.work.mkdir(parents=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "BINSTAR_CONFIG_DIR": str(home / "binstar"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "NO_PROXY": "*",
            "PYTHONWARNINGS": "ignore",
            # Passwords are asked for on the terminal in place of a browser, which does not exist here.
            "ANACONDA_CLIENT_LEGACY_INTERACTIVE_LOGIN": "1",
        }
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._server = subprocess.Popen([str(python), str(_SERVER)], text=True, env=environment, **pipes)  # type: ignore[call-overload]

    def run(self, *argv: str | Path, program: str = "binstar", given: str = "", token: str = "") -> tuple[int, str]:
        """Run a command; return its exit code and everything it printed."""
        environment = {"ANACONDA_CLIENT_FORCE_STANDALONE": "1"} if program == "binstar" else {}
        if token:
            environment["BINSTAR_API_TOKEN"] = token
        task = {"argv": [program, *map(str, argv)], "folder": str(self.work), "env": environment, "input": given}
        self._server.stdin.write(json.dumps(task) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        return answer["code"], answer["output"]

    def __call__(self, *argv: str | Path, program: str = "binstar", given: str = "", token: str = "") -> str:
        """Run a command that has to succeed; return what it printed."""
        code, output = self.run(*argv, program=program, given=given, token=token)
        assert code == 0, f"{program} {' '.join(map(str, argv))}:\n{output}"
        return output

    def fails(self, *argv: str | Path, given: str = "", token: str = "") -> str:
        """Run a command that has to fail; return what it printed."""
        code, output = self.run(*argv, given=given, token=token)
        assert code != 0, f"binstar {' '.join(map(str, argv))}:\n{output}"
        return output

    def write(self, filename: str, data: bytes) -> str:
        """Put a file into the folder in which commands run; return its name."""
        path = self.work / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return filename

    def close(self) -> None:
        """End the process."""
        self._server.stdin.close()
        self._server.wait(30)
