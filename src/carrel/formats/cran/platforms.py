"""Where a binary belongs: ``windows/4.2``, ``macosx/big-sur-arm64/4.2``, ``linux/x86_64-linux-gnu/4.2``.

This is the ``subdir`` of an R file, empty for sources. It is the path of a repository's binary tree without the words
that are the same everywhere (``bin/macosx/big-sur-arm64/contrib/4.2``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SUBDIR = re.compile(r"(windows|macosx(?:/[a-z0-9_-]+)?|linux/[a-z0-9][a-z0-9_.-]*)/(\d{1,2}\.\d{1,2})\Z")
_LENGTH = 32  # of a subdir
_BUILT = re.compile(r"R (\d{1,2}\.\d{1,2})\.\d{1,2}\Z")
_TRIPLE = re.compile(r"([a-z0-9_]{1,12})-([a-z0-9_]+)-([a-z]+)([a-z0-9.-]*)\Z")
_BIG_SUR = 20  # the Darwin version from which R names the tree after the system


@dataclass(frozen=True, slots=True)
class Built:
    """What the field ``Built`` says.

    Attributes
    ----------
    r_version : str
        Major and minor: binaries work with every R that has the same.
    triple : str
        What compiled code was built for, empty when there is none.
    windows : bool
    """

    r_version: str
    triple: str
    windows: bool


def is_subdir(text: str) -> bool:
    """Whether *text* has the form of a place for binaries."""
    return len(text) <= _LENGTH and _SUBDIR.match(text) is not None


def parse_built(text: str) -> Built | None:
    """Return what ``R 4.2.2; x86_64-pc-linux-gnu; 2026-01-01 …; unix`` says, None when it is nothing of the kind."""
    parts = [part.strip() for part in text.split(";")]
    match = _BUILT.match(parts[0])
    if match is None or len(parts) != 4 or parts[3] not in ("unix", "windows"):
        return None
    return Built(match[1], parts[1], parts[3] == "windows")


def subdir_of(built: Built, triple: str = "") -> str | None:
    """Return where a binary belongs; None when it does not say which system it is for.

    Parameters
    ----------
    built : Built
    triple : str
        What the file's name says where *built* says nothing.
    """
    if built.windows:
        return f"windows/{built.r_version}"
    match = _TRIPLE.match(built.triple or triple)
    if match is None:
        return None
    machine, _, system, rest = match.groups()
    if system == "darwin":
        machine = {"aarch64": "arm64"}.get(machine, machine)
        recent = rest[:2].isdigit() and int(rest[:2]) >= _BIG_SUR
        place = f"macosx/big-sur-{machine}" if recent else "macosx"
    elif system == "linux":
        place = f"linux/{machine}-linux{rest}"
    else:
        return None
    subdir = f"{place}/{built.r_version}"
    return subdir if is_subdir(subdir) else None


def contrib_path(subdir: str) -> str:
    """Return the folder of a repository in which the files of *subdir* lie."""
    if not subdir:
        return "src/contrib"
    place, _, r_version = subdir.rpartition("/")
    return f"bin/{place}/contrib/{r_version}"
