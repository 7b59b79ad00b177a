"""Wheels of what is installed: put together again from its files, or built from its sources."""

from __future__ import annotations

import base64
import configparser
import contextlib
import csv
import hashlib
import io
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from packaging.tags import parse_tag

from carrel.core.errors import Conflict, Unavailable, Unprocessable
from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments import processes, remedy_notes
from carrel.environments.credentials import redact
from carrel.environments.distributions import Distribution, prefix_of, record_rows
from carrel.environments.models import Sources
from carrel.environments.naming import normalize
from carrel.environments.pypi import uv

_OF_INSTALLERS = frozenset(
    ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json", "RECORD.jws", "RECORD.p7s")
)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SCRIPT = re.compile(rb"#!.*python.*")


def repack(distribution: Distribution, folder: Path) -> Path:
    """Write a wheel of the installed *distribution* into *folder* and return its path.

    Every file is compared with its digest in ``RECORD``, so the wheel holds what was once installed and nothing that was
    changed since. Scripts that installers write themselves are left to them. The same installation gives the same bytes.

    Raises
    ------
    Unprocessable
        It has no complete record, or is an editable installation (code ``not_repackable``).
    Conflict
        Files were changed or removed since they were installed (code ``changed_since_installed``).
    """
    rows = record_rows(distribution.path)
    if not rows or not distribution.tags or distribution.editable_location is not None:
        raise Unprocessable(
            f"{distribution.name} {distribution.version} was installed without a complete record of its files.", code="not_repackable"
        )
    members: dict[str, bytes] = {}
    changed: list[str] = []
    base, info = distribution.site_packages, distribution.path.name
    prefix = prefix_of(base)
    scripts = _entry_points(distribution.path)
    stem = f"{re.sub(r'[-_.]+', '_', distribution.name)}-{distribution.version}"
    for row in rows:
        name, recorded = row[0], row[1] if len(row) > 1 else ""
        parts = PurePosixPath(name).parts
        if "__pycache__" in parts or name.endswith(".pyc") or (parts[0] == info and parts[-1] in _OF_INSTALLERS):
            continue
        path = Path(os.path.normpath(base / name))
        member = _member(path, base, prefix, info, stem, scripts)
        if member is None:
            continue
        try:
            data = path.read_bytes()
        except OSError:
            changed.append(name)
            continue
        if recorded != _digest(data):
            changed.append(name)
        members[member] = _neutral(data) if ".data/scripts/" in member else data
    if changed:
        raise Conflict(
            f"{distribution.name} {distribution.version} was changed after it was installed ({', '.join(sorted(changed)[:3])}). "
            "Install it again, or build it from its sources.",
            code="changed_since_installed",
            files=sorted(changed)[:100],
        )
    filename = f"{stem}-{_compressed(distribution.tags)}.whl"
    return _write(folder / filename, members, f"{stem}.dist-info")


def _member(path: Path, base: Path, prefix: Path, info: str, stem: str, scripts: frozenset[str]) -> str | None:
    """Return where *path* is in a wheel; None when installers make it by themselves."""
    if path.is_relative_to(base):
        relative = path.relative_to(base).as_posix()
        return f"{stem}.dist-info/{relative.partition('/')[2]}" if relative.startswith(f"{info}/") else relative
    if not path.is_relative_to(prefix):
        raise Unprocessable(f"{path.name} was installed outside of the environment.", code="not_repackable")
    below = path.relative_to(prefix).as_posix()
    folder, _, rest = below.partition("/")
    if folder in ("bin", "Scripts") and rest:
        return None if rest.removesuffix(".exe") in scripts else f"{stem}.data/scripts/{rest}"
    return f"{stem}.data/data/{below}"


def _entry_points(info: Path) -> frozenset[str]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    with contextlib.suppress(OSError, UnicodeDecodeError, configparser.Error):
        parser.read_string((info / "entry_points.txt").read_text(encoding="utf-8"))
    return frozenset(name for kind in ("console_scripts", "gui_scripts") if parser.has_section(kind) for name in parser[kind])


def _neutral(script: bytes) -> bytes:
    """Return *script* so that installers put their own interpreter into its first line."""
    first, newline, rest = script.partition(b"\n")
    return b"#!python" + newline + rest if _SCRIPT.match(first) else script


def _compressed(tags: Sequence[str]) -> str:
    parsed = [sorted(parse_tag(text), key=str) for text in tags]
    found = [tag for group in parsed for tag in group]
    columns = ([tag.interpreter for tag in found], [tag.abi for tag in found], [tag.platform for tag in found])
    return "-".join(".".join(dict.fromkeys(column)) for column in columns)


