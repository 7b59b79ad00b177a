"""Kernelspecs for environments: what makes JupyterLab offer their kernels, whatever the language.

A conda environment wants to be activated (``PATH``, ``CONDA_PREFIX``, the variables and scripts of its packages: GDAL, CUDA
and R fail without). So its kernelspec starts a small launcher, kept in the kernelspec's own folder, which needs neither
Carrel nor conda, works when either is gone, and replaces itself by the kernel, whose process id and program are then what
Jupyter and others expect.

The launcher is run by the environment's own Python. Where the environment has none (R alone), the kernelspec says ``python3``,
for which Jupyter puts the interpreter that it runs in itself: that one is there as long as anybody can start the kernel.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carrel.core.errors import BadRequest, NotFound
from carrel.environments import inspection
from carrel.environments.conda_meta import is_conda_prefix
from carrel.environments.files import remove_tree
from carrel.environments.models import Environment

_NAME = re.compile(r"[a-z0-9._-]{1,100}\Z")
_LAUNCHER = "activate_and_launch.py"
_MOST_BYTES = 5_000_000  # of a kernelspec's logos and other files
_PYTHON = re.compile(r"pythonw?(?:\d(?:\.\d+)?)?(?:\.exe)?\Z", re.IGNORECASE)
_PROGRAM_FOLDERS = ("Scripts", "Library/bin", "bin", "") if os.name == "nt" else ("bin",)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that is in an environment.

    Attributes
    ----------
    name : str
        What the environment calls it: ``python3``, ``ir``.
    language, display_name : str
    program : str
        What to start, relative to the prefix (``lib/R/bin/R``); empty for the environment's Python.
    arguments : tuple of str
        What the program is given.
    env : mapping of str to str
    interrupt_mode : str
    metadata : mapping
    resources : Path or None
        Folder of its logos and other files.
    """

    name: str
    language: str
    display_name: str
    program: str = ""
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    interrupt_mode: str = "signal"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    resources: Path | None = None


_IPYKERNEL = Kernel(
    "python3", "python", "Python 3", arguments=("-m", "ipykernel_launcher", "-f", "{connection_file}"), metadata={"debugger": True}
)


def kernels_in(prefix: str | Path) -> tuple[Kernel, ...]:
    """Return the kernels that the environment at *prefix* brings, Python's first, the others by name.

    Those whose program is not in the environment are left out: a kernelspec may have been copied there from elsewhere.
    """
    root = inspection.absolute(Path(prefix))
    found = [kernel for file in sorted(root.glob("share/jupyter/kernels/*/kernel.json")) if (kernel := _read(root, file)) is not None]
    if not any(kernel.language == "python" and not kernel.program for kernel in found) and _has_ipykernel(root):
        found.append(_IPYKERNEL)
    return tuple(sorted(found, key=lambda kernel: (kernel.language != "python", kernel.name != "python3", kernel.name)))


def choose_kernel(prefix: str | Path, language: str | None = None) -> Kernel:
    """Return the kernel of the environment at *prefix* to offer for *language*.

    Without a language it is Python's, else the only one there is.

    Raises
    ------
    NotFound
        There is none (code ``no_kernel``; ``no_python`` without any language), or none for this language (field ``languages``).
    BadRequest
        There are several and no language is said (code ``several_kernels``, field ``kernels``).
    """
    root = inspection.absolute(Path(prefix))
    found = kernels_in(root)
    if language is not None:
        fitting = [kernel for kernel in found if kernel.language.lower() == language.lower()]
        if fitting:
            return fitting[0]
        if language.lower() != "python" or inspection.python_executable(root) is None:
            there = ", ".join(sorted({kernel.language for kernel in found})) or "no kernel at all"
            raise NotFound(
                f"The environment {root.name} has no kernel for {language}: there is {there}. Install one into it.",
                code="no_kernel",
                languages=sorted({kernel.language for kernel in found}),
            )
        return _IPYKERNEL
    if found and (found[0].language == "python" or len(found) == 1):
        return found[0]
    if found:
        names = ", ".join(f"{kernel.name} ({kernel.language})" for kernel in found)
        raise BadRequest(f"The environment has several kernels: {names}. Say which language.", code="several_kernels", kernels=names)
    if inspection.python_executable(root) is None:
        raise NotFound(f"The environment {root.name} has no Python to start a kernel with.", code="no_python")
    return _IPYKERNEL


