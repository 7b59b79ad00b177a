#!/usr/bin/env python3
"""Set up, check and run Carrel from a checkout: ``python3 dev.py test``, ``python3 dev.py demo``.

Needs Python 3.11 or newer and nothing else. Everything is installed into ``.venv`` and ``labextension/node_modules``;
both are used again as long as the files that define them do not change. ``python3 dev.py --help`` lists the commands.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
FRONT_END = ROOT / "labextension"
STAMP = VENV / "carrel-setup.json"
NODE_MINIMUM = (20, 19)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

_children: set[subprocess.Popen[bytes]] = set()
_ending = threading.Event()
_print_lock = threading.Lock()


class Failed(Exception):
    """A command failed; the message is for the person."""


# --- child processes --------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    """Print one line at once, whole even when several threads print."""
    with _print_lock:
        print(text, flush=True)


def environment() -> dict[str, str]:
    """Return the variables for all child processes: the virtual environment's programs come first."""
    env = {**os.environ, "VIRTUAL_ENV": str(VENV), "PATH": os.pathsep.join([str(SCRIPTS), os.environ.get("PATH", "")])}
    env.pop("PYTHONHOME", None)
    return {**env, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NPM_CONFIG_FUND": "false", "NPM_CONFIG_AUDIT": "false"}


def start(command: Sequence[str | Path], *, cwd: Path = ROOT, env: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """Start *command* in a session of its own: Ctrl-C reaches this program alone, which passes it on once."""
    if _ending.is_set():
        raise Failed("Interrupted.")
    variables = {**environment(), **(env or {})}
    words = [str(part) for part in command]
    words[0] = shutil.which(words[0], path=variables["PATH"]) or words[0]  # Windows needs the suffix of npm.cmd
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options}
    process = subprocess.Popen(words, cwd=cwd, env=variables, start_new_session=True, **streams)
    _children.add(process)
    return process


def end_children() -> None:
    """Interrupt what runs, give it time to clean up, then kill it."""
    _ending.set()
    for child in list(_children):
        child.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
    for child in list(_children):
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            child.wait(30)
        child.kill()


def run(command: Sequence[str | Path], *, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run *command* quietly and return its output; raise :class:`Failed` with the output when it fails."""
    process = start(command, cwd=cwd, env=env, stderr=subprocess.STDOUT)
    try:
        output = process.communicate()[0].decode(errors="replace")
    finally:
        _children.discard(process)
    if process.returncode:
        raise Failed(f"{' '.join(map(str, command[:6]))} failed with status {process.returncode}:\n{output.strip()}")
    return output


def timed(title: str, command: Sequence[str | Path], *, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Run *command* quietly and say how long it took."""
    began = time.monotonic()
    run(command, cwd=cwd, env=env)
    say(f"  {title:<34} {time.monotonic() - began:6.1f} s")


def in_parallel(works: Iterable[Callable[[], object]]) -> None:
    """Do all *works* at the same time and wait; at the first failure the others are interrupted."""
    pool = ThreadPoolExecutor(8)
    futures = [pool.submit(work) for work in works]
    try:
        for future in futures:
            future.result()
    except BaseException:
        end_children()
        raise
    finally:
        pool.shutdown()


# --- setting up -------------------------------------------------------------------------------------------------------


def digest(*paths: Path) -> str:
    """Return a digest of files and of whole folders."""
    found = hashlib.sha256()
    for path in paths:
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            found.update(f"{file.relative_to(ROOT)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def read_project() -> dict[str, Any]:
    """Return pyproject.toml."""
    import tomllib  # not in Python 3.10, where this file has to get as far as saying so

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def setup(extra: str) -> None:
    """Make the virtual environment and the front end ready for *extra* (``lab``, or ``test`` which includes it).

    The front end is built here rather than by pip's build hook: Python's and the front end's packages are fetched side
    by side, and nothing is built when its sources are the same.
    """
    sources = ["package.json", "package-lock.json", "tsconfig.json", "src", "style", "schema"]
    wanted = {
        "version": sys.version,
        "python": digest(ROOT / "pyproject.toml"),
        "node": digest(FRONT_END / "package.json", FRONT_END / "package-lock.json"),
        "front_end": digest(*(FRONT_END / name for name in sources)),
    }
    done: dict[str, Any] = json.loads(STAMP.read_text()) if STAMP.is_file() else {}
    if done.get("version") != wanted["version"]:
        say("Setting up (the first time takes a few minutes)")
        done = {}
        make_venv()
    lock = threading.Lock()

    def remember(**values: object) -> None:
        with lock:
            done.update(values)
            STAMP.write_text(json.dumps(done, indent=1))

    def python_packages() -> None:
        install_python(extra)
        remember(python=wanted["python"], extra=extra)

    def node_packages() -> None:
        timed("front-end packages", ["npm", "ci", "--no-progress"], cwd=FRONT_END)
        remember(node=wanted["node"])

    remember(version=wanted["version"])
    works: list[Callable[[], object]] = []
    if done.get("python") != wanted["python"] or done["extra"] not in {extra, "test"}:
        works.append(python_packages)
    built = done.get("front_end") == wanted["front_end"] and (FRONT_END / "dist" / "package.json").is_file()
    if (not built or extra == "test") and (done.get("node") != wanted["node"] or not (FRONT_END / "node_modules").is_dir()):
        ensure_node()
        works.append(node_packages)
    in_parallel(works)
    if not built:
        # After a compile error the incremental state can say that everything was written when nothing was.
        shutil.rmtree(FRONT_END / "lib", ignore_errors=True)
        (FRONT_END / "tsconfig.tsbuildinfo").unlink(missing_ok=True)
        timed("front-end build", ["npm", "run", "build"], cwd=FRONT_END)
        remember(front_end=wanted["front_end"])
    installed = f"{wanted['python']} {wanted['front_end']}"
    if done.get("installed") != installed:
        install: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT]
        timed("carrel itself", install, env={"SKIP_JUPYTER_BUILDER": "1"})
        remember(installed=installed)


def make_venv() -> None:
    """Create the virtual environment with a current pip."""
    try:
        venv.create(VENV, clear=VENV.exists(), with_pip=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError as error:
        raise Failed("No virtual environment could be made; on Debian and Ubuntu install the package python3-venv.") from error
    timed("virtual environment", [PYTHON, "-m", "pip", "install", "--quiet", "--upgrade", "pip"])


def install_python(extra: str) -> None:
    """Install what the project needs, without the project: that one waits for the front end."""
    project = read_project()
    table = project["project"]

    def expand(name: str) -> list[str]:
        found: list[str] = []
        for requirement in table["optional-dependencies"][name]:
            nested = re.fullmatch(rf"{table['name']}\[(.+)\]", requirement.replace(" ", ""))
            found += [r for part in nested.group(1).split(",") for r in expand(part)] if nested else [requirement]
        return found

    needed = [*table["dependencies"], *expand(extra), *project["build-system"]["requires"], "editables"]
    timed("Python packages", [PYTHON, "-m", "pip", "install", "--quiet", *needed])


def ensure_node() -> None:
    """Make sure that ``npm`` runs on a Node.js that the front end's tools accept."""
    path = environment()["PATH"]
    node = shutil.which("node", path=path)
    if node and shutil.which("npm", path=path):
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= NODE_MINIMUM:
            return
    requirement = next(r for r in read_project()["build-system"]["requires"] if r.startswith("nodejs"))
    timed("Node.js", [PYTHON, "-m", "pip", "install", "--quiet", requirement])


def missing_programs() -> list[str]:
    """Return the Debian packages whose programs the tests use and this machine lacks."""
    missing = []
    if not os.environ.get("CHROMIUM") and not any(shutil.which(name) for name in BROWSERS):
        missing.append("chromium")
    if not shutil.which("postgres") and not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        missing.append("postgresql")
    if not shutil.which("Rscript"):
        missing += ["r-base-core", "r-cran-irkernel"]
    elif not has_r_kernel():
        missing.append("r-cran-irkernel")
    return missing


def has_r_kernel() -> bool:
    """Whether R, which is there, has its Jupyter kernel."""
    try:
        run(["Rscript", "--vanilla", "-e", "quit(status = !nzchar(system.file(package = 'IRkernel')))"])
    except Failed:
        return False
    return True


def ensure_programs() -> None:
    """Install the browser, PostgreSQL and R with its kernel where that is possible, else say what the tests will do without them."""
    missing = missing_programs()
    if missing and shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"] if IN_CI and shutil.which("sudo") else None
        if sudo is not None:
            quiet = {"DEBIAN_FRONTEND": "noninteractive"}
            try:
                timed("apt-get update", [*sudo, "apt-get", "update"], env=quiet)
                install = [*sudo, "apt-get", "install", "-y", "--no-install-recommends", *missing]
                timed(f"apt-get install {' '.join(missing)}", install, env=quiet)
            except Failed as error:
                say(str(error))
            missing = missing_programs()
    for name in missing:
        say(f"  {name} was not found: its tests {'fail' if IN_CI else 'are skipped'}. Install it for the whole suite.")


# --- checking ---------------------------------------------------------------------------------------------------------

PYTHON_CHECKS: dict[str, list[str]] = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "import-linter": ["lint-imports"],
    "mypy": ["mypy"],
}
FRONT_END_CHECKS: dict[str, list[str]] = {
    "eslint": ["npx", "eslint", "."],
    "prettier": ["npx", "prettier", "--check", "."],
    "tsc": ["npx", "tsc", "--noEmit"],
}
FRONT_END_TESTS: dict[str, list[str]] = {"vitest": ["npx", "vitest", "run"]}


class Results:
    """The checks that failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def check(self, title: str, command: Sequence[str], cwd: Path) -> None:
        """Run one check quietly, and say how it went."""
        began = time.monotonic()
        try:
            run(command, cwd=cwd)
        except Failed as error:
            if _ending.is_set():
                return
            self.failed.append(title)
            say(f"  {title:<34} {time.monotonic() - began:6.1f} s  FAILED\n{error}\n")
        else:
            say(f"  {title:<34} {time.monotonic() - began:6.1f} s  ok")

    def check_all(self, *lanes: tuple[dict[str, list[str]], Path]) -> None:
        """Run the checks of each lane one after another, and the lanes beside each other."""

        def work(checks: dict[str, list[str]], cwd: Path) -> None:
            for title, command in checks.items():
                if not _ending.is_set():
                    self.check(title, command, cwd)

        say("Checking")
        in_parallel([lambda checks=checks, cwd=cwd: work(checks, cwd) for checks, cwd in lanes])  # type: ignore[misc]


def exec_python(*arguments: str) -> int:
    """Become the virtual environment's Python with *arguments*, so that the terminal is all its own."""
    os.chdir(ROOT)
    program = [str(PYTHON), *arguments]
    if os.name == "nt":
        return subprocess.run(program, env=environment(), check=False).returncode
    os.execve(program[0], program, environment())


def whole_suite() -> tuple[int, str]:
    """Run pytest with its output shown as it comes; return the status and its closing line."""
    env = {"CARREL_REQUIRE_ALL": "1"} if IN_CI else {}
    color = ["--color=yes"] if sys.stdout.isatty() else []
    # A file stays with one worker, because servers and browsers are started once per module.
    workers = ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile"]
    process = start([PYTHON, "-m", "pytest", "--ignore=tests/benchmarks", *workers, *color], env=env)
    end = b""
    while process.stdout is not None and (chunk := os.read(process.stdout.fileno(), 65536)):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        end = (end + chunk)[-4000:]
    status = process.wait()
    _children.discard(process)
    closing = [line for line in end.decode(errors="replace").splitlines() if re.search(r"=.* in [\d.]+s", line)]
    return status, closing[-1] if closing else ""


# --- commands ---------------------------------------------------------------------------------------------------------


def command_demo(arguments: list[str]) -> int:
    """Start a hub with data and a JupyterLab that uses it."""
    setup("lab")
    return exec_python("-m", "carrel.demo", *arguments)


def command_test(arguments: list[str]) -> int:
    """Run every check and the whole suite; with arguments, only pytest with those."""
    began = time.monotonic()
    in_parallel([lambda: setup("test"), ensure_programs])
    if arguments:
        return exec_python("-m", "pytest", *arguments)
    results = Results()
    results.check_all((PYTHON_CHECKS, ROOT), ({**FRONT_END_CHECKS, **FRONT_END_TESTS}, FRONT_END))
    say("Testing")
    status, closing = whole_suite()
    if status:
        results.failed.append("pytest")
    verdict = f"FAILED: {', '.join(results.failed)}." if results.failed else "All checks passed."
    say(f"\nEverything took {time.monotonic() - began:.0f} s. {verdict}")
    if closing:
        say(closing)
    return 1 if results.failed else 0


def command_benchmark(arguments: list[str]) -> int:
    """Run the benchmarks; figures are printed beside peers and physical limits."""
    setup("test")
    return exec_python("-m", "pytest", "tests/benchmarks", "-s", *arguments)


def command_lint(_arguments: list[str]) -> int:
    """Run the checks that need no tests: style, types, import rules."""
    setup("test")
    results = Results()
    results.check_all((PYTHON_CHECKS, ROOT), (FRONT_END_CHECKS, FRONT_END))
    return 1 if results.failed else 0


def command_format(_arguments: list[str]) -> int:
    """Rewrite the sources in the project's style."""
    setup("test")
    run(["ruff", "check", "--fix", "--exit-zero", "--quiet", "."])
    say(run(["ruff", "format", "."]).strip())
    run(["npm", "run", "format"], cwd=FRONT_END)
    return 0


def command_build(_arguments: list[str]) -> int:
    """Build the source distribution and the wheel into dist/."""
    setup("lab")
    run([PYTHON, "-m", "pip", "install", "--quiet", "build"])
    # The build keeps a front end that exists already, even an old one or one for development.
    shutil.rmtree(FRONT_END / "dist", ignore_errors=True)
    timed("sdist and wheel", [PYTHON, "-m", "build", "--outdir", ROOT / "dist", ROOT])
    for path in sorted((ROOT / "dist").iterdir()):
        say(f"  {path.relative_to(ROOT)}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


def command_setup(_arguments: list[str]) -> int:
    """Install everything that the other commands need."""
    in_parallel([lambda: setup("test"), ensure_programs])
    say("Ready.")
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "demo": command_demo,
    "test": command_test,
    "benchmark": command_benchmark,
    "lint": command_lint,
    "format": command_format,
    "build": command_build,
    "setup": command_setup,
}


def main() -> int:
    """Run the command that was asked for."""
    commands = "\n".join(f"  {name:<10} {(function.__doc__ or '').splitlines()[0]}" for name, function in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="dev.py",
        description="Set up, check and run Carrel from a checkout.",
        epilog=f"commands:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="command")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on (to pytest, to carrel demo)")
    options = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is started with whatever Python there is
        parser.error(f"Carrel needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return COMMANDS[options.command](options.arguments)
    except Failed as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted; ending what runs.")
        end_children()
        return 130


if __name__ == "__main__":
    sys.exit(main())
