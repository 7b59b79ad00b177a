"""S3 servers for tests: moto's imitation (all semantics) and rclone's (an independent implementation over a folder)."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from carrel.testing.processes import Process, free_port


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running S3 server and the credentials for it.

    Attributes
    ----------
    url : str
        Endpoint; buckets are path components (no virtual hosts).
    root : Path or None
        Folder with one subfolder per bucket, where the server has one.
    """

    url: str
    access_key_id: str
    secret_access_key: str
    region: str
    root: Path | None

    def create_bucket(self, name: str | None = None) -> str:
        """Create a bucket (by default with a new name) and return its name."""
        name = name or f"carrel-{uuid.uuid4().hex[:12]}"
        if self.root is None:
            requests.put(f"{self.url}/{name}", timeout=30).raise_for_status()
        else:
            (self.root / name).mkdir()
        return name

    def environment(self) -> dict[str, str]:
        """Return the standard variables that S3 clients read."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }


def find_rclone() -> Path | None:
    """Return the program rclone, beside the interpreter or on the path."""
    found = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
    return Path(found) if found else None


@contextmanager
def moto_server(folder: Path) -> Iterator[S3Server]:
    """Run ``moto_server`` while the block runs; *folder* gets its log."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = Process([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], folder / "moto.log")
    try:
        process.wait_until(lambda: requests.get(f"{url}/moto-api/", timeout=5).ok)
        yield S3Server(url, "carrelaccess00", "carrelsecret0000", "us-east-1", None)
    finally:
        process.stop()


@contextmanager
def rclone_server(folder: Path, rclone: Path) -> Iterator[S3Server]:
    """Run ``rclone serve s3`` over a folder below *folder* while the block runs.

    It answers ranges with the whole object and ignores conditional creation: test those with :func:`moto_server`.
    """
    port, root = free_port(), folder / "buckets"
    root.mkdir(parents=True)
    server = S3Server(f"http://127.0.0.1:{port}", "carrelaccess00", "carrelsecret0000", "us-east-1", root)
    keys = f"{server.access_key_id},{server.secret_access_key}"
    command: list[str | Path] = [
        rclone,
        "serve",
        "s3",
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        keys,
        "--config",
        folder / "rclone.conf",
        "--dir-cache-time=0s",  # buckets are made behind its back
        root,
    ]
    process = Process(command, folder / "rclone.log")
    try:
        process.wait_until(lambda: requests.get(server.url, timeout=5).status_code < 500)
        yield server
    finally:
        process.stop()
