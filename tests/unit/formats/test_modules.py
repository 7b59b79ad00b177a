from __future__ import annotations

from carrel.formats.modules import import_names


def test_modules_packages_and_extensions_are_found() -> None:
    paths = ["six.py", "numpy/__init__.py", "fast.cpython-311-x86_64-linux-gnu.so", "win.pyd", "abi.abi3.so", "google/cloud/storage.py"]
    assert import_names(paths) == ("abi", "fast", "google", "numpy", "six", "win")


def test_what_cannot_be_imported_is_left_out() -> None:
    paths = [
        "a-1.dist-info/METADATA",
        "a-1.dist-info/x.py",
        "__pycache__/a.pyc",
        "data/table.csv",
        "stub.pyi",
        "not-a-name/x.py",
        "README.md",
        "",
    ]
    assert import_names(paths) == ()


def test_the_number_is_bounded() -> None:
    assert len(import_names(f"m{i}.py" for i in range(5000))) == 1000
