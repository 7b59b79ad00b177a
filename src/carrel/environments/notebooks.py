"""The environment of a notebook: that of its running kernel, else that of the kernel it names."""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from carrel.core.errors import BadRequest, CarrelError, NotFound
from carrel.environments.kernel_processes import is_local_address, processes_of_session
from carrel.environments.kernelspecs import find_kernelspec
from carrel.environments.live import KernelEnvironment, decide, kernel_environment

_TIMEOUT = 1.5
_LARGEST_ANSWER = 8 << 20
_NAMED = re.compile(r"conda-env-(?P<env>.+)-(?:py|r|ir|python3)\Z")


@dataclass(frozen=True, slots=True)
class _Session:
    kernel_id: str
    kernel_name: str
    last_activity: str
    runtime: Path


def environment_of_notebook(path: str | os.PathLike[str], *, timeout: float = 4.0) -> KernelEnvironment:
    """Return the environment that the notebook at *path* runs in.

    A kernel that runs it now decides: Jupyter servers of this user are asked for the session, then processes are looked
    through. Otherwise the kernel that the notebook names does.

    Raises
    ------
    NotFound
        There is no such notebook; it names no kernel (code ``no_kernel_named``); the kernel is not on this machine
        (``kernel_not_found``, ``kernel_is_remote``); or its environment is gone (``environment_missing``).
    BadRequest
        The file is not a notebook.
    """
    notebook = Path(path)
    name = _named_kernel(notebook)
    found = _running(notebook.resolve(), timeout) or _specified(notebook, name)
    if found.where == "remote":
        raise NotFound(f"The kernel of {notebook.name} runs on another machine; its environment is there.", code="kernel_is_remote")
    if found.where == "missing" or found.prefix is None:
        raise NotFound(f"The environment of {notebook.name} is gone: {found.reason}", code="environment_missing")
    return found


def _named_kernel(path: Path) -> str:
    """Return the name of the kernel that a notebook wants; empty when it names none."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"There is no notebook {path}.", code="notebook_not_found") from None
    except (OSError, ValueError) as error:
        raise BadRequest(f"{path} cannot be read as a notebook.", code="not_a_notebook") from error
    if not isinstance(content, dict) or not ("cells" in content or "worksheets" in content):
        raise BadRequest(f"{path} is not a notebook.", code="not_a_notebook")
    metadata = content.get("metadata")
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    return str(spec.get("name") or "") if isinstance(spec, dict) else ""


def _specified(notebook: Path, name: str) -> KernelEnvironment:
    if not name:
        raise NotFound(
            f"{notebook.name} names no kernel, and none runs it now. Open it and choose one, or name the environment's folder.",
            code="no_kernel_named",
        )
    if found := find_kernelspec(name):
        spec, prefix = found.spec, found.prefix
        described = decide(None, spec=spec, kernel_name=name)
        if described.where == "remote":
            return described
        if prefix is None:
            raise NotFound(f"The kernel {name!r} of {notebook.name} does not tell where its environment is.", code="environment_unknown")
        where = described.where if described.prefix == prefix else ("local" if prefix.is_dir() else "missing")
        return KernelEnvironment(where, prefix, "kernelspec", language=described.language, kernel_name=name)
    if prefix := _conda_environment(name):
        return KernelEnvironment("local", prefix, "kernelspec", language="", kernel_name=name)
    raise NotFound(
        f"{notebook.name} wants the kernel {name!r}, which is not on this machine, and none runs it now. Choose another kernel for it, or "
        "name the environment's folder.",
        code="kernel_not_found",
    )


def _conda_environment(kernel: str) -> Path | None:
    """Return the environment of a kernel that nb_conda_kernels makes up while it runs (``conda-env-NAME-py``)."""
    match = _NAMED.match(kernel)
    if match is None:
        return None
    with contextlib.suppress(OSError):
        for line in (Path.home() / ".conda" / "environments.txt").read_text(encoding="utf-8").splitlines():
            if line.strip() and Path(line.strip()).name == match["env"] and Path(line.strip(), "conda-meta").is_dir():
                return Path(line.strip())
    return None


def _running(notebook: Path, timeout: float) -> KernelEnvironment | None:
    sessions = sorted(_sessions(notebook), key=lambda session: session.last_activity, reverse=True)
    remote: KernelEnvironment | None = None
    for session in sessions:
        file = session.runtime / f"kernel-{session.kernel_id}.json"
        if not file.is_file():
            # the server knows the kernel and this machine does not: a gateway started it elsewhere
            remote = remote or KernelEnvironment("remote", None, "", kernel_name=session.kernel_name)
            continue
        with contextlib.suppress(CarrelError):
            return kernel_environment(file, timeout=timeout)
    if remote is not None:
        return remote
    # servers that do not let us ask (a password, a socket of its own) still told the kernel which notebook it is for
    for _, file in processes_of_session(str(notebook)):
        with contextlib.suppress(CarrelError):
            return kernel_environment(file, timeout=timeout)
    return None


def _sessions(notebook: Path) -> Iterator[_Session]:
    """Yield the sessions of *notebook* on this user's Jupyter servers."""
    from jupyter_core.paths import jupyter_runtime_dir

    runtime = Path(jupyter_runtime_dir())
    for file in sorted(runtime.glob("jpserver-*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            server = json.loads(file.read_bytes())
            root = Path(server["root_dir"]).resolve()
            if not notebook.is_relative_to(root) or not psutil.pid_exists(int(server["pid"])):
                continue
            for session in _ask(server):
                told = session.get("path") or (session.get("notebook") or {}).get("path") or ""
                # collaborative documents have a drive in front
                if (root / str(told).removeprefix("RTC:").lstrip("/")).resolve() == notebook:
                    kernel = session["kernel"]
                    yield _Session(str(kernel["id"]), str(kernel.get("name") or ""), str(kernel.get("last_activity") or ""), runtime)


def _ask(server: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sessions of a server of this machine. Its token goes nowhere else: no proxy, no redirect, no other host."""
    address = str(server["url"]).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not is_local_address(parts.hostname or ""):
        return []
    request = urllib.request.Request(f"{address}/api/sessions")  # noqa: S310 - the scheme was checked
    if server.get("token"):
        request.add_header("Authorization", f"token {server['token']}")
    context = ssl.create_default_context()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect)
    try:
        with opener.open(request, timeout=_TIMEOUT) as response:
            found = json.loads(response.read(_LARGEST_ANSWER))
    except (urllib.error.URLError, TimeoutError, OSError, ValueError):
        return []
    return [session for session in found if isinstance(session, dict)] if isinstance(found, list) else []


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_options: Any) -> None:
        """Follow nothing."""
        return
