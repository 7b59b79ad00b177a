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
