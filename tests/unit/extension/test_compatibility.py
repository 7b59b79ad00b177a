from __future__ import annotations

import sys

import pytest

from carrel.environments.packages_of_modules import package_of
from carrel.extension.search.compatibility import (
    Offer,
    best,
    conda_reason,
    conda_spec_allows,
    is_newer,
    merge_versions,
    pypi_reason,
)
from carrel.extension.search.service import match_names

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}.4"


@pytest.mark.parametrize(
    ("spec", "version", "allowed"),
    [
        (">=3.11,<3.12.0a0", "3.11.9", True),
        (">=3.11,<3.12.0a0", "3.12.0", False),
        ("3.11.*", "3.11.9", True),
        ("3.11.*", "3.1.1", False),
        ("3.11", "3.11.9", True),
        ("=3.11", "3.12.1", False),
        ("==3.11.9", "3.11.9", True),
        ("!=3.11.*", "3.11.9", False),
        ("~=3.11.2", "3.11.9", True),
        ("~=3.11.2", "3.12.0", False),
        ("2.7|>=3.5", "3.12.0", True),
        ("2.7|3.5.*", "3.12.0", False),
        ("*", "3.12.0", True),
        ("something new", "3.12.0", True),
    ],
)
def test_conda_specs(spec, version, allowed):
    assert conda_spec_allows(spec, version) is allowed


def test_conda_records():
    record = {"subdir": "linux-64", "depends": ["python >=3.12,<3.13.0a0", "python_abi 3.12.* *_cp312", "numpy"]}
    assert conda_reason(record, "linux-64", "3.12.1") == ""
    assert conda_reason(record, "linux-64", "3.14.0") == "Not for Python 3.14"
    assert conda_reason(record, "osx-arm64", "3.12.1") == "Not for osx-arm64"
    assert conda_reason({"subdir": "noarch", "depends": ["python"]}, "osx-arm64", "3.14.0") == ""
    assert conda_reason(record, "linux-64", "") == ""


def test_python_files():
    assert pypi_reason("a-1-py3-none-any.whl", ">=3.9", HERE) == ""
    assert pypi_reason("a-1-py3-none-any.whl", ">=4", HERE).startswith("Not for Python")
    assert pypi_reason("a-1-cp27-cp27m-win32.whl", None, HERE) == "Not for this platform or Python"
    assert pypi_reason("a-1.tar.gz", None, HERE) == ""
    assert pypi_reason("a-1.exe", None, HERE)
    assert pypi_reason("a-1-py3-none-any.whl", None, HERE, yanked=True) == "Withdrawn by its authors"
    assert pypi_reason("a-1-py3-none-any.whl", "nonsense", HERE) == ""
    assert pypi_reason("broken.whl", None, HERE)


def test_the_newest_final_installable_version_is_offered():
    offers = [Offer("1.9"), Offer("1.10"), Offer("2.0rc1", prerelease=True), Offer("3.0", reason="Not for Python 3.14")]
    assert best(offers).version == "1.10"
    assert best([offers[3]]).version == "3.0"
    assert best([offers[2], offers[3]]).version == "2.0rc1"
    assert best([]) is None
    assert [o.version for o in merge_versions(offers)] == ["3.0", "2.0rc1", "1.10", "1.9"]
    assert merge_versions([Offer("1", reason="x"), Offer("1")]) == [Offer("1")]
    assert is_newer("1.10", "1.9")
    assert not is_newer("1.9", "1.9")
    assert not is_newer("2026a", "what")


def test_names_equal_then_prefix_then_inside():
    names = ["python-numpy", "numpy-financial", "numpy", "numpydoc", "other"]
    assert match_names(names, "NumPy", 10) == ["numpy", "numpydoc", "numpy-financial", "python-numpy"]
    assert match_names(names, "numpy", 2) == ["numpy", "numpydoc"]
    assert match_names(names, "nunpy", 5) == ["numpy"]
    assert match_names(names, "zz", 5) == []


def test_modules_of_other_names():
    assert package_of("cv2", conda=False) == "opencv-python"
    assert package_of("cv2", conda=True) == "opencv"
    assert package_of("SKLEARN", conda=True) == "scikit-learn"
    assert package_of("nothing", conda=True) is None


def test_a_channel_name_has_an_address_and_a_link_adds_none(tmp_path, monkeypatch):
    from carrel.extension.search.conda import CondaChannels
    from carrel.extension.sources import SourceBook

    class Access:
        url = "https://hub.invalid"

    channels = CondaChannels(tmp_path)
    assert channels.address("https://conda.invalid/acme") == "https://conda.invalid/acme"
    address = channels.address("conda-forge")
    assert address is not None
    assert address.startswith("https://")
    assert address.rstrip("/").endswith("/conda-forge")
    book = SourceBook(Access(), ["conda-forge"], ["https://index.invalid/simple/"])
    assert book.known_addresses() == ["https://index.invalid/simple/", "https://hub.invalid"]