def with_version(wheel: Path, version: str) -> Path:
    """Write the wheel beside itself as *version* and return its path."""
    name, old, *tags = wheel.name.removesuffix(".whl").split("-")
    before, after = f"{name}-{old}", f"{name}-{version}"
    members: dict[str, bytes] = {}
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            top, slash, rest = member.partition("/")
            renamed = after + top.removeprefix(before) if top in (f"{before}.dist-info", f"{before}.data") else top
            if member.endswith("/") or (top == f"{before}.dist-info" and rest in _OF_INSTALLERS):
                continue
            data = archive.read(member)
            if top == f"{before}.dist-info" and rest == "METADATA":
                data = re.sub(rb"(?m)^Version:.*$", f"Version: {version}".encode(), data, count=1)
            members[f"{renamed}{slash}{rest}"] = data
    return _write(wheel.with_name("-".join([after, *tags]) + ".whl"), members, f"{after}.dist-info")


def _write(path: Path, members: Mapping[str, bytes], info: str) -> Path:
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(members.items(), key=lambda member: (member[0].startswith(f"{info}/"), member[0])):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (0o755 if ".data/scripts/" in name else 0o644) << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
            rows.writerow([name, _digest(data), len(data)])
        rows.writerow([f"{info}/RECORD", "", ""])
        entry = zipfile.ZipInfo(f"{info}/RECORD", _EPOCH)
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, record.getvalue(), zipfile.ZIP_DEFLATED)
    return path


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def holds_the_same(wheel: Path, distribution: Distribution) -> bool:
    """Whether *distribution* was installed from exactly this wheel, by the digests of both records."""
    installed = {row[0]: row[1] for row in record_rows(distribution.path) if len(row) > 1 and row[1]}
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
            shipped = {row[0]: row[1] for row in csv.reader(io.StringIO(archive.read(name).decode())) if len(row) > 1 and row[1]}
    except (OSError, zipfile.BadZipFile, StopIteration, UnicodeDecodeError):
        return False
    inside = {name: digest for name, digest in shipped.items() if not re.match(r"[^/]+\.data/", name)}
    return bool(inside) and all(installed.get(name) == digest for name, digest in inside.items())


def build(
    folder: Path,
    target: Path,
    *,
    python: Path,
    version: str,
    sources: Sources,
    network: bool,
    on_event: OnProgress,
    cancel: CancelSignal,
) -> Path:
    """Build a wheel from the sources in *folder*, in a clean copy, and return where it is in *target*.

    Parameters
    ----------
    python : Path
        Interpreter of the environment: the wheel is made for it.
    version : str
        The installed version, for sources that ask their repository for it.
    network : bool
        Whether what is needed for building may be fetched from the indexes of *sources*; else it must be in uv's cache.

    Raises
    ------
    Unavailable
        It cannot be built (code ``build_failed``; field ``log``).
    carrel.core.errors.Cancelled
    """
    on_event(Progress("build", message=f"Building a wheel from {folder.name}"))
    with tempfile.TemporaryDirectory(prefix="carrel-build-") as name:
        copy = Path(name, folder.name)
        copy.mkdir()
        for path in remedy_notes.sources_in(folder):
            place = copy / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place, follow_symlinks=not path.is_symlink())
        if (folder / ".git").is_dir():  # some builds ask it which files belong to them
            shutil.copytree(folder / ".git", copy / ".git", symlinks=True)
        environment = uv.variables(sources if network else Sources())
        environment |= {"SOURCE_DATE_EPOCH": "315532800", "SETUPTOOLS_SCM_PRETEND_VERSION": version, "PDM_BUILD_SCM_VERSION": version}
        if not network:
            # the cache is looked up by index
            environment |= {key: value for key, value in uv.variables(sources).items() if key.startswith(("UV_INDEX", "UV_DEFAULT_INDEX"))}
            environment["UV_OFFLINE"] = "1"
        finished = processes.run(
            [
                uv.executable(),
                "build",
                copy,
                "--wheel",
                "--out-dir",
                target,
                "--python",
                python,
                "--no-create-gitignore",
                *(uv.no_index(sources) if network else ()),
            ],
            cancel=cancel,
            environment=environment,
            directory=copy,
        )
    made = sorted(target.glob("*.whl"))
    if finished.returncode or len(made) != 1:
        log = redact(finished.stderr, sources.headers).replace(name, "…")[-4000:]
        how = "" if network else " Nothing was fetched for it: allow that, if it needs build tools that are not in the cache."
        raise Unavailable(f"{folder.name} could not be built.{how}", code="build_failed", log=log, name=normalize(folder.name))
    return made[0]
