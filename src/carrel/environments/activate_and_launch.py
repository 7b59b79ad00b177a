# os.path starts faster than pathlib, and annotations are text for the sake of any Python 3.
# ruff: noqa: PTH110, PTH118, PTH119, PTH123, PTH208, S606
"""Activate a conda environment, then become its kernel: ``activate_and_launch.py PREFIX ARGUMENT…``.

Copied into kernelspecs and run by the environment's own Python, or by any other where it has none; the standard library of
Python 3.8 and newer is all it may use. The order is conda's: what is active is deactivated (its scripts, its variables, its
part of ``PATH``), then come the packages' variables, the environment's own variables, and the packages' scripts.

The first argument names the program, relative to the prefix; one that begins with ``-`` is for this very interpreter.
"""

import contextlib
import json
import os
import subprocess
import sys

UNSET = "***unset***"


def read_variables(path: str, *keys: str) -> "dict[str, str]":
    """Return the variables in a JSON file, below *keys*; a damaged one must not keep the kernel from starting."""
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
        for key in keys:
            found = found.get(key, {})
    except (OSError, ValueError, AttributeError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def listed(folder: str, suffixes: "tuple[str, ...]") -> "list[str]":
    """Return the files of *folder* with one of *suffixes*, in order."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.endswith(suffixes)]


def scripts_of(prefix: str, when: str) -> "list[str]":
    """Return the scripts of the packages at *prefix* for ``activate`` or ``deactivate``, in the order they run in."""
    found = listed(os.path.join(prefix, "etc", "conda", when + ".d"), (".bat",) if os.name == "nt" else (".sh",))
    return found[::-1] if when == "deactivate" else found


def variables_of(prefix: str) -> "dict[str, str]":
    """Return the variables that packages and people set for the environment at *prefix*."""
    result = {}
    for file in listed(os.path.join(prefix, "etc", "conda", "env_vars.d"), (".json",)):
        result.update(read_variables(file))
    result.update(read_variables(os.path.join(prefix, "conda-meta", "state"), "env_vars"))
    return result


def folders_of(prefix: str) -> "list[str]":
    """Return the folders of programs of *prefix*."""
    windows = ["", "Library\\mingw-w64\\bin", "Library\\usr\\bin", "Library\\bin", "Scripts", "bin"]
    return [os.path.join(prefix, folder).rstrip("\\/") for folder in (windows if os.name == "nt" else ["bin"])]


def level_of(environment: "dict[str, str]") -> int:
    """Return how many environments are active."""
    level = environment.get("CONDA_SHLVL", "")
    return int(level) if level.isdigit() else int("CONDA_PREFIX" in environment)


def deactivated(prefix: str, environment: "dict[str, str]") -> "dict[str, str]":
    """Return *environment* without the conda environment at *prefix*, which is active in it."""
    scripts = scripts_of(prefix, "deactivate")
    result = run_scripts(scripts, environment) if scripts else dict(environment)
    before = f"__CONDA_SHLVL_{level_of(environment) - 1}_"
    for key in variables_of(prefix):
        result.pop(key, None)
        if before + key in result:
            result[key] = result.pop(before + key)
    own = set(folders_of(prefix))
    result["PATH"] = os.pathsep.join(folder for folder in result.get("PATH", os.defpath).split(os.pathsep) if folder not in own)
    return result


def activated(prefix: str, environment: "dict[str, str]") -> "dict[str, str]":
    """Return *environment* with the environment at *prefix* activated in it, instead of the one that is."""
    level, active = level_of(environment), environment.get("CONDA_PREFIX", "")
    result = {key: value for key, value in environment.items() if key not in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")}
    if active and active != prefix:
        result = deactivated(active, result)
        result[f"CONDA_PREFIX_{level}"] = active
        level += 1
    path = folders_of(prefix)
    known = set(path)
    path += [folder for folder in result.get("PATH", os.defpath).split(os.pathsep) if folder not in known]
    name = os.path.basename(prefix)
    result.update(PATH=os.pathsep.join(path), CONDA_PREFIX=prefix, CONDA_DEFAULT_ENV=name, CONDA_PROMPT_MODIFIER=f"({name}) ")
    result["CONDA_SHLVL"] = str(max(level, 1))
    for key, value in variables_of(prefix).items():
        if value == UNSET:
            result.pop(key, None)
        else:
            result[key] = value
    scripts = scripts_of(prefix, "activate")
    return run_scripts(scripts, result) if scripts else result


def run_scripts(scripts: "list[str]", environment: "dict[str, str]") -> "dict[str, str]":
    """Return *environment* as it is after *scripts* have run in one shell."""
    show = f'"{sys.executable}" -I -S -c "import json,os,sys;sys.stdout.write(chr(30)+json.dumps(dict(os.environ)))"'
    if os.name == "nt":
        calls = " & ".join(f'call "{script}"' for script in scripts)
        command = ["cmd", "/d", "/c", f"{calls} & {show}"]
    else:
        shell = next((found for found in ("/bin/bash", "/usr/bin/bash") if os.path.exists(found)), "/bin/sh")
        # each script is given as an argument, so that no name of a file is ever part of the program text
        program = 'interpreter="$1"; shift; for script in "$@"; do . "$script"; done 1>&2; exec "$interpreter" -I -S -c ' + (
            "'import json,os,sys;sys.stdout.write(chr(30)+json.dumps(dict(os.environ)))'"
        )
        command = [shell, "-c", program, shell, sys.executable, *scripts]
    try:
        output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False, timeout=60).stdout
        _, separator, text = output.decode("utf-8", "surrogateescape").rpartition("\x1e")
        return json.loads(text) if separator else environment
    except (OSError, ValueError, subprocess.SubprocessError):
        return environment


def note_use(prefix: str) -> None:
    """Leave the time of this start in the environment, for whoever looks for unused ones."""
    with contextlib.suppress(OSError):  # nobody keeps count here, or it may not be written to
        os.utime(os.path.join(prefix, ".carrel", "used"))


def main() -> None:
    """Activate and launch."""
    prefix, arguments = sys.argv[1], sys.argv[2:]
    note_use(prefix)
    environment = activated(prefix, dict(os.environ))
    program = sys.executable
    if arguments and not arguments[0].startswith("-"):
        program = os.path.join(prefix, arguments.pop(0))
    command = [program, *arguments]
    if os.name == "nt":
        # Windows has no exec: this process stays and hands on how the kernel ended. What Jupyter interrupts by are handles
        # that the kernel inherits.
        sys.exit(subprocess.call(command, env=environment, close_fds=False))
    os.execve(program, command, environment)


if __name__ == "__main__":
    main()
