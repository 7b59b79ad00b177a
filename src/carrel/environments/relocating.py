"""Files that name the folder they lie in, made to name another one.

Environments are full of such files: ``#!`` lines, ``.pth`` and ``.pc`` files, kernelspecs, paths compiled into libraries.
Text is replaced as text. In a binary file nothing may move: conda builds such files with a long placeholder, so behind each
path that an installer wrote there is room up to the placeholder's length, and a new path is written into that room.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from carrel.core.errors import Unprocessable

MAX_SCANNED = 1 << 20
"""Bytes; larger files that no record describes are data, not scripts or settings."""

_SHEBANG_LENGTH = 127 if sys.platform.startswith("linux") else 511  # what kernels read of the first line
_SHEBANG = re.compile(rb"\A#![ \t]*(\S+)([^\n]*)")
_END = rb"(?![A-Za-z0-9_.-])"  # /opt/env says nothing of /opt/env2


class Relocation:
    """From one prefix to another.

    Parameters
    ----------
    old, new : Path
    whole : bool
        Whether every mention counts. Otherwise only interpreters in ``#!`` lines: the prefix of a system's Python is a folder
        of other things too.
    """

    def __init__(self, old: Path, new: Path, *, whole: bool = True) -> None:
        resolved = old.resolve()
        self._paths = {os.fsencode(path) for path in (old, resolved)}
        self._old = [re.compile(re.escape(path) + _END) for path in sorted(self._paths, key=len, reverse=True)]
        self._new = os.fsencode(new)
        self._folders = (old, resolved)
        self._target = new
        self._whole = whole

    def concerns(self, data: bytes) -> bool:
        """Whether *data* names the old prefix."""
        return any(pattern.search(data) for pattern in self._old)

    def text(self, data: bytes) -> bytes:
        """Return *data* with the new prefix; an interpreter whose path is too long for a ``#!`` line is found by name instead."""
        line, newline, rest = data.partition(b"\n")
        if match := _SHEBANG.match(line):
            line = self._shebang(match)
            return line + newline + (self._replace(rest) if self._whole else rest)
        return self._replace(data) if self._whole else data

    def binary(self, data: bytes, room: int, name: str) -> bytes:
        """Return *data*, just as long, with the new prefix.

        Parameters
        ----------
        room : int
            Length of the placeholder that the file was built with; 0 when unknown.
        name : str
            Of the file, for the message.

        Raises
        ------
        Unprocessable
            The new path is longer than the room for it (code ``prefix_too_long``).
        """
        result = bytearray(data)
        for pattern in self._old:
            position = 0
            while match := pattern.search(result, position):
                end = result.find(0, match.start())
                end = len(result) if end < 0 else end
                text = bytes(result[match.start() : end])
                length = len(match[0])
                spare = max(0, room - length) * len(pattern.findall(text))
                # the padding must really be there: an installer may have built the path from parts
                spare = min(spare, len(result[end : end + spare]) - len(result[end : end + spare].lstrip(b"\0")))
                replaced = pattern.sub(lambda _: self._new, text)
                if len(replaced) > len(text) + spare:
                    raise Unprocessable(
                        f"{self._target} is too long for {name}, which has room for {length + spare} characters. Choose a shorter path.",
                        code="prefix_too_long",
                        filename=name,
                    )
                result[match.start() : end + spare] = replaced.ljust(len(text) + spare, b"\0")
                position = match.start() + len(replaced)
        return bytes(result)

    def link(self, target: str) -> str:
        """Return where a symbolic link leads that led to *target*."""
        for folder in self._folders:
            if Path(target).is_absolute() and Path(target).is_relative_to(folder):
                return str(self._target / Path(target).relative_to(folder))
        return target

    def _replace(self, data: bytes) -> bytes:
        for pattern in self._old:
            data = pattern.sub(lambda _: self._new, data)
        return data

    def _shebang(self, match: re.Match[bytes]) -> bytes:
        program, arguments = match[1], match[2]
        if not any(program.startswith(path + b"/") for path in self._paths):
            return self._replace(match[0]) if self._whole else match[0]
        line = b"#!" + self._replace(program) + (self._replace(arguments) if self._whole else arguments)
        if len(line) > _SHEBANG_LENGTH or b" " in self._new:
            return b"#!/usr/bin/env " + program.rpartition(b"/")[2] + arguments
        return line


def is_text(data: bytes) -> bool:
    """Whether *data* is text, as far as its beginning tells."""
    return b"\0" not in data[:8192]


def may_name_prefix(parts: Sequence[str], size: int) -> bool:
    """Whether a file that no record describes is looked into.

    Code in site-packages is found by its place and names it only in files of known kinds; everything else that is small may.
    """
    if size > MAX_SCANNED or parts[-1].endswith((".pyc", ".so", ".a")):
        return False
    inside = next((number for number, part in enumerate(parts) if part in ("site-packages", "dist-packages")), None)
    if inside is None:
        return True
    name = parts[-1]
    metadata = len(parts) > inside + 2 and parts[inside + 1].endswith((".dist-info", ".egg-info"))
    return metadata or name.endswith((".pth", ".egg-link")) or name.startswith("__editable__")


def sign(file: Path) -> None:
    """Sign a changed program or library again, where the system only runs signed ones."""
    if sys.platform == "darwin":
        command = ["/usr/bin/codesign", "--force", "--sign", "-", "--preserve-metadata=entitlements", str(file)]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
