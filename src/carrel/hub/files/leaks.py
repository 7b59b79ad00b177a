"""Tokens of this hub inside uploads: looked for while the bytes stream through, and in the texts that archives pack.

A file with a token that works is refused before anything of it is kept, and the token's owner is told. Dead ones, and what
only looks like a token, do not matter.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from io import SEEK_END
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from carrel.core.clock import now
from carrel.core.errors import BadRequest, CarrelError
from carrel.core.tokens import LEAK_PATTERN, hash_token, redact
from carrel.database.engine import Database
from carrel.formats.archives import (
    BoundedReader,
    bz2_reader,
    damaged_is_invalid,
    gzip_reader,
    open_zip,
    read_tar_member,
    read_zip_member,
    tar_members,
    zstd_reader,
)
from carrel.formats.base import Limits
from carrel.formats.parsing import load_json, read_all
from carrel.hub.audit.repository import record
from carrel.hub.tokens import repository as tokens

_log = logging.getLogger("carrel.hub.leaks")
_OVERLAP = 34  # a token is one byte longer
_MOST_CANDIDATES = 20_000
_MEMBER_BYTES = 4 * 1024 * 1024
_EXPANDED_BYTES = 64 * 1024 * 1024
_PACKED_INFOS = 2
_TEXT_BYTES = 32 * 1024 * 1024
_TEXTS = frozenset(
    """
    .bat .bash .cfg .conf .config .csv .env .fish .html .ini .ipynb .js .json .lock .md .netrc .patch .pip .profile .properties .ps1
    .py .pyi .r .rc .rd .renviron .rmd .rprofile .rst .sh .toml .ts .tsv .txt .xml .yaml .yml
    """.split()
)
_TARS = (".tar.bz2", ".tar.gz", ".tgz")
_ZIPS = (".whl", ".zip", ".conda")


class TokenScanner:
    """Finds what looks like tokens in bytes that come in pieces. At most a bounded number is kept."""

    def __init__(self) -> None:
        self.found: set[bytes] = set()
        self._tail = b""

    def feed(self, data: bytes | bytearray) -> None:
        """Look at the next piece."""
        if self._tail:
            self._scan(self._tail + data[:_OVERLAP])
        self._scan(data)
        self._tail = bytes(data[-_OVERLAP:]) if len(data) >= _OVERLAP else (self._tail + data)[-_OVERLAP:]

    def _scan(self, data: bytes | bytearray) -> None:
        for match in LEAK_PATTERN.finditer(data):
            if len(self.found) < _MOST_CANDIDATES:
                self.found.add(bytes(match[0]))


class LeakGuard:
    """Refuses uploads that hold a token which works.

    Parameters
    ----------
    database : Database
    on_flagged : callable
        Called when a token was flagged.
    """

    def __init__(self, database: Database, on_flagged: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._on_flagged = on_flagged

    def check(self, scanner: TokenScanner, source: BinaryIO, filename: str) -> None:
        """Refuse a file whose bytes, which *scanner* saw go by, or whose packed texts hold a live token.

        Raises
        ------
        BadRequest
            Code ``token_in_upload``; the field ``member`` names where it is.
        """
        where: dict[str, str] = {}
        for candidate in scanner.found:
            where[hash_token(candidate.decode())] = ""
        for member, data in packed_texts(source, filename):
            if len(where) < _MOST_CANDIDATES:
                for match in LEAK_PATTERN.finditer(data):
                    digest = hash_token(match[0].decode())
                    where[digest] = where.get(digest) or member
        if not where:
            return
        with self._database.read() as uow:
            live = tokens.live_among(uow, where.keys(), now())
        if live:
            digest = min(live, key=lambda key: (where[key] == "", where[key], key))
            member = where[digest] or _place_in_notebook(source, filename, digest) or filename
            self._flag(live, filename, member)
            raise BadRequest(
                f"{redact(member)} holds a token of this hub that works, so nothing was kept and the token's owner was told."
                " Take it out of the file, revoke the token, and upload again.",
                code="token_in_upload",
                member=redact(member),
                filename=redact(filename),
            )

    def _flag(self, live: dict[str, int], filename: str, member: str) -> None:
        place = redact(filename if member == filename else f"{filename}: {member}")
        _log.warning("an upload with %d live token(s) was refused: %s", len(live), place)
        moment = now()
        with self._database.write() as uow:
            tokens.flag(uow, live.values(), moment, f"Found in an upload on {moment:%Y-%m-%d}, in {place}. Replace it.")
            for token_id in live.values():
                row = tokens.by_id(uow, token_id)
                record(uow, None, "token.flag", row.namespace_id, row.name, {"prefix": row.prefix, "member": place})
        self._on_flagged()


def packed_texts(source: BinaryIO, filename: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of the texts that an archive packs: bounded in size, and quiet about damage.

    Of conda packages the folder ``info/``, of others what looks like a text by its name. What is not an archive has none:
    its bytes are its text.
    """
    lowered = filename.lower()
    if not lowered.endswith((*_ZIPS, *_TARS)):
        return
    source.seek(0)
    left = _TEXT_BYTES
    try:
        with damaged_is_invalid(filename):
            for member, data in _zipped(source, lowered) if lowered.endswith(_ZIPS) else _tarred(source, lowered):
                yield member, data
                left -= len(data)
                if left < 0:
                    return
    except CarrelError:
        return  # what reads the metadata says what is wrong with it
    finally:
        source.seek(0)


