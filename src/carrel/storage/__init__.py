"""Where bytes are kept: content-addressed blobs, by SHA-256, in a folder or an object store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from carrel.storage.base import BlobStore, BlobWriter, StoredBlob

__all__ = ["BlobStore", "BlobWriter", "StoredBlob", "open_store"]


def open_store(url: str | Path, temporary: Path) -> BlobStore:
    """Open the store at *url*: a folder, ``file:///folder``, ``s3://bucket/prefix?endpoint=…&region=…``, ``gs://…``, ``az://…``.

    Parameters
    ----------
    url : str or Path
        Credentials of object stores come from the environment, as their own tools read them.
    temporary : Path
        Local folder for uploads that are under way to an object store.
    """
    text = str(url)
    scheme = urlsplit(text).scheme
    if len(scheme) <= 1:  # a path; one letter is a Windows drive
        from carrel.storage.local import LocalBlobStore

        return LocalBlobStore(Path(text).expanduser())
    if scheme == "file":
        from carrel.storage.local import LocalBlobStore

        return LocalBlobStore(Path(urlsplit(text).path))
    from carrel.storage.objectstore import open_object_store

    return open_object_store(text, temporary)
