"""``environment.yml`` as it occurs: oddities of public files, written afresh."""

from __future__ import annotations

import pytest

from carrel.core.errors import InvalidFile
from carrel.formats.environment import environment_yml, selectors
from carrel.formats.environment.spec import EnvironmentSpec

EXPORTED = """\
\ufeffname: null
channels:
  - pytorch
  - nvidia/label/cuda-11.8.0
  - https://conda.example/channels/lab
  - ./local-channel
  - defaults
dependencies:
  # what conda env export writes
  - _libgcc_mutex=0.1=main
  - python=3.10
  - ca-certificates=2021.5.25=h06a4308_1
  - "blas=*=openblas"
  - numpy 1.19.*
  - scipy>=1.6,!=1.7.0
  - r-base >=4.1,<4.2
  - conda[version='>=23.7']
  - conda-forge::gdal
  - conda-forge/linux-64::htop==3.2
  - openssl 1.1.1|3.*
  - tk[build=h5083fa2_1,channel=conda-forge]
  - https://conda.example/lab/noarch/thing-1-0.conda
  - pip
  - pip:
      - -r requirements.txt
      - -e .
      - -e git+https://code.example/a/b.git@main#egg=b
      - --find-links https://wheels.example/cu118
      - torch==2.0.1+cu118
      - "black[jupyter] ~= 23.1"
      - thing @ https://files.example/thing-1.zip
variables:
  OMP_NUM_THREADS: 1
  FLAG: 1.10
  EMPTY:
prefix: /home/me/miniconda3/envs/x
something-else: [1]
"""


def test_what_conda_exports_is_read() -> None:
    spec = environment_yml.read(EXPORTED.replace("\n", "\r\n").encode())
    assert spec.name == ""
    assert spec.channels == ("pytorch", "nvidia/label/cuda-11.8.0", "https://conda.example/channels/lab", "./local-channel", "defaults")
    assert spec.dependencies[:4] == ("_libgcc_mutex=0.1=main", "python=3.10", "ca-certificates=2021.5.25=h06a4308_1", "blas=*=openblas")
    assert spec.dependencies[-3:] == ("tk[build=h5083fa2_1,channel=conda-forge]", "https://conda.example/lab/noarch/thing-1-0.conda", "pip")
    assert spec.pip[:3] == ("-r requirements.txt", "-e .", "-e git+https://code.example/a/b.git@main#egg=b")
    assert spec.variables == (("OMP_NUM_THREADS", "1"), ("FLAG", "1.10"), ("EMPTY", ""))
    assert [note.split()[0] for note in spec.notes] == ["The", "'something-else'"]
    assert environment_yml.read(environment_yml.write(spec)) == spec


def test_files_that_powershell_redirects_are_read() -> None:
    text = "name: x\ndependencies:\n- python\n"
    assert environment_yml.read(text.encode("utf-16")) == environment_yml.read(text.encode())
    assert environment_yml.read(b"\xfe\xff" + text.encode("utf-16-be")).name == "x"


def test_anchors_are_filled_in() -> None:
    text = "x-common: &common\n- python\nchannels: &c [a]\ndependencies: *common\n"
    assert environment_yml.read(text.encode()).dependencies == ("python",)
    text = "base: &b {name: x, channels: [a]}\n<<: *b\nname: y\ndependencies: [python]\n"
    merged = environment_yml.read(text.encode())
    assert (merged.name, merged.channels) == ("y", ("a",))


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
    ],
)
def test_aliases_that_stand_for_too_much_are_refused(text: str) -> None:
    with pytest.raises(InvalidFile, match="YAML alias") as caught:
        environment_yml.read((text + "dependencies: [python]\n").encode())
    assert caught.value.fields["line"] >= 1


SELECTORS = """\
dependencies:
  - python
  - pywin32  # [win] the registry
  - gcc      #[linux or (osx and arm64)]
  - plain    # [see the manual]
  - sel(unix): readline
  - pip:
    - colorama>=0.4  # [win]
    - uvloop ; python_version < "3.13"  # [not win]
    - -e .  # [linux]
"""


