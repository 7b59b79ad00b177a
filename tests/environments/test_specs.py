"""Wishes in conda's and Python's words: read as the ecosystem's own parsers read them, and written back."""

from __future__ import annotations

import atexit
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from rattler import MatchSpec

from carrel.core.errors import BadRequest
from carrel.environments import Spec, specs

atexit.register(time.sleep, 0.1)  # the library's threads may not outlive the interpreter


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("numpy", "numpy"),
        ("NumPy", "numpy"),
        ("numpy 1.26.*", "numpy 1.26.*"),
        ("numpy=1.26", "numpy 1.26.*"),
        ("numpy =1.26", "numpy 1.26.*"),
        ("numpy==1.26.*", "numpy 1.26.*"),
        ("numpy==1.26.4", "numpy ==1.26.4"),
        ("numpy 1.26.4", "numpy ==1.26.4"),
        ("numpy 1.26.4 py311h*", "numpy ==1.26.4 py311h*"),
        ("numpy=1.26.4=py311h64a7726_0", "numpy ==1.26.4 py311h64a7726_0"),
        ("numpy=1.26.*=*mkl", "numpy 1.26.* *mkl"),
        ("numpy=*=py311*", "numpy * py311*"),
        ("numpy >=2, <3", "numpy >=2,<3"),
        ("numpy >= 2", "numpy >=2"),
        ("numpy>=1.22.*", "numpy >=1.22"),
        ("numpy 1.26|>=2.1,!=2.2.*", "numpy ==1.26|>=2.1,!=2.2.*"),
        ("numpy (>=1.2|<1),!=0.5", "numpy (>=1.2|<1),!=0.5"),
        ("numpy~=1.26", "numpy ~=1.26"),
        ("tzdata 1!2024a+local", "tzdata ==1!2024a+local"),
        ("conda-forge::numpy>=2[build=py311*]", "conda-forge::numpy >=2 py311*"),
        ("conda-forge/label/dev::numpy=2", "conda-forge/label/dev::numpy 2.*"),
        ("conda-forge/linux-64::numpy", 'conda-forge::numpy[subdir="linux-64"]'),
        ("https://hub.example/conda/acme/label/dev::charts", "https://hub.example/conda/acme/label/dev::charts"),
        ("numpy[version='>=2,<3', channel=conda-forge, build_number='>=3']", 'conda-forge::numpy >=2,<3[build_number=">=3"]'),
        ("pip # for the notebooks", "pip"),
        ("conda::six", "six"),
    ],
)
def test_match_specifications(text: str, written: str) -> None:
    assert specs.conda_text(specs.parse(text)) == written
    MatchSpec(written, strict=True)
    assert specs.parse(written) == specs.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ">=2",
        "numpy >>1",
        "numpy==",
        "numpy 1.2.",
        "numpy >=2,,<3",
        "numpy (>=2",
        "numpy[mkl=yes]",
        "numpy[version]",
        "numpy 1 2 3",
        "a b|",
    ],
)
def test_what_is_no_match_specification_is_told(text: str) -> None:
    with pytest.raises(BadRequest, match="not a package specification"):
        specs.parse(text)


_versions = st.from_regex(r"(0|[1-9][0-9]?)(\.(0|[1-9][0-9]?)){0,3}(rc[0-9]|\.dev[0-9]|\.post[0-9])?", fullmatch=True)
_atoms = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["", "==", "!=", ">=", "<=", ">", "<", "~="]), _versions),
    st.builds("{}{}.*".format, st.sampled_from(["", "=", "!="]), st.from_regex(r"(0|[1-9][0-9]?)(\.(0|[1-9][0-9]?)){0,2}", fullmatch=True)),
)


@given(
    name=st.from_regex(r"[a-z][a-z0-9_]{0,8}(-[a-z0-9]{1,5})?", fullmatch=True),
    atoms=st.lists(_atoms, max_size=4),
    separators=st.lists(st.sampled_from([",", "|", ", ", " | "]), min_size=4, max_size=4),
    build=st.sampled_from(["", "py311*", "h1234_0", "*_cp311"]),
)
def test_whatever_is_written_the_library_reads_as_the_same(name: str, atoms: list[str], separators: list[str], build: str) -> None:
    version = "".join(f"{atom}{separator}" for atom, separator in zip(atoms, separators, strict=False))[
        : -len(separators[len(atoms) - 1]) or None
    ]
    spec = specs.parse(f"{name} {version or '*'} {build}")
    written = specs.conda_text(spec)
    read = MatchSpec(written, strict=True)
    assert read.name.normalized == spec.name == name
    assert (read.build or None) == spec.build == (build or None)
    assert specs.parse(written) == spec
    assert specs.parse(str(read)) == spec or len(atoms) > 1


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("scikit_learn", Spec("scikit_learn", None, "pypi")),
        ("requests[socks,security] >= 2, <3", Spec("requests", "<3,>=2", "pypi", extras=("security", "socks"))),
        ("pywin32; sys_platform == 'win32'", Spec("pywin32", None, "pypi", marker='sys_platform == "win32"')),
        ("six==1.16.0", Spec("six", "1.16.0", "pypi")),
        ("six==1.16.*", Spec("six", "1.16.*", "pypi")),
        ("mine @ git+https://git.example/mine@main", Spec("mine", None, "pypi", url="git+https://git.example/mine@main")),
        ("https://files.example/a_b-1.0-py3-none-any.whl", Spec("a-b", None, "pypi", url="https://files.example/a_b-1.0-py3-none-any.whl")),
    ],
)
def test_requirements(text: str, spec: Spec) -> None:
    assert specs.parse(text, "pypi") == spec
    written = specs.requirement(spec)
    assert specs.parse(written, "pypi") == spec
    assert specs.parse(specs.text(spec)) == spec
    if "://" not in text:
        assert Requirement(written) == Requirement(text)


