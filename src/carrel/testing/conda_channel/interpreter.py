"""The ``python`` package, made of an installed interpreter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from carrel.testing.conda_channel.packages import PLACEHOLDER, Member, Package

_DROPPED = {"__pycache__", "site-packages", "dist-packages", "test", "tests", "idle_test", "idlelib", "tkinter", "turtledemo", "lib2to3"}
_DROPPED_FILES = {"EXTERNALLY-MANAGED", "sitecustomize.py", "usercustomize.py"}
_DROPPED_MODULES = ("_tkinter.", "_test", "_ctypes_test.", "_xxtest", "xxlimited")
_ASK = """
import json, platform, sys, sysconfig
from sysconfig import get_config_var as var
print(json.dumps({
    "version": platform.python_version(), "tag": "%d.%d" % sys.version_info[:2], "base": sys.base_prefix,
    "stdlib": sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}),
    "include": sysconfig.get_path("include", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}),
    "executable": getattr(sys, "_base_executable", sys.executable), "libdir": var("LIBDIR") or "",
    "library": (var("INSTSONAME") or "") if var("Py_ENABLE_SHARED") else "",
    "platform": sys.platform, "machine": platform.machine(),
}))
"""


class UnsupportedInterpreter(RuntimeError):
    """No package can be made of this interpreter on this machine."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What an interpreter says about itself; ``tag`` is ``3.11``, ``library`` the file name of a shared libpython."""

    version: str
    tag: str
    base: Path
    stdlib: Path
    include: Path
    executable: Path
    libdir: Path
    library: str
    subdir: str

    @property
    def abi(self) -> str:
        """ABI tag, such as ``cp311``."""
        return "cp" + self.tag.replace(".", "")


def inspect_interpreter(python: Path) -> Interpreter:
    """Ask *python* for its version and layout (of the base interpreter, when it is a virtual environment's).

    Raises
    ------
    UnsupportedInterpreter
    """
    said = json.loads(subprocess.run([python, "-I", "-c", _ASK], check=True, capture_output=True, text=True).stdout)
    machines = {"x86_64": "linux-64", "aarch64": "linux-aarch64", "ppc64le": "linux-ppc64le"}
    subdir = machines.get(said["machine"]) if said["platform"] == "linux" else None
    if subdir is None:
        raise UnsupportedInterpreter(f"Packages of the interpreter are made on Linux only, not on {said['platform']} {said['machine']}.")
    paths = {key: Path(said[key]) for key in ("base", "stdlib", "include", "libdir")}
    executable = Path(said["executable"]).resolve()
    return Interpreter(said["version"], said["tag"], executable=executable, library=said["library"], subdir=subdir, **paths)


def python_package(interpreter: Interpreter, patchelf: Path | None) -> Package:
    """Return the ``python`` package of *interpreter*.

    Parameters
    ----------
    patchelf : Path or None
        The program that sets the library path; needed when the interpreter uses a shared libpython.

    Raises
    ------
    UnsupportedInterpreter
    """
    lib = f"lib/python{interpreter.tag}"
    members = [
        Member(f"bin/python{interpreter.tag}", _binary(interpreter.executable, patchelf if interpreter.library else None), executable=True),
        Member("bin/python3", link_target=f"python{interpreter.tag}"),
        Member("bin/python", link_target=f"python{interpreter.tag}"),
        Member(f"{lib}/site-packages/README.txt", b"This directory contains packages.\n"),
    ]
    if interpreter.library:
        if patchelf is None:
            raise UnsupportedInterpreter("This interpreter uses a shared libpython; install patchelf to make a package of it.")
        candidates = [interpreter.base / "lib" / interpreter.library, interpreter.libdir / interpreter.library]
        library = next((path for path in candidates if path.is_file()), None)
        if library is None:
            raise UnsupportedInterpreter(f"{interpreter.library} was not found beside the interpreter.")
        members.append(Member(f"lib/{interpreter.library}", _binary(library), executable=True))
        members.append(Member(f"lib/libpython{interpreter.tag}.so", link_target=interpreter.library))
    with ThreadPoolExecutor(4) as pool:
        members += pool.map(lambda path: _library_member(interpreter, lib, path), _files(interpreter.stdlib))
    members += [
        Member(f"include/python{interpreter.tag}/{path.relative_to(interpreter.include).as_posix()}", path.read_bytes())
        for path in _files(interpreter.include)
    ]
    if (interpreter.stdlib.parent / "python3" / "dist-packages").is_dir():
        # Debian's frozen ``site`` looks only there; patching site.py would have no effect.
        members.append(Member("lib/python3/dist-packages", link_target=f"../python{interpreter.tag}/site-packages"))
    license_file = interpreter.stdlib / "LICENSE.txt"
    return Package(
        "python",
        interpreter.version,
        tuple(sorted(members, key=lambda m: m.path)),
        depends=("tzdata",),
        constrains=(f"python_abi {interpreter.tag}.* *_{interpreter.abi}",),
        subdir=interpreter.subdir,
        build=("h", "_0_cpython"),
        run_exports={"weak": [f"python_abi {interpreter.tag}.* *_{interpreter.abi}"], "noarch": ["python"]},
        about={"license": "Python-2.0", "summary": "General purpose programming language", "home": "https://www.python.org/"},
        licenses={"LICENSE": license_file.read_bytes()} if license_file.is_file() else {},
        extra_index={"python_site_packages_path": f"{lib}/site-packages"},
    )


def python_abi_package(interpreter: Interpreter) -> Package:
    """Return ``python_abi``, which ties packages with compiled code to one minor version."""
    return Package(
        "python_abi",
        interpreter.tag,
        (),
        constrains=(f"python {interpreter.tag}.* *_cpython",),
        noarch="generic",
        build=("h", f"_0_{interpreter.abi}"),
        about={"license": "BSD-3-Clause", "summary": "Metapackage to select the Python ABI"},
    )


def _files(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _DROPPED)
        for name in sorted(names):
            dropped = name in _DROPPED_FILES or name.startswith(_DROPPED_MODULES) or name.endswith((".a", ".o", ".pyc"))
            if not dropped and (path := Path(root, name)).is_file():
                found.append(path)
    return found


def _library_member(interpreter: Interpreter, lib: str, path: Path) -> Member:
    relative = path.relative_to(interpreter.stdlib).as_posix()
    data = _binary(path) if path.suffix == ".so" else path.read_bytes()
    if relative.startswith(("_sysconfigdata", "config-")) and path.suffix != ".so":
        data = data.replace(str(interpreter.base).encode(), PLACEHOLDER.encode()) if interpreter.base != Path("/usr") else data
    if relative == "sysconfig.py":  # Debian's would install below <prefix>/local
        data = data.replace(b"prefix_scheme = 'posix_local'", b"prefix_scheme = 'posix_prefix'")
    return Member(f"{lib}/{relative}", data, executable=path.suffix == ".so")


def _binary(path: Path, patchelf: Path | None = None) -> bytes:
    """Return the bytes of the ELF file *path* without debugging symbols, with ``$ORIGIN/../lib`` as library path if *patchelf*."""
    strip = shutil.which("strip")
    if strip is None and patchelf is None:
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(path, folder))
        copy.chmod(0o755)
        if strip is not None:
            subprocess.run([strip, "--strip-unneeded", copy], check=True, capture_output=True)
        if patchelf is not None:
            subprocess.run([patchelf, "--force-rpath", "--set-rpath", "$ORIGIN/../lib", copy], check=True, capture_output=True)
        return copy.read_bytes()
