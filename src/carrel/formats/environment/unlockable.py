"""What a lock file of another tool names and no index has: packages from repositories, folders and files."""

from __future__ import annotations

from carrel.formats.environment.lock import LockProblem

CODES = frozenset({"editable", "from_repository", "local_folder", "local_wheel"})

_BUILD = "Build a wheel of it, upload that to your namespace and install it from there."
_UPLOAD = "Upload it to your namespace and install it from there."


def from_repository(name: str) -> LockProblem:
    """Return the problem of a package that comes from a repository."""
    return LockProblem("from_repository", f"{name} comes from a repository. {_BUILD}", name, "build_wheel")


def from_folder(name: str, *, editable: bool) -> LockProblem:
    """Return the problem of a package that comes from a folder beside the lock."""
    code = "editable" if editable else "local_folder"
    return LockProblem(code, f"{name} comes from a folder beside the lock file. {_BUILD}", name, "build_wheel")


def from_file(name: str) -> LockProblem:
    """Return the problem of a package that comes from a file beside the lock."""
    return LockProblem("local_wheel", f"{name} comes from a file beside the lock file. {_UPLOAD}", name, "upload_wheel")
