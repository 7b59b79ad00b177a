"""Compiling Python files ahead of their first import, with the environment's own interpreter.

The compiled files are what Python would write by itself at the first import: no record names them, and they go with their
source (:func:`carrel.environments.files.remove_files`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments import conda_meta, distributions, inspection, processes

_TESTS = re.compile(r"/tests?/")

# one package after another, so that progress is told in packages; what came compiled stays, as does what does not compile
# (templates, other versions)
_CODE = """
import importlib.util, json, os, py_compile, sys
for line in sys.stdin:
    name, files = json.loads(line)
    for file in files:
        if os.path.exists(importlib.util.cache_from_source(file)):
            continue
        try:
            py_compile.compile(file, doraise=True, quiet=2)
        except (py_compile.PyCompileError, OSError, ValueError, RecursionError):
            pass
    print(name, flush=True)
"""


def compile_packages(prefix: Path, names: Iterable[str], *, on_event: OnProgress, cancel: CancelSignal) -> None:
    """Compile the Python files of the named packages, in as many processes as there are cores.

    Raises
    ------
    carrel.core.errors.Cancelled
    """
    python = inspection.python_executable(prefix)
    sources = _sources(prefix, set(names))
    if python is None or not sources:
        return
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    total, done = len(sources), 0
    on_event(Progress("compile", 0, total, "packages"))

    def on_line(name: str) -> None:
        nonlocal done
        done += 1
        on_event(Progress("compile", done, total, "packages", name))

    count = min(os.cpu_count() or 1, total)
    # the largest first, dealt in turn: every process gets about the same
    ordered = sorted(sources.items(), key=lambda item: len(item[1]), reverse=True)
    shares = [ordered[number::count] for number in range(count)]
    tied = processes.tether.get()

    def run(share: list[tuple[str, list[str]]]) -> None:
        processes.tether.set(tied)  # another thread has another context
        text = "".join(json.dumps(item) + "\n" for item in share)
        processes.run([python, "-I", "-c", _CODE], cancel=cancel, environment=environment, stdin=text, on_stdout=on_line)

    with ThreadPoolExecutor(count) as pool:
        for finished in [pool.submit(run, share) for share in shares]:
            finished.result()


def _sources(prefix: Path, names: set[str]) -> Mapping[str, list[str]]:
    """Return the Python files below the library folders of the named packages, by package."""
    libraries = [f"{folder.relative_to(prefix).as_posix()}/" for folder in distributions.site_packages(prefix)]
    found: dict[str, list[str]] = {}
    for record in conda_meta.read_records(prefix) if conda_meta.is_conda_prefix(prefix) else ():
        if record.name in names:
            wanted = [file for file in conda_meta.files_of(record.path) if _is_worth_it(file) and any(map(file.startswith, libraries))]
            if wanted:
                found[record.name] = [str(prefix / file) for file in wanted]
    for one in inspection.python_distributions(prefix):
        if one.key in names:
            files = [
                str(path) for path in distributions.files_of(one) if _is_worth_it(path.as_posix()) and one.site_packages in path.parents
            ]
            if files:
                found[one.key] = files
    return found


def _is_worth_it(file: str) -> bool:
    """Whether *file* is Python that people import: a package's own tests, often half of it, are not."""
    return file.endswith(".py") and not _TESTS.search(file)
