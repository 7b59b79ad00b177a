"""What an archive holds: names and sizes, read from the blob when somebody looks, never extracted."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from carrel.core.errors import CarrelError, InvalidFile, TooLarge
from carrel.formats.archives import (
    BoundedReader,
    bz2_reader,
    damaged_is_invalid,
    gzip_reader,
    open_zip,
    shown,
    tar_members,
    zstd_reader,
)
from carrel.formats.base import Limits
from carrel.formats.parsing import storable
from carrel.storage import BlobStore

MOST_SHOWN = 1000
_MOST_COUNTED = 100_000
_NAME_LENGTH = 300
# Of a compressed stream, whose members can only be found by expanding it: about a second of work.
_EXPANDED_BYTES = 64 * 1024 * 1024
_PIECE = 256 * 1024
_KEPT = 200
_SUFFIXES = (".conda", ".tar.bz2", ".whl", ".zip", ".tar.gz", ".tgz")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive; *size* in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Contents:
    """Files of an archive, by name.

    Attributes
    ----------
    members : tuple of Member
        The first :data:`MOST_SHOWN`.
    count : int
        How many there are.
    complete : bool
        Whether all were counted; of very large archives only the beginning is read.
    """

    members: tuple[Member, ...]
    count: int
    complete: bool


class ArchiveReader:
    """Lists archives in the blob store. The most recent lists are kept in memory: blobs never change.

    Parameters
    ----------
    blobs : BlobStore
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._kept: OrderedDict[str, Contents | CarrelError] = OrderedDict()
        self._lock = threading.Lock()

    def reads(self, filename: str) -> bool:
        """Whether files of that name can be listed."""
        return filename.endswith(_SUFFIXES)

    def contents(self, sha256: str, filename: str) -> Contents:
        """Return what the archive *filename* holds. Whether the caller may see it is asked before.

        Raises
        ------
        InvalidFile
            It is damaged, or no archive.
        NotFound
            The bytes are gone.
        """
        with self._lock:
            known = self._kept.get(sha256)
            if known is not None:
                self._kept.move_to_end(sha256)
        if known is None:
            try:
                known = _contents(cast(BinaryIO, io.BufferedReader(_Blob(self._blobs, sha256), _PIECE)), filename)
            except InvalidFile as error:
                known = error
            with self._lock:
                self._kept[sha256] = known
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        if isinstance(known, CarrelError):
            raise known
        return known


class _Blob(io.RawIOBase):
    """A blob as a seekable file."""

    def __init__(self, blobs: BlobStore, sha256: str) -> None:
        super().__init__()
        self._blobs = blobs
        self._sha256 = sha256
        self._size = blobs.size(sha256)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        stop = min(self._position + len(buffer), self._size)
        if stop <= self._position:
            return 0
        data = b"".join(self._blobs.read(self._sha256, self._position, stop))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _contents(source: BinaryIO, filename: str) -> Contents:
    members: list[Member] = []
    count, complete = 0, True
    with damaged_is_invalid(filename):
        try:
            for member in _members(source, filename):
                if filename.endswith(".tar.bz2") and member.name.startswith("info/"):
                    continue  # of a conda package: not installed
                count += 1
                if len(members) < MOST_SHOWN:
                    members.append(member)
                if count >= _MOST_COUNTED:
                    complete = False
                    break
        except TooLarge:
            complete = False
    return Contents(tuple(sorted(members, key=lambda member: member.name)), count, complete)


def _members(source: BinaryIO, filename: str) -> Iterator[Member]:
    if filename.endswith((".whl", ".zip", ".conda")):
        archive = open_zip(source, filename, Limits())
        inner = next((entry for entry in archive.infolist() if entry.filename.startswith("pkg-")), None)
        if not filename.endswith(".conda"):
            for entry in archive.infolist():
                if not entry.is_dir():
                    yield Member(storable(entry.filename, _NAME_LENGTH), entry.file_size)
        elif inner is None:
            raise InvalidFile(f"{shown(filename)} holds no packed files.")
        else:
            with archive.open(inner) as stream:
                yield from _tar(zstd_reader(stream, _EXPANDED_BYTES, shown(filename)))
        return
    opened = bz2_reader if filename.endswith(".bz2") else gzip_reader
    yield from _tar(opened(source, _EXPANDED_BYTES, shown(filename)))


def _tar(stream: BoundedReader) -> Iterator[Member]:
    for _, member in tar_members(stream):
        if not member.isdir():
            yield Member(storable(member.name.removeprefix("./"), _NAME_LENGTH), member.size)
