"""Running uv: never a shell, never its configuration files, never a credential in an argument.

Indexes are exactly those of :class:`~carrel.environments.models.Sources`, in that order, and the first one that knows a name
is the only one asked for it (uv's own rule), so a private name cannot be taken over by a public index.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from carrel.core.errors import BadRequest, CarrelError, DigestMismatch, NotFound, Unauthenticated, Unavailable, Unsolvable, UpstreamError
from carrel.core.progress import CancelSignal, NeverCancelled, OnProgress, Progress
from carrel.environments import conflicts, processes
from carrel.environments.credentials import redact, user_and_password
from carrel.environments.models import Sources
from carrel.environments.naming import normalize
from carrel.environments.timeouts import network_timeout

_HASH = re.compile(
    r"Hash mismatch for `?([^`\n]+?)`?\s*\n.*?Expected:\s*sha256:([0-9a-f]+).*?Computed:\s*sha256:([0-9a-f]+)", re.DOTALL | re.IGNORECASE
)
_INTERESTING = re.compile(r"^\s*(Downloading|Downloaded|Building|Built|Prepared|Uninstalled|Installed|Resolved|[+~-]) ")


def executable() -> Path:
    """Return uv's executable.

    Raises
    ------
    Unavailable
        uv is not installed.
    """
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        raise Unavailable("uv is not installed beside Carrel: reinstall Carrel with its dependencies.", code="uv_missing") from error


def variables(sources: Sources, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a uv process: the indexes of *sources* and how to sign in to them, nothing from outside."""
    result = {key: value for key, value in (base or os.environ).items() if not _is_foreign(key)}
    result |= {"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_KEYRING_PROVIDER": "disabled"}
    result |= {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_HTTP_TIMEOUT": str(math.ceil(network_timeout()))}
    names = []
    for number, url in enumerate(sources.indexes):
        name = f"carrel{number}"
        names.append(f"{name}={_without_user(url)}")
        signed_in = user_and_password(url, sources.headers)
        if signed_in:
            result[f"UV_INDEX_CARREL{number}_USERNAME"], result[f"UV_INDEX_CARREL{number}_PASSWORD"] = signed_in
    if names:
        # the default index is the one asked last
        result["UV_DEFAULT_INDEX"] = names[-1]
        result["UV_INDEX"] = " ".join(names[:-1])
    return result


def no_index(sources: Sources) -> list[str]:
    """Return the argument that keeps uv from asking the index that it knows by itself, when *sources* have none. There is no variable."""
    return [] if sources.indexes else ["--no-index"]


def _is_foreign(key: str) -> bool:
    # whoever started this process may have other ideas of where packages come from; the cache is theirs to choose
    return (key.startswith(("UV_", "PIP_")) and key not in ("UV_CACHE_DIR", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS")) or key in (
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PYTHONPATH",
        "PYTHONHOME",
    )


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def run(
    arguments: Sequence[str | Path],
    *,
    sources: Sources,
    cancel: CancelSignal,
    on_event: OnProgress | None = None,
    stage: str = "link",
    directory: Path | None = None,
) -> str:
    """Run uv with *arguments* and return its standard output.

    Raises
    ------
    carrel.core.errors.CarrelError
        Its failure in words for people: unsolvable, wrong digest, unreachable index …
    """

    def on_stderr(line: str) -> None:
        if on_event is not None and _INTERESTING.match(line):
            on_event(Progress(stage, message=redact(line.strip(), sources.headers)))

    finished = processes.run(
        [executable(), *arguments, *(no_index(sources) if arguments[0] == "pip" else ())],
        cancel=cancel,
        environment=variables(sources),
        on_stderr=on_stderr,
        directory=directory,
    )
    if finished.returncode != 0:
        raise _error(redact(finished.stderr, sources.headers), [_without_user(url) for url in sources.indexes])
    return finished.stdout


def _error(text: str, indexes: Sequence[str]) -> CarrelError:
    lines = [line for line in text.splitlines() if not line.startswith(("Using Python", "warning:", "Resolved"))]
    message = "\n".join(lines).strip()
    message = re.sub(r"^error: |^\s*(?:cause|Caused by|╰─▶|×|├─▶|│)[: ]*", "", message, flags=re.MULTILINE).strip()
    lower = message.lower()
    if match := _HASH.search(text):
        name = match[1].strip()
        return DigestMismatch(
            f"{name} is not the file that was expected: its SHA-256 is {match[3]}, not {match[2]}. Nothing was changed. "
            "Do not trust this source before its owner has explained it.",
            filename=name,
            expected=match[2],
            found=match[3],
        )
    if "no solution found" in lower:
        tree = message.partition("\n")[2].strip() or message
        return Unsolvable(conflicts.uv_sentence(tree, indexes), explanation=tree)
    if "401 unauthorized" in lower or "403 forbidden" in lower:
        return Unauthenticated(f"A package index wants you to sign in, or does not let you read: {_sentence(message)}")
    if any(word in lower for word in ("error sending request", "failed to fetch", "connection refused", "timed out", "dns error")):
        return UpstreamError(f"A package index could not be reached: {_sentence(message)} Nothing was changed; try again.")
    if "no interpreter found" in lower or "no virtual environment found" in lower:
        return NotFound(_sentence(message), code="interpreter_not_found")
    return Unavailable(f"uv could not do this: {_sentence(message)}", code="installer_failed", log=message[-4000:])


def _sentence(text: str) -> str:
    joined = " ".join(line.strip() for line in text.splitlines() if line.strip())
    return joined[:600].rstrip() + ("…" if len(joined) > 600 else "")


def dry_run(
    python: Path,
    requirements: Sequence[str],
    *,
    upgrade: Sequence[str] = (),
    constraints: Sequence[str] = (),
    excludes: Sequence[str] = (),
    exclude_newer: str | None = None,
    sources: Sources,
    on_event: OnProgress,
    cancel: CancelSignal,
) -> list[tuple[str, str, str]]:
    """Return what installing *requirements* would do: ``(name, version, "installed" | "uninstalled")``.

    The version of what has to be built from a repository is empty: uv does not tell it here.
    *excludes* are taken for installed, whatever needs them.
    """
    files = {"requirements.txt": requirements, "constraints.txt": constraints, "excludes.txt": excludes}
    with workspace(files) as folder:
        arguments: list[str | Path] = ["pip", "install", "--dry-run", "--output-format", "json", "--python", python]
        arguments += ["--break-system-packages", "-r", folder / "requirements.txt", "-c", folder / "constraints.txt"]
        arguments += _until(exclude_newer)
        if excludes:
            arguments += ["--excludes", folder / "excludes.txt"]
        for name in upgrade:
            arguments += ["--upgrade-package", name]
        output = run(arguments, sources=sources, cancel=cancel, on_event=on_event, stage="solve")
    changes = json.loads(output)["changes"]
    return [(change["name"], change.get("version") or "", change["action"]) for change in changes]


def lock_pins(
    python: Path,
    pins: Mapping[str, str],
    *,
    sources: Sources,
    cancel: CancelSignal,
    exclude_newer: str | None = None,
    direct: Mapping[str, str] | None = None,
    refresh: bool = False,
) -> list[dict[str, Any]]:
    """Return the ``packages`` of a pylock.toml for exactly *pins* (name to version), files and digests included.

    *direct* are the requirements of those that come from an address of their own, by name. With *refresh*, indexes are asked
    again, however lately that was done.
    """
    lines = [(direct or {}).get(name) or f"{name}=={version}" for name, version in sorted(pins.items())]
    with workspace({"requirements.in": lines}) as folder:
        output = folder / "pylock.toml"
        arguments: list[str | Path] = ["pip", "compile", folder / "requirements.in", "--no-deps", "--format", "pylock.toml", "-o", output]
        arguments += ["--python", python, "--no-header", "--quiet", *_until(exclude_newer)]
        for name in pins if refresh else ():
            arguments += ["--refresh-package", name]
        run(arguments, sources=sources, cancel=cancel, stage="capture")
        return _packages(output)


PLATFORMS = {
    "linux-64": "x86_64-unknown-linux-gnu",
    "linux-aarch64": "aarch64-unknown-linux-gnu",
    "linux-riscv64": "riscv64-unknown-linux",
    "osx-64": "x86_64-apple-darwin",
    "osx-arm64": "aarch64-apple-darwin",
    "win-64": "x86_64-pc-windows-msvc",
    "win-32": "i686-pc-windows-msvc",
    "win-arm64": "aarch64-pc-windows-msvc",
}
"""What uv calls the platforms of conda."""


def lock_requirements(
    requirements: Sequence[str],
    *,
    python_version: str,
    platform: str,
    constraints: Sequence[str] = (),
    exclude_newer: str | None = None,
    sources: Sources,
    cancel: CancelSignal | None = None,
    on_event: OnProgress | None = None,
) -> list[dict[str, Any]]:
    """Return the ``packages`` of a pylock.toml that fulfil *requirements* on another platform, dependencies and digests included.

    Parameters
    ----------
    requirements, constraints : sequence of str
        PEP 508. Constraints cause no installation.
    python_version : str
        ``3.11`` or ``3.11.7``.
    platform : str
        conda's name of it (``osx-arm64``), or a platform as uv knows it (``x86_64-manylinux_2_28``).
    exclude_newer : str, optional
        RFC 3339: files that were published later, or do not say when, are not considered.

    Raises
    ------
    carrel.core.errors.Unsolvable
    carrel.core.errors.BadRequest
        uv knows no such platform.
    """
    if not requirements:
        return []
    if platform not in PLATFORMS and platform.count("-") < 2 and "manylinux" not in platform:
        raise BadRequest(f"Python packages cannot be resolved for {platform}.", code="unknown_platform")
    with workspace({"requirements.in": requirements, "constraints.txt": constraints}) as folder:
        output = folder / "pylock.toml"
        arguments: list[str | Path] = ["pip", "compile", folder / "requirements.in", "-c", folder / "constraints.txt"]
        arguments += ["--python-platform", PLATFORMS.get(platform, platform), "--python-version", python_version]
        arguments += ["--format", "pylock.toml", "-o", output, "--no-header", "--quiet", *_until(exclude_newer)]
        run(arguments, sources=sources, cancel=cancel or NeverCancelled(), on_event=on_event, stage="solve")
        return _packages(output)


def _until(exclude_newer: str | None) -> list[str]:
    return ["--exclude-newer", exclude_newer] if exclude_newer else []


def _packages(path: Path) -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8")).get("packages", [])
    return packages


def install_lock(
    python: Path,
    pylock: str,
    *,
    sources: Sources,
    on_event: OnProgress,
    cancel: CancelSignal,
    aside: Path | None = None,
    offline: bool = False,
) -> None:
    """Install what *pylock* (pylock.toml text) says, digests enforced.

    With *aside*, into that folder as if it were the environment's; with *offline*, from uv's cache.
    """
    with workspace({}) as folder:
        path = folder / "pylock.toml"
        path.write_text(pylock, encoding="utf-8")
        arguments: list[str | Path] = ["pip", "install", "--python", python, "--no-deps", "--break-system-packages"]
        arguments += ["--preview-features", "pylock", "-r", path]
        if aside:
            arguments += ["--prefix", aside]
        if offline:
            arguments.append("--offline")
        try:
            run(arguments, sources=sources, cancel=cancel, on_event=on_event, stage="download" if aside else "link")
        except DigestMismatch as error:
            raise _name_file(error, pylock) from None


def _name_file(error: DigestMismatch, pylock: str) -> DigestMismatch:
    """Return *error* with the name of the file, where uv says ``name==version``."""
    said = str(error.fields["filename"])
    name = normalize(re.split(r"[=@ ]", said, maxsplit=1)[0])
    for package in tomllib.loads(pylock).get("packages", []):
        archives = [*package.get("wheels", []), package.get("sdist"), package.get("archive")]
        for archive in archives:
            if archive and normalize(package["name"]) == name and archive["hashes"].get("sha256") == error.fields["expected"]:
                filename = archive.get("name") or str(archive.get("url") or archive.get("path")).rpartition("/")[2]
                return DigestMismatch(error.detail.replace(said, filename), **{**error.fields, "filename": filename})
    return error


def create_venv(prefix: Path, python: Path, *, cancel: CancelSignal) -> None:
    """Make an empty virtual environment at *prefix*."""
    run(["venv", prefix, "--python", python, "--no-project", "--quiet"], sources=Sources(), cancel=cancel)


def find_interpreters(*, cancel: CancelSignal) -> list[tuple[str, Path]]:
    """Return the interpreters of this machine: ``(version, path)``, CPython only, as uv finds them."""
    output = run(["python", "list", "--only-installed", "--output-format", "json"], sources=Sources(), cancel=cancel)
    return [(one["version"], Path(one["path"])) for one in json.loads(output) if one.get("implementation") == "cpython"]


@contextmanager
def workspace(files: Mapping[str, Sequence[str]]) -> Iterator[Path]:
    """Make a private folder with *files* (name to lines) for the time of one uv call."""
    with tempfile.TemporaryDirectory(prefix="carrel-uv-") as name:
        for filename, lines in files.items():
            Path(name, filename).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield Path(name)
