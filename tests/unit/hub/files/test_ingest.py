"""Receiving a file while its sender, the disk or both go away."""

from __future__ import annotations

import errno
import io
import threading
from typing import Any, BinaryIO, cast

import pytest

from carrel.core.errors import BadRequest, InsufficientStorage
from carrel.formats import Hints
from carrel.hub.files.ingest import IncomingFile
from carrel.hub.files.leaks import LeakGuard
from carrel.storage import BlobStore


class Store:
    """A blob store with one writer, which records what is done to it and may be told to block or to fail."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.data = b""
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.failure: OSError | None = None

    def open_writer(self) -> Store:
        return self

    def write(self, data: bytes) -> None:
        self.entered.set()
        self.go_on.wait(10)
        if self.failure is not None:
            raise self.failure
        self.data += data
        self.calls.append("write")

    def reader(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def commit(self, sha256: str) -> None:
        self.calls.append("commit")

    def abort(self) -> None:
        self.calls.append("abort")


class NoLeaks:
    def check(self, *_arguments: object) -> None:
        """Find nothing."""


@pytest.fixture
def store() -> Store:
    return Store()


def incoming(store: Store) -> IncomingFile:
    return IncomingFile(cast(BlobStore, store), 1_000, cast(LeakGuard, NoLeaks()))


def finish(upload: IncomingFile) -> Any:
    return upload.finish("a.csv", None, Hints("p", "1"), size=None, sha256=None)


def test_nothing_is_discarded_under_a_thread_that_writes(store: Store) -> None:
    upload = incoming(store)
    store.go_on.clear()
    writing = threading.Thread(target=upload.feed, args=(b"abc",))
    writing.start()
    assert store.entered.wait(10)
    upload.abort()
    assert store.calls == []
    store.go_on.set()
    writing.join(10)
    assert store.calls == ["write", "abort"]
    upload.feed(b"more")
    assert store.data == b"abc"
    with pytest.raises(BadRequest):
        finish(upload)
    assert "commit" not in store.calls


def test_what_is_finished_is_kept(store: Store) -> None:
    upload = incoming(store)
    upload.feed(b"a,b\n1,2\n")
    assert finish(upload).digests.size == 8
    assert store.calls == ["write", "commit"]


def test_a_disk_that_fills_up_is_told(store: Store) -> None:
    upload = incoming(store)
    upload.feed(b"abc")
    store.failure = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(InsufficientStorage):
        upload.feed(b"def")
    store.failure = OSError(errno.EIO, "Input/output error")
    with pytest.raises(OSError, match="Input/output"):
        upload.feed(b"def")
