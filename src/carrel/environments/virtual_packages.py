"""Virtual packages (CEP 30): what a machine has that packages may ask for, as ``name=version=build``.

Those of this machine are read without the native library, which only child processes load, and are the same as it finds, but
that a processor is told by its generic level. ``CONDA_OVERRIDE_…`` variables win, as in conda: empty means absent.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from carrel.core.errors import BadRequest
from carrel.environments.locations import current_platform

# what other machines are taken to have: the oldest systems that the ecosystem's other tools expect as well
_GLIBC = "2.28"
_LINUX = "4.18"
_OSX = "13.0"
_WINDOWS = "10.0"

_ARCHSPECS = {"64": "x86_64", "32": "x86", "osx-arm64": "m1", "arm64": "aarch64"}
_FLAGS = (
    ("x86_64_v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
    ("x86_64_v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}),
    ("x86_64_v2", {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
)
_VERSION = re.compile(r"\d+(?:\.\d+)*")
_CUDA_LIBRARIES = {"linux": ("libcuda.so.1", "libcuda.so"), "win32": ("nvcuda.dll",), "darwin": ()}


def detect(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the virtual packages of this machine."""
    system = current_platform().partition("-")[0]
    found: dict[str, tuple[str, str]] = {}
    if system in ("linux", "osx"):
        found["__unix"] = ("0", "0")
    if system == "linux":
        found["__linux"] = (_leading_version(platform.release()) or "0", "0")
        if glibc := _glibc():
            found["__glibc"] = (glibc, "0")
    elif system == "osx":
        found["__osx"] = (platform.mac_ver()[0] or "0", "0")
    elif system == "win":
        found["__win"] = (platform.version() or "0", "0")
    if cuda := _cuda():
        found["__cuda"] = (cuda, "0")
    found["__archspec"] = ("1", _archspec())
    _override(found, environ)
    return _as_text(found)


def _override(found: dict[str, tuple[str, str]], environ: Mapping[str, str]) -> None:
    for name in ("cuda", "glibc", "linux", "osx", "win", "archspec"):
        value = environ.get(f"CONDA_OVERRIDE_{name.upper()}")
        if value is None or (name in ("osx", "glibc", "linux", "win") and f"__{name}" not in found):
            continue
        if name == "archspec":
            found["__archspec"] = ("1", value or "0")
        elif value:
            found[f"__{name}"] = (value, "0")
        else:
            found.pop(f"__{name}", None)


def defaults(platform: str, requirements: Iterable[tuple[str, str]] = ()) -> tuple[str, ...]:
    """Return the virtual packages that machines of *platform* are taken to have.

    Parameters
    ----------
    platform : str
        conda's name of it.
    requirements : iterable of (str, str)
        What they have at least, as :attr:`~carrel.formats.environment.spec.EnvironmentSpec.system_requirements` tells it:
        ``("glibc", "2.34")``, ``("cuda", "12")``. What cannot be on *platform* is left out.
    """
    system, _, machine = platform.partition("-")
    found: dict[str, tuple[str, str]] = {}
    if system == "linux":
        found = {"__unix": ("0", "0"), "__linux": (_LINUX, "0"), "__glibc": ("2.39" if machine == "riscv64" else _GLIBC, "0")}
    elif system == "osx":
        found = {"__unix": ("0", "0"), "__osx": (_OSX, "0")}
    elif system == "win":
        found = {"__win": (_WINDOWS, "0")}
    elif platform != "noarch":
        found = {"__unix": ("0", "0")}
    if platform != "noarch":
        found["__archspec"] = ("1", _ARCHSPECS.get(platform) or _ARCHSPECS.get(machine) or machine)
    for name, version in requirements:
        _require(found, name, version, system)
    return _as_text(found)


def for_platform(wanted: str, requirements: Iterable[tuple[str, str]] = ()) -> tuple[str, ...]:
    """Return what packages for *wanted* are solved against: this machine's own for this platform, else the defaults.

    *requirements* win over both: who names a C library older than the one here wants a lock for machines that have that.
    """
    found = parse(detect() if wanted == current_platform() else defaults(wanted))
    for name, version in requirements:
        _require(found, name, version, wanted.partition("-")[0])
    return _as_text(found)


_NAMES = {
    "linux": "__linux",
    "glibc": "__glibc",
    "libc": "__glibc",
    "macos": "__osx",
    "osx": "__osx",
    "cuda": "__cuda",
    "archspec": "__archspec",
    "windows": "__win",
    "win": "__win",
    "unix": "__unix",
    "musl": "__musl",
}
_ONLY_ON = {"__linux": ("linux",), "__glibc": ("linux",), "__musl": ("linux",), "__osx": ("osx",), "__win": ("win",)}


def _require(found: dict[str, tuple[str, str]], name: str, version: str, system: str) -> None:
    key = _NAMES.get(name.lower().lstrip("_"))
    if key is None:
        raise BadRequest(
            f"{name!r} is not a requirement of a system; known are {', '.join(sorted(_NAMES))}.", code="unknown_system_requirement"
        )
    if key == "__archspec":
        found[key] = ("1", version)
    elif system in _ONLY_ON.get(key, (system,)):
        found[key] = (version, "0")


def parse(virtual_packages: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return version and build by name."""
    found = {}
    for text in virtual_packages:
        name, _, rest = text.partition("=")
        version, _, build = rest.partition("=")
        found[name] = (version or "0", build or "0")
    return found


def _as_text(found: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{name}={version}={build}" for name, (version, build) in sorted(found.items()))


def _leading_version(text: str) -> str:
    match = _VERSION.match(text)
    return match[0] if match else ""


def _glibc() -> str:
    with suppress(ValueError, OSError, AttributeError):
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        if name == "glibc":
            return version
    return ""


@cache
def _cuda() -> str:
    """Return the version of CUDA that the driver supports; empty without one."""
    for name in _CUDA_LIBRARIES.get(sys.platform, ()):
        with suppress(OSError, AttributeError):
            version = ctypes.c_int()
            if ctypes.CDLL(name).cuDriverGetVersion(ctypes.byref(version)) == 0 and version.value:
                return f"{version.value // 1000}.{version.value % 1000 // 10}"
    return ""


@cache
def _archspec() -> str:
    """Return the level of the processor: the generic family, which names no vendor's model."""
    here = current_platform()
    family = _ARCHSPECS.get(here) or _ARCHSPECS.get(here.partition("-")[2]) or here.partition("-")[2]
    if family != "x86_64":
        return family
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        if match := re.search(r"^flags\s*:(.*)$", text, re.MULTILINE):
            flags = set(match[1].split())
            return next((level for level, needed in _level_flags() if needed <= flags), family)
    return family


def _level_flags() -> list[tuple[str, set[str]]]:
    """Return the levels, highest first, each with the flags of the lower ones."""
    return [(level, set().union(*(flags for _, flags in _FLAGS[position:]))) for position, (level, _) in enumerate(_FLAGS)]