def _zipped(source: BinaryIO, filename: str) -> Iterator[tuple[str, bytes]]:
    most = _most_members(source)
    packed = 0
    with open_zip(source, filename, Limits()) as archive:
        for entry in archive.infolist():
            if filename.endswith(".conda") and entry.filename.startswith("info-") and entry.filename.endswith(".tar.zst"):
                packed += 1
                if packed > _PACKED_INFOS:
                    continue  # a package has one; each may grow to what is allowed when it is unpacked
                with archive.open(entry) as stream:
                    yield from _members(zstd_reader(stream, _EXPANDED_BYTES, filename), filename, most, everything=True)
            elif _is_text(entry.filename) and entry.file_size <= _MEMBER_BYTES and not entry.is_dir():
                yield entry.filename, read_zip_member(archive, entry, filename, _MEMBER_BYTES)


def _tarred(source: BinaryIO, filename: str) -> Iterator[tuple[str, bytes]]:
    most = _most_members(source)
    if filename.endswith(".bz2"):
        # conda writes info/ first; what comes after it would take long to unpack.
        seen = False
        for name, data in _members(bz2_reader(source, _EXPANDED_BYTES, filename), filename, most, everything=True):
            if name.startswith("info/"):
                seen = True
            elif seen:
                return
            yield name, data
        return
    yield from _members(gzip_reader(source, _EXPANDED_BYTES, filename), filename, most, everything=False)


def _most_members(source: BinaryIO) -> int:
    size = source.seek(0, SEEK_END)
    source.seek(0)
    return Limits().for_size(size).archive_members


def _members(stream: BoundedReader, filename: str, most: int, *, everything: bool) -> Iterator[tuple[str, bytes]]:
    for archive, member in tar_members(stream, most):
        wanted = everything or _is_text(member.name)
        if member.isreg() and member.size <= _MEMBER_BYTES and wanted:
            yield member.name.removeprefix("./"), read_tar_member(archive, member, filename, _MEMBER_BYTES)
        elif everything and not member.isdir():
            yield member.name.removeprefix("./"), b""


def _is_text(name: str) -> bool:
    path = PurePosixPath(name.lower())
    return path.suffix in _TEXTS or not path.suffix


def _place_in_notebook(source: BinaryIO, filename: str, digest: str) -> str:
    """Return which cell of a notebook holds the token with this digest, empty when that cannot be said."""
    if not filename.lower().endswith(".ipynb"):
        return ""
    source.seek(0)
    try:
        document = load_json(read_all(source, filename, Limits().notebook_bytes), filename, any_text=True)
        cells = document["cells"]
        for number, cell in enumerate(cells, 1):
            for part in ("source", "outputs", "metadata", "attachments"):
                if _holds(cell.get(part), digest):
                    return f"{filename}: {part} of cell {number}"
    except (CarrelError, KeyError, TypeError, AttributeError):
        return ""
    return f"{filename}: metadata"


def _holds(value: Any, digest: str) -> bool:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "".join(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return any(hash_token(match[0].decode()) == digest for match in LEAK_PATTERN.finditer(text.encode(errors="replace")))
