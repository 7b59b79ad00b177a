"""Kernelspecs for environments: what makes JupyterLab offer them.

A conda environment wants to be activated (``PATH``, ``CONDA_PREFIX``, the variables and scripts of its packages: GDAL, CUDA
and R fail without). So its kernelspec starts a small launcher, kept in the kernelspec's own folder and run by the
environment's own Python: it needs neither Carrel nor conda, works when either is gone, and replaces itself by the kernel,
whose process id and interpreter are then what Jupyter and others expect.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carrel.core.errors import BadRequest, NotFound
from carrel.environments import inspection
from carrel.environments.conda_meta import is_conda_prefix
from carrel.environments.files import remove_tree

_NAME = re.compile(r"[a-z0-9._-]{1,100}\Z")
_LAUNCHER = "activate_and_launch.py"


def install_kernelspec(
    prefix: str | Path,
    name: str,
    display_name: str,
    *,
    user_data_folder: Path,
    metadata: Mapping[str, Any] | None = None,
    language: str = "python",
    argv: Sequence[str] = ("-m", "ipykernel_launcher", "-f", "{connection_file}"),
) -> Path:
    """Make (or replace) the kernelspec *name* for the environment at *prefix* and return its folder.

    Parameters
    ----------
    user_data_folder : Path
        Jupyter's data folder of the user (``jupyter --data-dir``).
    metadata : mapping, optional
        Kept under ``metadata.carrel``.
    argv : sequence of str
        What the environment's Python is given. A first word that names a program of the environment (``bin/R``) starts that
        program instead; where the environment has no Python, Carrel's own runs the launcher.

    Raises
    ------
    BadRequest
        *name* cannot be a kernel name.
    NotFound
        The environment has no interpreter.
    """
    if not _NAME.match(name):
        rule = "use lowercase letters, digits, '-', '_' and '.'"
        raise BadRequest(f"{name[:80]!r} cannot be a kernel name: {rule}.", code="invalid_kernel_name")
    environment = inspection.inspect(prefix)
    python = environment.python_executable
    if python is None and language == "python":
        raise NotFound(f"The environment {environment.name} has no Python to start a kernel with.", code="no_python")
    final = user_data_folder / "kernels" / name
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.parent / f".{name}.{os.getpid()}.tmp"
    remove_tree(partial)
    partial.mkdir()
    if environment.kind == "conda":
        shutil.copyfile(Path(__file__).with_name(_LAUNCHER), partial / _LAUNCHER)
        # -I -S: nothing of the environment is imported before it is activated
        command = [str(python or sys.executable), "-I", "-S", str(final / _LAUNCHER), str(environment.prefix), *argv]
    else:
        command = [str(python), *argv]
    spec = {
        "argv": command,
        "display_name": display_name,
        "language": language,
        "interrupt_mode": "signal",
        "metadata": {
            "debugger": language == "python",
            "conda_env_path" if environment.kind == "conda" else "virtual_env_path": str(environment.prefix),
            "carrel": {**(metadata or {}), "prefix": str(environment.prefix)},
        },
    }
    try:
        (partial / "kernel.json").write_text(json.dumps(spec, indent=1, ensure_ascii=False), encoding="utf-8")
        previous = final.parent / f".{name}.{os.getpid()}.old"
        if final.exists():
            final.rename(previous)
        partial.rename(final)
        remove_tree(previous)
    finally:
        remove_tree(partial)
    return final


def remove_kernelspec(name: str, *, user_data_folder: Path) -> bool:
    """Remove a kernelspec that was made here; return whether there was one."""
    folder = user_data_folder / "kernels" / name
    try:
        spec = json.loads((folder / "kernel.json").read_bytes())
    except (OSError, ValueError):
        return False
    if not _NAME.match(name) or "carrel" not in spec.get("metadata", {}):
        return False
    remove_tree(folder)
    return True


def prefix_of_spec(spec: Mapping[str, Any], file: Path | None = None) -> Path | None:
    """Return the environment that a kernelspec starts, as far as the specification tells; it may be gone.

    Parameters
    ----------
    spec : mapping
        The kernelspec as JSON.
    file : Path, optional
        Where it was read. One inside an environment whose program is just ``python`` belongs to that environment.
    """
    metadata = spec.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    own = metadata.get("carrel")
    for told in (own.get("prefix") if isinstance(own, Mapping) else None, metadata.get("conda_env_path")):
        if isinstance(told, str) and told:
            return Path(told)
    argv = spec.get("argv") or []
    program = str(argv[0]) if isinstance(argv, list) and argv else ""
    if program in ("python", "python3", f"python{sys.version_info[0]}.{sys.version_info[1]}"):
        around = file.parents[4] if file is not None and len(file.parents) > 4 else None  # of share/jupyter/kernels/<name>/kernel.json
        if around is not None and ((around / "pyvenv.cfg").is_file() or is_conda_prefix(around)):
            return around
        return Path(sys.prefix)  # jupyter_client puts the server's own interpreter there
    environ = spec.get("env")
    path = environ.get("PATH") if isinstance(environ, Mapping) else None
    found = program if Path(program).is_absolute() else shutil.which(program, path=path if isinstance(path, str) else None)
    if not found:
        return None
    try:
        return prefix_of_program(Path(found))
    except NotFound:
        return None


def prefix_of_program(program: Path) -> Path:
    """Return the environment that *program* belongs to; for other languages the conda environment around it.

    Raises
    ------
    NotFound
        There is no such program.
    """
    for parent in program.parents:
        if is_conda_prefix(parent):
            return parent
    return inspection.find_prefix(program)
