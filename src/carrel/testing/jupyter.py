"""A real JupyterLab with a profile of its own."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from carrel.testing.processes import Process, free_port

# Neither news nor update checks nor the list of extensions: none of them works without internet, and all make noise.
_QUIET = [
    "--LabApp.extension_manager=readonly",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
]


@dataclass(frozen=True, slots=True)
class JupyterLab:
    """A running JupyterLab.

    Attributes
    ----------
    url : str
        Base address without a slash at the end.
    token : str
        Token of the server.
    root_dir : Path
        Folder that the file browser shows; the working directory of the server too.
    profile : Path
        Folder with the configuration, data and runtime folders.
    """

    url: str
    token: str
    root_dir: Path
    profile: Path
    process: Process

    @property
    def log(self) -> str:
        """Output of the server so far."""
        return self.process.log

    def page_url(self, path: str = "", *, publication: str = "") -> str:
        """Return the address of the Lab page.

        Parameters
        ----------
        path : str
            File to open, relative to the root; the workspace is a fresh one.
        publication : str
            Publication of the hub to review (``owner/name@version``). The workspace is kept: resetting it loads the page
            once more, without the rest of the address.
        """
        tree = f"/tree/{path}" if path else ""
        return f"{self.url}/lab{tree}?token={self.token}&" + (f"hub={publication}" if publication else "reset")

    def request(self, method: str, path: str, **options: object) -> requests.Response:
        """Send an authenticated request to the server; *path* starts with a slash."""
        headers = {"Authorization": f"token {self.token}"}
        return requests.request(method, self.url + path, headers=headers, timeout=60, **options)  # type: ignore[arg-type]


@contextmanager
def run_jupyter_lab(
    folder: Path,
    *,
    hub_url: str | None = None,
    env: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    extension: Mapping[str, object] | None = None,
    port: int | None = None,
) -> Iterator[JupyterLab]:
    """Run JupyterLab while the block runs.

    Parameters
    ----------
    folder : Path
        Gets the profile, the root folder and the log.
    hub_url : str, optional
        Address of the hub that the extension talks to.
    env : Mapping of str to str, optional
        More variables for the server.
    arguments : Sequence of str
        More arguments.
    extension : mapping, optional
        Settings of Carrel's server extension, such as ``{"channels": []}``.
    port : int, optional
        Port to listen on, by default a free one.
    """
    profile, root = folder / "profile", folder / "root"
    root.mkdir(parents=True, exist_ok=True)
    _write_profile(profile, extension or {})
    token, port = secrets.token_hex(16), port or free_port()
    variables = {
        "JUPYTER_CONFIG_DIR": profile / "config",
        "JUPYTER_DATA_DIR": profile / "data",
        "JUPYTER_RUNTIME_DIR": profile / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": profile / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": profile / "workspaces",
        "IPYTHONDIR": profile / "ipython",
        "CARREL_CONFIG_DIR": profile / "carrel",
        "CARREL_DATA_DIR": profile / "carrel-data",
        "CARREL_CACHE_DIR": profile / "carrel-cache",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", *_QUIET, *arguments]
    hub = {"CARREL_HUB_URL": hub_url} if hub_url else {}
    process = Process(command, folder / "jupyter.log", {**{k: str(v) for k, v in variables.items()}, **hub, **(env or {})}, cwd=root)
    lab = JupyterLab(f"http://127.0.0.1:{port}", token, root, profile, process)
    try:
        process.wait_until(lambda: lab.request("GET", "/api/status").ok)
        yield lab
    finally:
        process.stop()


def _write_profile(profile: Path, extension: Mapping[str, object]) -> None:
    # ``news_url=None`` does not keep JupyterLab from asking whether it may fetch news; this setting does.
    setting = profile / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    setting.parent.mkdir(parents=True, exist_ok=True)
    setting.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    for name in ("config", "data", "runtime", "workspaces", "ipython"):
        (profile / name).mkdir(parents=True, exist_ok=True)
    (profile / "config" / "jupyter_server_config.json").write_text(json.dumps({"CarrelExtension": dict(extension)}, indent=1))