def install_kernelspec(
    prefix: str | Path,
    name: str,
    display_name: str,
    *,
    user_data_folder: Path,
    metadata: Mapping[str, Any] | None = None,
    language: str | None = None,
    kernel: Kernel | None = None,
) -> Path:
    """Make (or replace) the kernelspec *name* for the environment at *prefix* and return its folder.

    Parameters
    ----------
    user_data_folder : Path
        Jupyter's data folder of the user (``jupyter --data-dir``).
    metadata : mapping, optional
        Kept under ``metadata.carrel``.
    language : str, optional
        Language of the kernel; see :func:`choose_kernel`.
    kernel : Kernel, optional
        One of :func:`kernels_in`, instead of choosing.

    Raises
    ------
    BadRequest
        *name* cannot be a kernel name.
    NotFound
        The environment has no such kernel.
    """
    if not _NAME.match(name):
        rule = "use lowercase letters, digits, '-', '_' and '.'"
        raise BadRequest(f"{name[:80]!r} cannot be a kernel name: {rule}.", code="invalid_kernel_name")
    environment = inspection.inspect(prefix)
    chosen = kernel or choose_kernel(environment.prefix, language)
    final = user_data_folder / "kernels" / name
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.parent / f".{name}.{os.getpid()}.tmp"
    remove_tree(partial)
    partial.mkdir()
    conda = environment.kind == "conda"
    spec = {
        "argv": _command(environment, chosen, final / _LAUNCHER),
        "display_name": display_name,
        "language": chosen.language,
        "interrupt_mode": chosen.interrupt_mode,
        **({"env": dict(chosen.env)} if chosen.env else {}),
        "metadata": {
            **chosen.metadata,
            "conda_env_path" if conda else "virtual_env_path": str(environment.prefix),
            "carrel": {**(metadata or {}), "prefix": str(environment.prefix)},
        },
    }
    try:
        _copy_resources(chosen, partial)
        if conda:
            shutil.copyfile(Path(__file__).with_name(_LAUNCHER), partial / _LAUNCHER)
        (partial / "kernel.json").write_text(json.dumps(spec, indent=1, ensure_ascii=False), encoding="utf-8")
        previous = final.parent / f".{name}.{os.getpid()}.old"
        if final.exists():
            final.rename(previous)
        partial.rename(final)
        remove_tree(previous)
    finally:
        remove_tree(partial)
    return final


def install_kernelspecs(
    prefix: str | Path, name: str, display_name: str, *, user_data_folder: Path, metadata: Mapping[str, Any] | None = None
) -> tuple[Path, ...]:
    """Make a kernelspec for every language of the environment at *prefix*; return their folders, the first for *name* itself.

    Further languages get their name as a suffix: ``analysis`` for Python, ``analysis-r`` and ``Analysis (R)`` for R.
    """
    by_language: dict[str, Kernel] = {}
    for kernel in kernels_in(prefix):
        by_language.setdefault(kernel.language.lower(), kernel)
    options: dict[str, Any] = {"user_data_folder": user_data_folder, "metadata": metadata}
    if len(by_language) < 2:
        return (install_kernelspec(prefix, name, display_name, **options),)
    made = []
    for number, (language, kernel) in enumerate(by_language.items()):
        suffix = re.sub(r"[^a-z0-9]+", "-", language.replace("+", "p").replace("#", "sharp")).strip("-") or kernel.name
        own, shown = (name, display_name) if number == 0 else (f"{name}-{suffix}", f"{display_name} ({kernel.language})")
        made.append(install_kernelspec(prefix, own, shown, kernel=kernel, **options))
    return tuple(made)


def _command(environment: Environment, kernel: Kernel, launcher: Path) -> list[str]:
    python = environment.python_executable
    if environment.kind == "conda":
        # -I -S: nothing of the environment is imported before it is activated
        start = [str(python) if python else "python3", "-I", "-S", str(launcher), str(environment.prefix)]
        return [*start, *([kernel.program] if kernel.program else []), *kernel.arguments]
    return [str(environment.prefix / kernel.program) if kernel.program else str(python), *kernel.arguments]


def _read(root: Path, file: Path) -> Kernel | None:
    try:
        spec = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    argv = spec.get("argv") if isinstance(spec, dict) else None
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        return None
    program = _program(root, argv[0])
    if program is None:
        return None
    env, metadata = spec.get("env"), spec.get("metadata")
    return Kernel(
        name=file.parent.name,
        language=str(spec.get("language") or ("" if program else "python")),
        display_name=str(spec.get("display_name") or file.parent.name),
        program=program,
        # Jupyter would put its own prefix there
        arguments=tuple(word.replace("{prefix}", str(root)) for word in argv[1:]),
        env={str(key): str(value) for key, value in env.items()} if isinstance(env, dict) else {},
        interrupt_mode="message" if spec.get("interrupt_mode") == "message" else "signal",
        metadata=metadata if isinstance(metadata, dict) else {},
        resources=file.parent,
    )


def _program(root: Path, word: str) -> str | None:
    """Return the program that *word* names, relative to the environment at *root*; empty for its Python, None if it has none."""
    path = Path(word)
    if path.is_absolute():
        for base in (root, root.resolve()):
            if path.is_relative_to(base) and path.is_file():
                relative = path.relative_to(base).as_posix()
                return "" if _PYTHON.match(path.name) and inspection.python_executable(root) else relative
    name = path.name
    if _PYTHON.match(name):
        # where a package was built says nothing here
        return "" if inspection.python_executable(root) else None
    suffixes = ("", ".exe", ".cmd", ".bat") if os.name == "nt" else ("",)
    candidates = (Path(folder, name + suffix) for folder in _PROGRAM_FOLDERS for suffix in suffixes)
    return next((candidate.as_posix() for candidate in candidates if (root / candidate).is_file()), None)


def _has_ipykernel(root: Path) -> bool:
    folders = ["Lib/site-packages"] if os.name == "nt" else ["lib/python3*/site-packages"]
    return inspection.python_executable(root) is not None and any(
        next(root.glob(f"{folder}/ipykernel_launcher.py"), None) for folder in folders
    )


def _copy_resources(kernel: Kernel, target: Path) -> None:
    """Copy logos and whatever else lies beside ``kernel.json``: arguments may name it by ``{resource_dir}``."""
    if kernel.resources is None:
        return
    room = _MOST_BYTES
    for path in sorted(kernel.resources.rglob("*")):
        relative = path.relative_to(kernel.resources)
        if not path.is_file() or relative.as_posix() in ("kernel.json", _LAUNCHER):
            continue
        room -= path.stat().st_size
        if room >= 0:
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / relative)


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
