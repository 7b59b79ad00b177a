"""The environments this server knows, by opaque id, and the one a kernel runs in.

A request names an environment by its id alone, and only prefixes found here have one: the server's own, those of
kernelspecs and running kernels, and those rebuilt from publications.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.core.errors import CarrelError, NotFound
from carrel.environments import Environment, Installed, inspect, installed
from carrel.environments.asking import Answer
from carrel.environments.kernels import prefix_of_spec
from carrel.environments.live import decide

Specs = Callable[[], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """What the server knows of a running kernel without asking it.

    Attributes
    ----------
    pid : int or None
        None when the kernel does not run on this machine.
    spec_name : str
    spec : mapping
        The kernelspec as JSON.
    """

    kernel_id: str
    pid: int | None
    spec_name: str
    spec: Mapping[str, Any]

    @property
    def language(self) -> str:
        """Language of the kernel, lower case."""
        return str(self.spec.get("language") or "").lower()


def facts_of(kernel_manager: Any, kernel_id: str) -> KernelFacts:
    """Return the facts of a running kernel; reads attributes only.

    Raises
    ------
    carrel.core.errors.NotFound
    """
    if kernel_id not in kernel_manager:
        raise NotFound("This kernel does not run any more. Start it again.", code="kernel_not_found")
    manager = kernel_manager.get_kernel(kernel_id)
    provisioner = getattr(manager, "provisioner", None)
    pid = getattr(provisioner, "pid", None)
    with contextlib.suppress(Exception):
        spec = manager.kernel_spec.to_dict()
        return KernelFacts(kernel_id, pid if isinstance(pid, int) else None, str(manager.kernel_name), spec)
    return KernelFacts(kernel_id, pid if isinstance(pid, int) else None, str(getattr(manager, "kernel_name", "")), {})


class EnvironmentRegistry:
    """Environments by id.

    Parameters
    ----------
    envs_folder : pathlib.Path
        Where rebuilt environments live.
    specs : callable
        Returns all kernelspecs by name, as JSON.
    """

    def __init__(self, envs_folder: Path, specs: Specs) -> None:
        self._envs_folder = envs_folder
        self._specs = specs
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Path, str, str]] = {}
        self._installed: dict[Path, tuple[str, tuple[Installed, ...]]] = {}

    def all(self) -> list[dict[str, Any]]:
        """Return every known environment."""
        self._discover()
        with self._lock:
            known = list(self._known.values())
        found = []
        for prefix, _, _ in known:
            with contextlib.suppress(CarrelError):
                found.append(self.describe(prefix))
        return sorted(found, key=lambda item: (not item["is_server_environment"], item["name"]))

    def get(self, environment_id: str) -> Environment:
        """Return the environment with an id.

        Raises
        ------
        carrel.core.errors.NotFound
        """
        with self._lock:
            known = self._known.get(environment_id)
        if known is None:
            self._discover()
            with self._lock:
                known = self._known.get(environment_id)
        if known is None:
            raise NotFound("This environment is not known here. Choose a kernel that uses it.", code="environment_not_found")
        return inspect(known[0])

    def of_kernel(self, facts: KernelFacts, told_prefix: str | None = None) -> dict[str, Any]:
        """Return the environment of a kernel.

        Parameters
        ----------
        told_prefix : str, optional
            What the kernel itself says. It counts only if it holds the interpreter that runs, for code in a notebook may lie.
        """
        told = Answer(prefix=told_prefix or "")
        found = decide(facts.pid, told=told, spec=facts.spec, kernel_name=facts.spec_name, running=True)
        if found.where == "remote":
            return self._absent(facts, "remote", told_prefix or "", found.reason)
        prefix = found.prefix
        if prefix is None:
            raise NotFound("The environment of this kernel could not be found out.", code="environment_unknown")
        try:
            return self.describe(prefix, language=facts.language, name=_name_from_spec(facts.spec))
        except NotFound:
            return self._absent(facts, "missing", str(prefix), f"{prefix} does not exist any more.")

    def describe(self, prefix: Path, *, language: str = "", name: str = "") -> dict[str, Any]:
        """Return the environment at *prefix* as the API shows it, and know it from now on."""
        environment = inspect(prefix)
        with self._lock:
            _, known_name, known_language = self._known.get(environment.id, (environment.prefix, "", ""))
            name, language = name or known_name, language or known_language
            self._known[environment.id] = (environment.prefix, name, language)
        count: int | None = None
        with contextlib.suppress(CarrelError):
            count = len(self.packages(environment)[1])
        return {
            "id": environment.id,
            "name": name or environment.name,
            "prefix": str(environment.prefix),
            "kind": environment.kind,
            "python_version": environment.python_version or None,
            "platform": environment.platform,
            "writable": environment.writable,
            "reason_read_only": environment.reason_read_only or None,
            "language": language or "python",
            "is_server_environment": is_server_environment(environment.prefix),
            "package_count": count,
        }

    def packages(self, environment: Environment) -> tuple[str, tuple[Installed, ...]]:
        """Return ``(entity tag, packages)``; read again only when the environment has changed."""
        tag = state_tag(environment.prefix)
        with self._lock:
            known = self._installed.get(environment.prefix)
        if known is None or known[0] != tag:
            known = (tag, tuple(installed(environment.prefix)))
            with self._lock:
                self._installed[environment.prefix] = known
        return known

    def _discover(self) -> None:
        self._learn(Path(sys.prefix), "", "python")
        for spec in self._specs().values():
            prefix = prefix_of_spec(spec)
            if prefix is not None:
                self._learn(prefix, _name_from_spec(spec), str(spec.get("language") or ""))
        if self._envs_folder.is_dir():
            for folder in self._envs_folder.iterdir():
                self._learn(folder, "", "")

    def _learn(self, prefix: Path, name: str, language: str) -> None:
        with contextlib.suppress(CarrelError, OSError):
            environment = inspect(prefix)
            with self._lock:
                self._known.setdefault(environment.id, (environment.prefix, name, language))

    @staticmethod
    def _absent(facts: KernelFacts, kind: str, prefix: str, reason: str) -> dict[str, Any]:
        return {
            "id": hashlib.sha256(f"{kind}:{facts.kernel_id}:{prefix}".encode()).hexdigest()[:16],
            "name": str(facts.spec.get("display_name") or facts.spec_name or kind),
            "prefix": prefix,
            "kind": kind,
            "python_version": None,
            "platform": None,
            "writable": False,
            "reason_read_only": reason,
            "language": facts.language or "python",
            "is_server_environment": False,
            "package_count": None,
        }


def _name_from_spec(spec: Mapping[str, Any]) -> str:
    """Return the name to show for a rebuilt environment, whose folder is named by a digest."""
    return str(spec.get("display_name") or "") if isinstance((spec.get("metadata") or {}).get("carrel"), Mapping) else ""


def is_server_environment(prefix: Path) -> bool:
    """Whether this Jupyter server runs in *prefix*."""
    with contextlib.suppress(OSError):
        return prefix.resolve() == Path(sys.prefix).resolve()
    return False


def state_tag(prefix: Path) -> str:
    """Return an entity tag that changes whenever packages of *prefix* do: times and numbers of entries of the folders that list them."""
    folders = [prefix / "conda-meta", *prefix.glob("lib/python3*/site-packages"), prefix / "Lib" / "site-packages"]
    seen = []
    for folder in folders:
        with contextlib.suppress(OSError):
            status = folder.stat()
            with os.scandir(folder) as entries:
                count = sum(1 for _ in entries)
            seen.append(f"{folder.name}:{status.st_mtime_ns}:{status.st_nlink}:{count}")
    return hashlib.sha256("|".join(seen).encode()).hexdigest()[:20]
