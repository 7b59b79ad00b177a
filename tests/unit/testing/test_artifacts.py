from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from carrel.testing.artifacts import Artifact, build_conda, build_notebook, build_sdist, build_wheel


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_conda("a", files={"lib/x": "y"}),
        lambda: build_conda("a", fmt="tar.bz2"),
        lambda: build_wheel("a", entry_points={"a": "a:main"}),
        lambda: build_sdist("a"),
        lambda: build_sdist("a", fmt="zip"),
        build_notebook,
    ],
)
def test_the_same_arguments_give_the_same_bytes(build: Callable[[], Artifact]) -> None:
    first, second = build(), build()
    assert first == second
    assert first.open().read() == first.data


def test_artifacts_unpack_as_name_and_bytes() -> None:
    filename, data = build_wheel("My-Tool", "2.0", tag="cp311-cp311-linux_x86_64", entry_points={"tool": "my_tool:main"})
    assert filename == "my_tool-2.0-cp311-cp311-linux_x86_64.whl"
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    assert b"tool = my_tool:main" in archive.read("my_tool-2.0.dist-info/entry_points.txt")
    assert b"Root-Is-Purelib: false" in archive.read("my_tool-2.0.dist-info/WHEEL")
