"""The environment that a kernel runs in: as the kernel says, as its process shows, as its specification promises.

Code in a notebook may make a kernel say anything. What it says counts only if its process runs a program of that
environment; otherwise the process decides. A kernel that does not run is judged by its specification, and one on another
machine by nothing that could be checked here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from carrel.core.errors import CarrelError, NotFound
from carrel.environments.asking import Answer, ask_kernel
from carrel.environments.kernel_processes import contains, is_local_address, process_interpreter, process_of_connection
from carrel.environments.kernels import prefix_of_program, prefix_of_spec

Where = Literal["local", "missing", "remote"]
By = Literal["kernel", "process", "kernelspec", ""]


@dataclass(frozen=True, slots=True)
class KernelEnvironment:
    """Where a kernel runs.

    Attributes
    ----------
    where : {"local", "missing", "remote"}
        ``missing`` when the prefix does not exist any more, ``remote`` when the kernel runs on another machine.
    prefix : Path or None
        None when it is remote or nothing could be found out.
    by : {"kernel", "process", "kernelspec", ""}
        Whose word it is: the kernel's, confirmed by its process; the process's alone; the specification's.
    told_prefix : str
        What the kernel said, true or not; empty when it could not be asked.
    program : Path or None
        The program that runs.
    pid : int or None
    language : str
        Lower case, may be empty.
    kernel_name : str
        Of its specification, may be empty.
    """

    where: Where
    prefix: Path | None
    by: By
    told_prefix: str = ""
    program: Path | None = None
    pid: int | None = None
    language: str = ""
    kernel_name: str = ""

    @property
    def reason(self) -> str:
        """Why there is no environment to look at, as a sentence; empty when there is one."""
        if self.where == "remote":
            return "The kernel runs on another machine."
        if self.where == "missing":
            return f"{self.prefix} does not exist any more." if self.prefix else "The environment of this kernel could not be found out."
        return ""


def kernel_environment(
    kernel: str | Path,
    *,
    spec: Mapping[str, Any] | None = None,
    timeout: float = 4.0,
) -> KernelEnvironment:
    """Return where a running kernel runs.

    Parameters
    ----------
    kernel : str or Path
        Its connection file, or its id in Jupyter's runtime folder.
    spec : mapping, optional
        Its specification as JSON, for a kernel that turns out not to run.
    timeout : float
        Seconds that it gets to answer.

    Raises
    ------
    NotFound
        There is no such kernel (code ``kernel_not_found``).
    """
    file = connection_file(kernel)
    try:
        connection = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise NotFound(f"The connection file {file} of the kernel cannot be read.", code="kernel_not_found") from error
    if not isinstance(connection, dict):
        raise NotFound(f"{file} is no connection file of a kernel.", code="kernel_not_found")
    name = str(connection.get("kernel_name") or "")
    spec = spec if spec is not None else _spec_named(name)
    if connection.get("transport", "tcp") == "tcp" and not is_local_address(str(connection.get("ip") or "")):
        return KernelEnvironment("remote", None, "", language=_language(spec), kernel_name=name)
    pid = process_of_connection(file, connection, wait=timeout)
    program = process_interpreter(pid) if pid is not None else None
    if pid is None:
        return decide(None, spec=spec, kernel_name=name)
    if program is not None and _is_tunnel(program):
        return KernelEnvironment("remote", None, "", pid=pid, language=_language(spec), kernel_name=name)
    return decide(pid, told=ask_kernel(file, timeout=timeout), program=program, spec=spec, kernel_name=name)


def decide(
    pid: int | None,
    *,
    told: Answer | None = None,
    program: Path | None = None,
    spec: Mapping[str, Any] | None = None,
    kernel_name: str = "",
    running: bool = False,
) -> KernelEnvironment:
    """Return where a kernel runs, from what is known of it.

    Parameters
    ----------
    pid : int or None
        Its process on this machine; None when it does not run here.
    told : Answer, optional
        What it says.
    program : Path, optional
        The program of its process, if it is known already.
    spec : mapping, optional
        Its specification as JSON.
    running : bool
        Whether it is known to run: one that does and has neither a process nor a specification here runs elsewhere.
    """
    told, spec = told or Answer(), spec or {}
    language = told.language or _language(spec)
    if pid is not None and program is None:
        program = process_interpreter(pid)
    if pid is None and ((spec and not is_local(spec)) or (running and not spec)):
        return KernelEnvironment("remote", None, "", told.prefix, language=language, kernel_name=kernel_name)
    prefix, by = _of_process(program, told.prefix)
    if prefix is None:
        prefix, by = prefix_of_spec(spec), "kernelspec"
    where: Where = "local" if prefix is not None and prefix.is_dir() else "missing"
    return KernelEnvironment(where, prefix, by if prefix else "", told.prefix, program, pid, language, kernel_name)


def _of_process(program: Path | None, told_prefix: str) -> tuple[Path | None, By]:
    if program is None:
        return None, ""
    told = Path(told_prefix) if told_prefix else None
    if told is not None and told.is_absolute() and told.is_dir() and contains(told, program):
        return told, "kernel"
    if (program.parent.name, program.name) == ("bin", "R"):  # in systems a link into R's home, which is no environment
        return program.parents[1], "process"
    with contextlib.suppress(CarrelError):
        return prefix_of_program(program), "process"
    return None, ""


def connection_file(kernel: str | Path) -> Path:
    """Return the connection file of a kernel that is given by it or by its id.

    Raises
    ------
    NotFound
    """
    from jupyter_core.paths import jupyter_runtime_dir

    path = Path(kernel)
    if path.suffix == ".json" and path.is_file():
        return path
    identity = str(kernel)
    if "/" not in identity and "\\" not in identity:
        found = Path(jupyter_runtime_dir()) / f"kernel-{identity}.json"
        if found.is_file():
            return found
    raise NotFound(f"No kernel {identity[:100]!r} runs here.", code="kernel_not_found")


def is_local(spec: Mapping[str, Any]) -> bool:
    """Whether kernels of *spec* are started on this machine."""
    metadata = spec.get("metadata")
    provisioner = metadata.get("kernel_provisioner") if isinstance(metadata, Mapping) else None
    name = provisioner.get("provisioner_name", "local-provisioner") if isinstance(provisioner, Mapping) else "local-provisioner"
    return bool(name == "local-provisioner")


def _language(spec: Mapping[str, Any]) -> str:
    return str(spec.get("language") or "").lower()


def _is_tunnel(program: Path) -> bool:
    return program.name.lower().removesuffix(".exe") in ("ssh", "sshd", "autossh", "plink", "kubectl", "socat")


def _spec_named(name: str) -> Mapping[str, Any]:
    from carrel.environments.kernelspecs import find_kernelspec

    found = find_kernelspec(name) if name else None
    return found.spec if found else {}
