"""A real hub: a child process on a free port, with a database and a blob store of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from carrel.testing.processes import Process, free_port

PASSWORD = "correct horse battery"  # noqa: S105 - of users that exist in tests only


class HubProcess:
    """A hub that tests may start, kill and start again on the same data.

    Parameters
    ----------
    data_dir : Path
        Database, blobs and settings of the hub; the log lies beside it.
    arguments : Sequence of str
        More arguments of the command line, such as ``--database-url=…``.
    env : Mapping of str to str, optional
        More variables.
    port : int, optional
        Port to listen on, by default a free one.
    """

    def __init__(
        self, data_dir: Path, arguments: Sequence[str] = (), env: Mapping[str, str] | None = None, *, port: int | None = None
    ) -> None:
        self.data_dir = data_dir
        self.arguments = list(arguments)
        self.env = dict(env or {})
        self.port = port or free_port()
        self.log_path = data_dir.parent / f"{data_dir.name}.log"
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Base address without a slash at the end; stays the same over restarts."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Output of all starts so far."""
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Process id of the running hub."""
        if self._process is None:
            raise RuntimeError("the hub is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the hub and wait until it answers."""
        command = [sys.executable, "-m", "carrel.hub", "serve", f"--port={self.port}", f"--data-dir={self.data_dir}"]
        self._process = Process([*command, "--registration=open", *self.arguments], self.log_path, self.env)
        self._process.wait_until(lambda: requests.get(f"{self.url}/api/v1/", timeout=5).ok)

    def stop(self) -> None:
        """End the hub in an orderly way."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """Kill the hub with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self, *arguments: str) -> None:
        """Stop (if it runs) and start again on the same port and data, with *arguments* added from now on."""
        self.stop()
        self.arguments += arguments
        self.start()

    def create_user(self, name: str, password: str = PASSWORD, **token: object) -> str:
        """Register the user *name* and return a token of theirs.

        Parameters
        ----------
        **token
            Members of the request that makes the token, such as ``scopes`` or ``expires_in``.
        """
        self._post("users", {"name": name, "password": password})
        return self.create_token(name, password, **token)

    def create_token(self, name: str, password: str = PASSWORD, **token: object) -> str:
        """Return a new token of the user *name*."""
        answer = self._post("tokens", {"name": "tests", **token}, auth=(name, password))
        return str(answer["token"])

    def create_organization(self, name: str, owner_token: str, members: Mapping[str, str] | None = None) -> None:
        """Create an organization and give the *members* (user name to role) their roles."""
        headers = {"Authorization": f"token {owner_token}"}
        self._post("organizations", {"name": name}, headers=headers)
        for member, role in (members or {}).items():
            url = f"{self.url}/api/v1/organizations/{name}/members/{member}"
            requests.put(url, json={"role": role}, headers=headers, timeout=30).raise_for_status()

    def _post(
        self, path: str, body: Mapping[str, object], auth: tuple[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        response = requests.post(f"{self.url}/api/v1/{path}", json=body, auth=auth, headers=headers, timeout=30)
        if not response.ok:
            raise RuntimeError(f"POST {path} answered {response.status_code}: {response.text[:500]}")
        answer: dict[str, object] = response.json()
        return answer
