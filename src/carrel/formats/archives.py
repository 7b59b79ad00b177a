"""Reading archives that nobody vouches for: every size is bounded, every name is checked, nothing is written anywhere."""

from __future__ import annotations

import bz2
import gzip
import io
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, BinaryIO, cast

import zstandard
from conda_package_streaming.package_streaming import tar_generator

from carrel.core.errors import InvalidFile, TooLarge
from carrel.core.units import format_bytes
from carrel.formats.base import Limits

# The central directory of a zip file is read whole; one entry takes at least 46 bytes there and about 600 in memory.
_ZIP_DIRECTORY_BYTES = 16 * 1024 * 1024
_NAME_LENGTH = 4096
# The largest window that zstd's own levels use (22: 128 MiB); a frame may ask for more, and for that much memory.
_ZSTD_WINDOW = 1 << 27
_EXTENDED = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK})
_EXTENDED_BYTES = 8192
_SEARCH_BYTES = 1 << 30
# Looked at while the kind of an archive is found out; a header takes some 30 µs, and gzip about a second to expand so much.
SNIFFED_MEMBERS = 50_000
_SNIFFED_BYTES = 256 * 1024 * 1024


@contextmanager
def damaged_is_invalid(filename: str) -> Iterator[None]:
    """Turn whatever an archive library says about damaged bytes into :class:`~carrel.core.errors.InvalidFile`."""
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        zstandard.ZstdError,
        struct.error,
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise InvalidFile(f"{shown(filename)} is damaged or not a complete archive: {_reason(error)}.") from error
    except OSError as error:
        if error.errno is not None:  # the machine's trouble; bz2 and gzip raise OSError without a number for bad data
            raise
        raise InvalidFile(f"{shown(filename)} is damaged or not a complete archive: {_reason(error)}.") from error


def shown(name: str) -> str:
    """Return *name* quoted and cut to a length that fits a message."""
    return repr(name if len(name) <= 120 else name[:100] + "…")


def check_member_name(name: str) -> str:
    """Return *name* if it stays inside the folder an archive is extracted to.

    Raises
    ------
    InvalidFile
        The name is absolute, climbs with ``..``, holds NUL or backslash, is empty or absurdly long.
    """
    if not name or len(name) > _NAME_LENGTH:
        raise InvalidFile(f"The archive holds a member whose name has {len(name)} characters (1 to {_NAME_LENGTH} are allowed).")
    if "\0" in name or "\\" in name or name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        raise InvalidFile(f"The archive holds {shown(name)}, a name that leads out of it. Build the file again with a current tool.")
    return name


def check_tar_member(member: tarfile.TarInfo) -> str:
    """Return the name of *member* if extracting it can touch nothing outside of the folder.

    Raises
    ------
    InvalidFile
        Its name or the target of its link leads out, or it is a device or a pipe.
    """
    name = check_member_name(member.name)
    if member.issym() or member.islnk():
        # The target of a symbolic link is seen from its own folder, that of a hard link from the top.
        start = name.split("/")[:-1] if member.issym() else []
        depth = len([part for part in start if part not in ("", ".")])
        for part in member.linkname.split("/"):
            depth += -1 if part == ".." else part not in ("", ".")
            if depth < 0:
                break
        if depth < 0 or member.linkname.startswith("/") or "\0" in member.linkname:
            raise InvalidFile(f"The archive holds {shown(name)}, a link to {shown(member.linkname)}, which lies outside of it.")
    elif not (member.isreg() or member.isdir()):
        raise InvalidFile(f"The archive holds {shown(name)}, a device or a pipe. Only files, folders and links are allowed.")
    return name


class _TarInfo(tarfile.TarInfo):
    """Members whose extended headers are small.

    tarfile reads these headers whole, and before Python 3.11.10 and 3.12.6 searches them in a time that grows with the
    square of their length.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _TarInfo:
        member = super().frombuf(buf, encoding, errors)
        if member.type in _EXTENDED and member.size > _EXTENDED_BYTES:
            raise InvalidFile(f"The archive holds an extended header of {member.size} bytes; at most {_EXTENDED_BYTES} are allowed.")
        return member


def tar_members(stream: Any, most: int | None = None) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield the members of the tar *stream* in order; read each before asking for the next.

    Raises
    ------
    TooLarge
        There are more than *most*.
    """
    members: Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]] = tar_generator(stream, tarfile_open=partial(tarfile.open, tarinfo=_TarInfo))
    for count, found in enumerate(members, start=1):
        if most is not None and count > most:
            raise TooLarge(f"The archive has more than {most} members.", limit=most)
        yield found


