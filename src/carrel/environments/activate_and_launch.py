# os.path starts faster than pathlib, and annotations are text for the sake of any Python 3.
# ruff: noqa: PTH110, PTH118, PTH119, PTH123, PTH208, S606
"""Activate a conda environment, then become its kernel: ``activate_and_launch.py PREFIX ARGUMENT…``.

Copied into kernelspecs and run by the environment's own Python; the standard library of Python 3.8 and newer is all it may
use. The order is conda's: packages' variables, the environment's own variables, then the packages' scripts.
"""

import json
import os
import subprocess
import sys


def read_variables(path: str) -> "dict[str, str]":
    """Return the variables in a JSON file; a damaged one must not keep the kernel from starting."""
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def listed(folder: str, suffixes: "tuple[str, ...]") -> "list[str]":
    """Return the files of *folder* with one of *suffixes*, in order."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.endswith(suffixes)]


def activated(prefix: str, environment: "dict[str, str]") -> "dict[str, str]":
    """Return *environment* with the environment at *prefix* activated in it."""
    windows = os.name == "nt"
    folders = ["", "Library\\mingw-w64\\bin", "Library\\usr\\bin", "Library\\bin", "Scripts", "bin"] if windows else ["bin"]
    path = [os.path.join(prefix, folder).rstrip("\\/") for folder in folders]
    known = set(path)
    path += [folder for folder in environment.get("PATH", os.defpath).split(os.pathsep) if folder not in known]
    result = {key: value for key, value in environment.items() if key not in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")}
    name = os.path.basename(prefix)
    result.update(PATH=os.pathsep.join(path), CONDA_PREFIX=prefix, CONDA_DEFAULT_ENV=name, CONDA_PROMPT_MODIFIER=f"({name}) ")
    result.setdefault("CONDA_SHLVL", "1")
    for file in listed(os.path.join(prefix, "etc", "conda", "env_vars.d"), (".json",)):
        result.update(read_variables(file))
    try:
        with open(os.path.join(prefix, "conda-meta", "state"), encoding="utf-8") as handle:
            own = json.load(handle).get("env_vars", {})
    except (OSError, ValueError, AttributeError):
        own = {}
    for key, value in own.items():
        if value == "***unset***":
            result.pop(key, None)
        else:
            result[key] = str(value)
    scripts = listed(os.path.join(prefix, "etc", "conda", "activate.d"), (".bat",) if windows else (".sh",))
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


def main() -> None:
    """Activate and launch."""
    prefix, arguments = sys.argv[1], sys.argv[2:]
    environment = activated(prefix, dict(os.environ))
    program = sys.executable
    if arguments and not arguments[0].startswith("-"):
        program = os.path.join(prefix, arguments.pop(0))
    command = [program, *arguments]
    if os.name == "nt":
        # Windows has no exec: this process stays and hands on how the kernel ended
        sys.exit(subprocess.call(command, env=environment))
    os.execve(program, command, environment)


if __name__ == "__main__":
    main()
