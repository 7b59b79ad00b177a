from __future__ import annotations

import io

import pytest

from carrel import formats
from carrel.core.errors import BadRequest, CarrelError, InvalidFile
from carrel.core.kinds import Kind
from carrel.testing.artifacts import Artifact, build_conda, build_notebook, build_r_package, build_sdist, build_wheel, pack_tar

HINTS = formats.Hints("pkg", "1.0")


@pytest.mark.parametrize(
    ("artifact", "kind"),
    [
        (build_conda("a"), Kind.CONDA),
        (build_conda("a", fmt="tar.bz2"), Kind.CONDA),
        (build_wheel("a"), Kind.PYPI),
        (build_sdist("a"), Kind.PYPI),
        (build_sdist("a", fmt="zip"), Kind.PYPI),
        (build_r_package("tiny"), Kind.R),
        (build_notebook(), Kind.NOTEBOOK),
        (Artifact("environment.yml", b"dependencies: [python]\n"), Kind.ENVIRONMENT),
        (Artifact("anything.txt", b"# hello\n@EXPLICIT\n"), Kind.ENVIRONMENT),
        (Artifact("requirements-dev.txt", b"numpy\n"), Kind.ENVIRONMENT),
        (Artifact("pylock.toml", b""), Kind.ENVIRONMENT),
        (Artifact("pylock.gpu.toml", b""), Kind.ENVIRONMENT),
        (Artifact("gpu.conda-lock.yml", b""), Kind.ENVIRONMENT),
        (Artifact("pixi.lock", b""), Kind.ENVIRONMENT),
        (Artifact("notes.txt", b"no lock\n"), Kind.FILE),
        (Artifact("data-2024.tar.gz", pack_tar({"data/a.csv": b"1"}, "gz")), Kind.FILE),
        (Artifact("data-2024-01.tar.bz2", pack_tar({"data/a.csv": b"1"}, "bz2")), Kind.FILE),
        (Artifact("data-2024.zip", b"no zip"), Kind.FILE),
        (Artifact("config.yml", b"a: 1"), Kind.FILE),
        (Artifact("table.csv", b"a,b\n1,2\n"), Kind.FILE),
    ],
    ids=lambda value: value.filename if isinstance(value, Artifact) else str(value),
)
def test_kinds_are_told_by_name_and_content(artifact: Artifact, kind: Kind) -> None:
    source = artifact.open()
    assert formats.detect(artifact.filename, source).kind is kind
    assert source.tell() == 0


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("a-1-0.tar.bz2", Kind.CONDA),
        ("a-1.tar.gz", Kind.PYPI),
        ("a-1.zip", Kind.FILE),
        ("notes.txt", Kind.FILE),
        ("requirements.txt", Kind.ENVIRONMENT),
        ("archive.tar.bz2", Kind.FILE),
    ],
)
def test_without_bytes_the_name_decides(filename: str, kind: Kind) -> None:
    assert formats.detect(filename).kind is kind


def test_a_damaged_file_keeps_its_kind() -> None:
    with pytest.raises(InvalidFile):
        formats.read("a-1-0.conda", io.BytesIO(b"not a zip file"))


def test_the_kind_can_be_forced() -> None:
    assert formats.read("a-1-0.conda", io.BytesIO(b"x"), kind="file", hints=HINTS).kind is Kind.FILE


@pytest.mark.parametrize("kind", ["unknown", ""])
def test_unknown_kinds_are_refused(kind: str) -> None:
    with pytest.raises(BadRequest) as caught:
        formats.get(kind)
    assert caught.value.code == "unknown_kind"


@pytest.mark.parametrize("filename", ["", ".", "..", "a/b.csv", "a\\b.csv", "a\0.csv", "a\nb.csv", "x" * 256])
def test_a_file_name_is_a_base_name(filename: str) -> None:
    with pytest.raises(BadRequest) as caught:
        formats.read(filename, io.BytesIO(b""), hints=HINTS)
    assert caught.value.code == "invalid_filename"


@pytest.mark.parametrize("filename", ["n.ipynb", "environment.yml", "a.csv"])
def test_files_that_cannot_tell_their_version_need_a_hint(filename: str) -> None:
    with pytest.raises(BadRequest) as caught:
        formats.read(filename, io.BytesIO(b"{}"))
    assert caught.value.code == "version_required"


NAMES = {
    "a-1-0.conda": "conda",
    "a-1-0.tar.bz2": "conda",
    "a-1-py3-none-any.whl": "pypi",
    "a-1.tar.gz": "pypi",
    "a-1.zip": "pypi",
    "aa_1.0.tar.gz": "r",
    "aa_1.0.tgz": "r",
    "aa_1.0.zip": "r",
    "n.ipynb": "notebook",
    "environment.yml": "environment",
    "conda-lock.yml": "environment",
    "pylock.toml": "environment",
    "pixi.lock": "environment",
    "notes.txt": "environment",
}
RUBBISH = [
    b"",
    b"\0",
    b"\xff" * 1000,
    b"{" * 100_000,
    b"[" * 100_000,
    b"a: &x [*x]\n",
    b"PK\x05\x06" + b"\0" * 18,
    b"BZh91AY&SY",
    b"\x1f\x8b\x08",
    b"null",
    b"1",
]


@pytest.mark.parametrize("filename", NAMES)
@pytest.mark.parametrize("data", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_is_refused_with_a_sentence(filename: str, data: bytes) -> None:
    with pytest.raises(CarrelError) as caught:
        formats.read(filename, io.BytesIO(data), kind=NAMES[filename], hints=HINTS)
    assert caught.value.status in {400, 413}
    assert caught.value.detail.endswith(".")
    assert len(caught.value.detail) < 600


@pytest.mark.parametrize(
    "artifact",
    [build_conda("a", files={"a.txt": "x" * 500}), build_conda("a", fmt="tar.bz2"), build_wheel("a"), build_sdist("a"), build_notebook()],
    ids=lambda artifact: artifact.filename,
)
def test_truncated_files_are_refused(artifact: Artifact) -> None:
    kind = formats.detect(artifact.filename).kind
    for length in range(0, len(artifact.data) - 40, max(1, len(artifact.data) // 25)):
        with pytest.raises(CarrelError):
            formats.read(artifact.filename, io.BytesIO(artifact.data[:length]), kind=kind, hints=HINTS)
