"""Requirements files as they occur, read as pip reads them."""

from __future__ import annotations

import pytest

from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment import requirements
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi, LockKind
from carrel.formats.environment.spec import EnvironmentSpec

A, B = "a" * 64, "b" * 64


def pip(text: str | bytes) -> tuple[str, ...]:
    return requirements.read(text.encode() if isinstance(text, str) else text).pip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("# nothing\n\n   # here\n", ()),
        ("numpy", ("numpy",)),
        ("numpy==2.1  # why\r\nsix\r\n", ("numpy==2.1", "six")),
        ("requests [security , socks] >= 2.8.1 , == 2.8.*", ("requests[security,socks]==2.8.*,>=2.8.1",)),
        ("old (>=1.0,<2)", ("old<2,>=1.0",)),
        ("exact===1.0-custom", ("exact===1.0-custom",)),
        ("torch==2.1.0+cu118", ("torch==2.1.0+cu118",)),
        ("a;python_version<'3.8'", ('a; python_version < "3.8"',)),
        ("a==1 \\\n    ; sys_platform == 'win32'  # only there\n", ('a==1; sys_platform == "win32"',)),
        ("pkg@https://files.example/pkg-1.0.zip", ("pkg @ https://files.example/pkg-1.0.zip",)),
        ("pkg @ file:///home/conda/feedstock_root/build_artifacts/pkg_1/work", None),
        ("-e .", ("-e .",)),
        ("--editable=./src[dev]", ("-e ./src[dev]",)),
        ("-e git+ssh://git@code.example/a.git@v1#egg=a&subdirectory=b", None),
        ("git+https://code.example/a.git@0123abc#egg=a", None),
        ("https://files.example/a/main.zip#egg=a", None),
        ("./wheels/a-1-py3-none-any.whl ; python_version > '3'", ("./wheels/a-1-py3-none-any.whl ; python_version > '3'",)),
        ("vendor/a-1.tar.gz", None),
        (r"C:\wheels\a.whl", None),
        ("${PRIVATE_PACKAGE}==1", ("${PRIVATE_PACKAGE}==1",)),
        ("--find-links=https://files.example/x -f ./wheels", ("--find-links https://files.example/x", "--find-links ./wheels")),
        ("--pre\n--no-binary :all:\n--only-binary=numpy,scipy", ("--pre", "--no-binary :all:", "--only-binary numpy,scipy")),
        ("-rbase.txt\n-c ../constraints.txt\n--requirement other.txt", ("-r base.txt", "-c ../constraints.txt", "-r other.txt")),
        (f"a==1 --hash=sha256:{B.upper()} --hash sha256:{A}", (f"a==1 --hash=sha256:{A} --hash=sha256:{B}",)),
        (f"a==1 ; python_version >= '3.8' and python_version < '4' --hash=sha256:{A}", None),
        (f"a==1 \\\n  --hash=sha256:{A} \\\n  # via b\nb==2 --hash=sha256:{B}\n", (f"a==1 --hash=sha256:{A}", f"b==2 --hash=sha256:{B}")),
        ("# a comment goes on \\\nsix\n", ("six",)),
        ("six # but not this one \\\nnumpy\n", ("six",)),
        ("six \\", ("six",)),
        ("a --config-settings='--x=y z' --global-option=-q", ("a --config-settings='--x=y z'",)),
        ("\ufeffsix", ("six",)),
        ("six\n".encode("utf-16"), ("six",)),
        ("six\n".encode("utf-32"), ("six",)),
        ("#!/x\n# -*- coding: latin-1 -*-\nsix # café\n".encode("latin-1"), ("six",)),
        ("six\rnumpy\n\x0c\nscipy", ("six", "numpy", "scipy")),
        ("six\nsix\n", ("six",)),
    ],
)
def test_lines_as_they_occur(text: str | bytes, expected: tuple[str, ...] | None) -> None:
    found = pip(text)
    if expected is not None:
        assert found == expected
    assert pip("\n".join(found)) == found


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("six\n\nnumpy=1\n", 3, "neither a requirement"),
        ("six\nnumpy 2\n", 2, "neither a requirement"),
        ("numpy >= 1.16.*,\n", 1, "neither a requirement"),
        ("six \\\n\\\n  ==\n", 1, "neither a requirement"),
        ("# x\n--frobnicate\n", 2, "no option"),
        ("-r\n", 1, "needs a value"),
        ("--find-links=\n", 1, "needs a value"),
        ("six\n-e 'x\n", 2, "quotation"),
        ("six --hash=sha256:abc\n", 1, "no digest"),
        ("six --hash=sha257:" + A + "\n", 1, "no digest"),
        ("six --hash " + "\n", 1, "needs a value"),
        ("a\nb\n--index-url https://me:secret@index.example/simple\n", 3, "credentials"),
        ("a\nb @ https://me:secret@files.example/b.whl\n", 2, "credentials"),
        ("a\n-e git+https://secret@code.example/b.git\n", 2, "credentials"),
        ("a\nb\0\n", 2, "NUL"),
        (b"a\nb # \xff\n", 2, "utf-8"),
        (b"# coding: klingon\n", 1, "klingon"),
        (b"# coding: hex\n", 1, "hex"),
    ],
)
def test_rejections_name_the_line(text: str | bytes, line: int, word: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        pip(text)
    assert caught.value.fields["line"] == line
    assert word in caught.value.detail
    assert "secret" not in caught.value.detail


def test_indexes_in_the_order_in_which_they_are_asked() -> None:
    text = "--extra-index-url https://one.example/simple\n-i https://last.example/simple --extra-index-url=https://two.example/simple\na\n"
    spec = requirements.read(text.encode())
    assert spec.indexes == ("https://one.example/simple", "https://two.example/simple", "https://last.example/simple")
    assert requirements.read(requirements.write(spec)) == spec
    assert requirements.read(b"-i https://only.example/simple\na").indexes == ("https://only.example/simple",)


def test_an_extra_index_is_asked_beside_the_public_one() -> None:
    spec = requirements.read(b"--extra-index-url https://one.example/simple\n")
    assert len(spec.indexes) == 2
    assert spec.indexes[0] == "https://one.example/simple"
    assert requirements.read(b"--extra-index-url https://one.example/simple --no-index\n").indexes == ("https://one.example/simple",)


def test_variables_of_this_machine_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE", "hunter2")
    spec = requirements.read(b"-i https://${USER}:${PRIVATE}@index.example/simple\na @ https://${PRIVATE}@files.example/a.whl\n")
    assert "hunter2" not in str(spec)
    assert spec.indexes == ("https://${USER}:${PRIVATE}@index.example/simple",)


def test_other_files_are_told_or_followed() -> None:
    files = {
        "deps/base.txt": b"numpy\n-r more/extra.txt\n",
        "deps/more/extra.txt": b"-i https://index.example/simple\nscipy\n-c limits.txt\n",
        "deps/more/limits.txt": b"numpy<2\n",
    }
    text = b"six\n-r deps/base.txt\n"
    told = requirements.read(text)
    assert told.pip == ("six", "-r deps/base.txt")
    assert told.notes == ("Line 2: more is in deps/base.txt.",)
    followed = requirements.read(text, open_beside=files.__getitem__)
    assert followed.pip == ("six", "numpy", "scipy")
    assert followed.pip_constraints == ("numpy<2",)
    assert followed.indexes == ("https://index.example/simple",)
    assert followed.notes == ()


def test_an_error_in_another_file_names_both_lines() -> None:
    with pytest.raises(InvalidFile) as caught:
        requirements.read(b"six\n-r b.txt\n", open_beside=lambda name: b"\n\n1.0==x y\n")
    assert caught.value.detail.startswith("Line 2: In b.txt: Line 3: ")


def test_files_that_name_each_other_end() -> None:
    with pytest.raises(InvalidFile, match="back to itself"):
        requirements.read(b"-r a.txt\n", open_beside=lambda name: b"-r a.txt\n")
    with pytest.raises(InvalidFile, match="cannot be read"):
        requirements.read(b"-r a.txt\n", open_beside=_missing)


def _missing(name: str) -> bytes:
    raise FileNotFoundError(2, "No such file", name)


def test_digests_make_a_lock() -> None:
    lines = pip(f"a==1 --hash=sha256:{A} --hash=sha256:{B}\nB.c==2 --config-settings=x=1 --hash=sha256:{A}\n")
    assert requirements.hashes(lines) == {"a": {A, B}, "b-c": {A}}
    assert requirements.is_lock(lines)
    assert not requirements.is_lock((*lines, "d"))
    assert not requirements.is_lock(("--pre",))
    assert requirements.describe("\n".join(lines).encode()).locked


LOCK = Lock(
    "linux-64",
    "3.11.9",
    pypi=(
        LockedPypi(
            "Zope.interface",
            "7.0",
            "https://files.example/zope.interface-7.0-cp311-cp311-linux_x86_64.whl",
            A,
            5,
            "https://i.example/simple/",
        ),
        LockedPypi("attrs", "25.1", "https://files.example/attrs-25.1-py3-none-any.whl", B, 5, "https://i.example/simple/"),
        LockedPypi("direct", "1.0", "https://elsewhere.example/direct-1.0-py3-none-any.whl", B),
    ),
    kind=LockKind.VENV,
)


def test_a_lock_is_written_for_pip_and_uv() -> None:
    text = requirements.write_lock(LOCK).decode()
    assert text.splitlines() == [
        "# python: 3.11.9",
        "# platform: linux-64",
        "--index-url https://i.example/simple/",
        f"attrs==25.1 --hash=sha256:{B}",
        f"direct @ https://elsewhere.example/direct-1.0-py3-none-any.whl --hash=sha256:{B}",
        f"zope-interface==7.0 --hash=sha256:{A}",
    ]
    spec = requirements.read(text.encode())
    assert (spec.requires_python, spec.platforms, spec.indexes) == ("==3.11.*", ("linux-64",), ("https://i.example/simple/",))
    assert requirements.read(requirements.write(spec)) == spec


def test_conda_packages_have_no_place() -> None:
    conda = LockedConda("a", "1", "0", "https://c.example/noarch/a-1-0.conda", A)
    with pytest.raises(BadRequest) as caught:
        requirements.write_lock(Lock("linux-64", conda=(conda,)))
    assert caught.value.code == "conda_packages"
    with pytest.raises(BadRequest) as caught:
        requirements.write(EnvironmentSpec(dependencies=("a",)))
    assert caught.value.code == "conda_packages"