class BoundedReader(io.RawIOBase):
    """A reader that fails with :class:`~carrel.core.errors.TooLarge` once more than *limit* bytes came out of it."""

    def __init__(self, raw: Any, limit: int, what: str) -> None:
        super().__init__()
        self._raw = raw
        self._limit = limit
        self._left = limit
        self._what = what

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return up to *size* bytes."""
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        data = cast(bytes, self._raw.read(wanted))
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge(f"{self._what} expands to more than {format_bytes(self._limit)}.", limit=self._limit)
        return data


class _GuardedFile:
    """A seekable file that refuses single reads above a bound while :mod:`zipfile` opens it."""

    def __init__(self, raw: BinaryIO, limit: int) -> None:
        self._raw = raw
        self.limit: int | None = limit

    def read(self, size: int = -1) -> bytes:
        if self.limit is not None and not 0 <= size <= self.limit and self._remaining() > self.limit:
            raise TooLarge("The directory of the zip file is too large.", limit=self.limit)
        return self._raw.read(size)

    def _remaining(self) -> int:
        here = self._raw.tell()
        end = self._raw.seek(0, io.SEEK_END)
        self._raw.seek(here)
        return end - here

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def open_zip(source: BinaryIO, filename: str, limits: Limits) -> zipfile.ZipFile:
    """Return *source* opened as a zip file whose members have safe and distinct names."""
    guarded = _GuardedFile(source, _ZIP_DIRECTORY_BYTES)
    with damaged_is_invalid(filename):
        archive = zipfile.ZipFile(cast(IO[bytes], guarded))
    guarded.limit = None
    members = archive.infolist()
    if len(members) > limits.archive_members:
        raise TooLarge(f"{shown(filename)} has more than {limits.archive_members} members.", limit=limits.archive_members)
    seen: set[str] = set()
    for member in members:
        check_member_name(member.filename)
        if member.filename in seen:
            raise InvalidFile(f"{shown(filename)} holds {shown(member.filename)} twice.")
        seen.add(member.filename)
    return archive


def read_zip_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, filename: str, limit: int) -> bytes:
    """Return the bytes of *member*, at most *limit*."""
    if member.file_size > limit:
        raise TooLarge(f"{shown(member.filename)} in {shown(filename)} is larger than {format_bytes(limit)}.", limit=limit)
    with damaged_is_invalid(filename), archive.open(member) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(f"{shown(member.filename)} in {shown(filename)} is larger than {format_bytes(limit)}.", limit=limit)
    return data


def zstd_reader(stream: IO[bytes], limit: int, what: str) -> BoundedReader:
    """Return a reader of what the zstd frames in *stream* expand to, at most *limit* bytes."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    return BoundedReader(decompressor.stream_reader(stream, read_across_frames=True), limit, what)


def bz2_reader(stream: BinaryIO, limit: int, what: str) -> BoundedReader:
    """Return a reader of what the bzip2 *stream* expands to, at most *limit* bytes."""
    return BoundedReader(bz2.BZ2File(stream), limit, what)


def gzip_reader(stream: BinaryIO, limit: int, what: str) -> BoundedReader:
    """Return a reader of what the gzip *stream* expands to, at most *limit* bytes."""
    return BoundedReader(gzip.GzipFile(fileobj=stream, mode="rb"), limit, what)


def tar_gz_holds(source: BinaryIO, filename: str, name: re.Pattern[str]) -> bool:
    """Whether a member of the ``.tar.gz`` *source* has such a *name*.

    Raises
    ------
    InvalidFile
    TooLarge
        Too much would have to be looked at.
    """
    with damaged_is_invalid(filename):
        members = tar_members(gzip_reader(source, _SNIFFED_BYTES, filename), SNIFFED_MEMBERS)
        return any(name.match(member.name) for _, member in members)


def read_tar_member(archive: tarfile.TarFile, member: tarfile.TarInfo, filename: str, limit: int) -> bytes:
    """Return the bytes of the regular file *member*, at most *limit*."""
    if not member.isreg():
        raise InvalidFile(f"{shown(member.name)} in {shown(filename)} is a link or a device, not a regular file.")
    if member.size > limit:
        raise TooLarge(f"{shown(member.name)} in {shown(filename)} is larger than {format_bytes(limit)}.", limit=limit)
    stream = archive.extractfile(member)
    data = b"" if stream is None else stream.read(limit + 1)
    if len(data) != member.size:
        raise InvalidFile(f"{shown(filename)} ends in the middle of {shown(member.name)}.")
    return data


def search_limit(source: BinaryIO, limits: Limits) -> int:
    """Return how many bytes *source* may expand to while something small is looked for in it.

    What is passed over is not kept, so this bounds time, not memory: in proportion to what was uploaded, up to 1 GiB.
    *source* is left at position 0.
    """
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    return max(limits.expanded_bytes, min(20 * size, _SEARCH_BYTES))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:200].rstrip(".") or type(error).__name__
