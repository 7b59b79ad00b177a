from __future__ import annotations

import pytest

from carrel.environments.models import Spec
from carrel.environments.naming import normalize, top_level_modules
from carrel.environments.specs import conda_text, requirement


def test_modules_are_found_among_files() -> None:
    files = [
        "numpy/__init__.py",
        "numpy/core/x.so",
        "six.py",
        "_cffi.cpython-311-x86_64-linux-gnu.so",
        "numpy-1.dist-info/METADATA",
        "share/readme.txt",
        "__pycache__/six.cpython-311.pyc",
        "bad-name/__init__.py",
        "../../bin/tool.py",
    ]
    assert top_level_modules(files) == ("_cffi", "numpy", "six")


def test_names_are_compared_as_pypi_does() -> None:
    assert normalize("Foo__Bar.baz") == "foo-bar-baz"


@pytest.mark.parametrize(
    ("version", "conda", "pip"),
    [(None, "x", "x"), ("1.2", "x ==1.2", "x==1.2"), (">=1,<2", "x >=1,<2", "x<2,>=1"), ("1.*", "x 1.*", "x==1.*")],
)
def test_wishes_in_both_grammars(version: str | None, conda: str, pip: str) -> None:
    assert conda_text(Spec("X", version)) == conda
    assert requirement(Spec("x", version, source="pypi")) == pip


def test_a_channel_in_a_wish_has_no_credentials() -> None:
    assert conda_text(Spec("x", channel="https://h/t/ca-secret1/acme/")) == "https://h/acme::x"
