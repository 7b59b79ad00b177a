"""Looking for tokens in archives that were made to keep their reader busy."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

import pytest
import zstandard

from carrel.hub.files import leaks


def test_a_package_with_many_packed_infos_is_not_unpacked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("info/large")
        member.size = 5_000_000
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    bomb = zstandard.compress(packed.getvalue())
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        for number in range(50):
            archive.writestr(f"info-{number}.tar.zst", bomb)
    opened = []
    reader = leaks.zstd_reader

    def counted(*given: Any) -> Any:
        opened.append(given)
        return reader(*given)

    monkeypatch.setattr(leaks, "zstd_reader", counted)
    assert not any(data for _, data in leaks.packed_texts(package, "many-1.0-0.conda"))
    assert 1 <= len(opened) <= 2


def test_a_notebook_is_read_as_far_as_notebooks_may_be_long() -> None:
    class Source(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert size >= 0
            return super().read(size)

    assert leaks._place_in_notebook(Source(b"[" * 1000), "n.ipynb", "0" * 64) == ""
    assert leaks._place_in_notebook(Source(b'{"cells": []}'), "n.ipynb", "0" * 64) == "n.ipynb: metadata"