def test_selectors_in_comments_count() -> None:
    spec = environment_yml.read(SELECTORS.encode())
    assert spec.dependencies == ("python", "plain")
    assert spec.selected == (("win", "pywin32"), ("linux or (osx and arm64)", "gcc"), ("unix", "readline"))
    assert spec.pip[0] == 'colorama>=0.4 ; sys_platform == "win32"'
    assert spec.pip[1] == 'uvloop ; (python_version < "3.13") and sys_platform != "win32"'
    assert spec.pip[2] == "-e ."
    assert "cannot be said to pip" in spec.notes[0]
    assert spec.for_platform("osx-arm64").dependencies == ("python", "plain", "gcc", "readline")
    assert spec.for_platform("osx-64").dependencies == ("python", "plain", "readline")
    assert spec.for_platform("win-64").dependencies == ("python", "plain", "pywin32")


@pytest.mark.parametrize(
    ("expression", "platforms"),
    [
        ("linux64", {"linux-64"}),
        ("x86_64", {"linux-64", "osx-64", "win-64"}),
        ("not win and not osx", {"linux-64", "linux-aarch64"}),
        ("arm64 or aarch64", {"osx-arm64", "linux-aarch64"}),
        ("not (linux or win)", {"osx-64", "osx-arm64"}),
    ],
)
def test_selectors(expression: str, platforms: set[str]) -> None:
    known = ["linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64"]
    assert {platform for platform in known if selectors.holds(expression, platform)} == platforms


@pytest.mark.parametrize("expression", ["", "py<38", "win)", "(win", "win osx", "and", "vc==14", "(" * 300, "cuda"])
def test_other_comments_in_brackets_are_no_selectors(expression: str) -> None:
    assert selectors.parse(expression) is None
    assert selectors.marker(expression) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: x\ndependencies:\n- python\n- 3\n", 4),
        ("dependencies:\n- python\n- -r requirements.txt\n", 3),
        ("dependencies:\n- python\n-\n", 3),
        ("dependencies:\n- pip install x\n- python @ https://a.example/b\n", 3),
        ("dependencies:\n- numpy:1.2\n", 2),
        ("dependencies:\n- python\n- pip:\n  - six\n  - {a: b}\n", 5),
        ("dependencies:\n- python\n- pip: six\n", 3),
        ("dependencies:\n- npm:\n  - x\n", 2),
        ("dependencies:\n- sel(py38): x\n", 2),
        ("name: a/b\ndependencies: []\n", 1),
        ("dependencies: []\nchannels:\n- a\n- https://u:p@conda.example\n", 4),
        ("dependencies: []\nchannels:\n- https://conda.example/t/secret-token/a\n", 3),
        ("dependencies: []\nplatforms:\n- linux-64\n- noarch\n", 4),
        ("dependencies: []\nvariables:\n  A: 1\n  B: [1]\n", 4),
        ("dependencies:\n\t- python\n", 2),
        ("dependencies: []\nname: x\ndependencies: []\n", 3),
    ],
)
def test_rejections_name_the_line(text: str, line: int) -> None:
    with pytest.raises(InvalidFile, match=f"^Line {line}: ") as caught:
        environment_yml.read(text.encode())
    assert caught.value.fields["line"] == line
    assert "secret" not in caught.value.detail


def test_an_empty_file_says_so() -> None:
    with pytest.raises(InvalidFile, match="is empty"):
        environment_yml.read(b"# nothing yet\n")


def test_indexes_become_options_of_pip() -> None:
    spec = EnvironmentSpec(dependencies=("python",), pip=("six",), indexes=("https://a.example/simple", "https://b.example/simple"))
    lines = environment_yml.read(environment_yml.write(spec)).pip
    assert lines == ("--extra-index-url https://a.example/simple", "--index-url https://b.example/simple", "six")