@pytest.mark.parametrize("text", ["--index-url", "-e .", "six==", "git+https://git.example/mine", "six ; python = 3", ""])
def test_what_is_no_requirement_is_told(text: str) -> None:
    with pytest.raises(BadRequest, match=r"not a requirement|does not say which package"):
        specs.parse(text, "pypi")


@pytest.mark.parametrize(
    ("text", "in_conda"),
    [
        ("numpy", "conda"),
        ("pandas<2", "conda"),
        ("pypi::pandas<2", "pypi"),
        ("conda::pandas<2", "conda"),
        ("requests[socks]", "pypi"),
        ("requests[socks]>=2", "pypi"),
        ("numpy[build=py311*]", "conda"),
        ("numpy 1.26.4 py311h*", "conda"),
        ("numpy=1.26", "conda"),
        ("six; python_version < '3.13'", "pypi"),
        ("mine @ https://files.example/mine-1.0.tar.gz", "pypi"),
        ("./dist/mine-1.0-py3-none-any.whl", "pypi"),
        ("https://conda.example/c/noarch/six-1.16.0-pyh_0.conda", "conda"),
        ("https://conda.example/c::six", "conda"),
    ],
)
def test_a_mixed_list_is_sorted_by_form_and_environment(text: str, in_conda: str) -> None:
    assert specs.parse_for(text, "conda").source == in_conda
    if specs.form_of(text) is None and "::" not in text:
        assert specs.parse_for(text, "conda", pypi=True).source == "pypi"
        assert specs.parse_for(text, "venv").source == "pypi"


def test_versions_may_be_written_as_for_conda_elsewhere_too() -> None:
    assert specs.requirement(specs.parse_for("numpy=1.26", "venv")) == "numpy==1.26.*"
    assert specs.requirement(specs.parse_for("numpy 1.26.4", "conda", pypi=True)) == "numpy==1.26.4"
    assert specs.parse_for("numpy[build=py311*]", "venv").source == "conda"


def test_the_address_of_one_archive() -> None:
    address = "https://conda.example/c/linux-64/my-pkg-1.0-h1_0.conda"
    spec = specs.parse(f"{address}#sha256:{'ab' * 32}")
    assert (spec.name, spec.url, spec.conditions) == ("my-pkg", address, (("sha256", "ab" * 32),))
    assert MatchSpec(specs.conda_text(spec), strict=True).name.normalized == "my-pkg"
    with pytest.raises(BadRequest, match="NAME-VERSION-BUILD"):
        specs.parse("https://conda.example/c/linux-64/what.conda")


def test_secrets_of_addresses_are_not_repeated() -> None:
    with pytest.raises(BadRequest) as caught:
        specs.parse("https://me:hidden@conda.example/t/ca-abcdefgh/c/what.conda")
    assert "hidden" not in caught.value.detail + str(caught.value.fields)
    assert "ca-abcdefgh" not in caught.value.detail


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("acme/charts>=2", ("acme", None, "charts>=2")),
        ("acme/label/dev/charts[plots]", ("acme", "dev", "charts[plots]")),
        ("pypi::acme/charts", ("acme", None, "pypi::charts")),
        ("charts", (None, None, "charts")),
        ("acme/label/dev::charts", (None, None, "acme/label/dev::charts")),
        ("dist/mine-1.0-py3-none-any.whl", (None, None, "dist/mine-1.0-py3-none-any.whl")),
        ("mine @ https://files.example/mine-1.0.tar.gz", (None, None, "mine @ https://files.example/mine-1.0.tar.gz")),
    ],
)
def test_namespaces_of_the_hub(text: str, found: tuple[str | None, str | None, str]) -> None:
    assert specs.split_namespace(text) == found
