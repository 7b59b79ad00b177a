from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from carrel.testing.conda_channel.interpreter import Interpreter
from carrel.testing.conda_channel.packages import PLACEHOLDER, Member, Package
from carrel.testing.conda_channel.wheels import Wheel, conda_name

INTERPRETER = Interpreter(
    "3.12.4", "3.12", Path("/p"), Path("/p/lib"), Path("/p/include"), Path("/p/bin/python"), Path("/p/lib"), "", "linux-64"
)


def make_wheel(folder: Path, name: str, tag: str, metadata: str = "", files: dict[str, str] | None = None) -> Wheel:
    stem = f"{name}-1.2"
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{metadata}\n")
        archive.writestr(f"{stem}.dist-info/RECORD", f"{stem}.dist-info/RECORD,,\n")
        for file, text in (files or {}).items():
            archive.writestr(file, text)
    return Wheel(path)


@pytest.mark.parametrize(
    ("project", "conda"),
    [
        ("NumPy", "numpy"),
        ("jupyter-client", "jupyter_client"),
        ("stack.data", "stack_data"),
        ("tzdata", "python-tzdata"),
        ("PyYAML", "pyyaml"),
    ],
)
def test_names_agree_with_the_established_ones(project: str, conda: str) -> None:
    assert conda_name(project) == conda


def test_a_pure_wheel_is_noarch(tmp_path: Path) -> None:
    metadata = (
        "Requires-Python: >=3.9\nSummary: A thing\nRequires-Dist: stack-data (>=0.6,!=0.7.*)\nRequires-Dist: colorama; os_name == 'nt'"
    )
    files = {"thing.py": "x = 1", "thing-1.2.dist-info/entry_points.txt": "[console_scripts]\nthing = thing:main.run [extra]\n"}
    package = make_wheel(tmp_path, "thing", "py3-none-any", metadata, files).package(INTERPRETER, {})
    assert (package.noarch, package.subdir) == ("python", "noarch")
    assert package.depends == ("python >=3.9", "stack_data !=0.7.*,>=0.6")
    assert package.entry_points == ("thing = thing:main.run",)
    paths = {member.path for member in package.members}
    assert {"site-packages/thing.py", "site-packages/thing-1.2.dist-info/INSTALLER"} <= paths
    assert package.about["summary"] == "A thing"


def test_a_wheel_with_compiled_code_is_for_one_platform_and_minor_version(tmp_path: Path) -> None:
    files = {
        "thing/_c.so": "\0",
        "thing-1.2.data/scripts/tool": "#!python\n",
        "thing-1.2.data/data/share/x": "x",
        "thing-1.2.dist-info/entry_points.txt": "[console_scripts]\nthing = thing:main\n",
    }
    wheel = make_wheel(tmp_path, "thing", "cp312-cp312-manylinux_2_17_x86_64", "Requires-Dist: six==1.16.*", files)
    package = wheel.package(INTERPRETER, {})
    assert (package.noarch, package.subdir) == (None, "linux-64")
    assert package.depends == ("python >=3.12,<3.13.0a0", "python_abi 3.12.* *_cp312", "six 1.16.*")
    members = {member.path: member for member in package.members}
    assert {"lib/python3.12/site-packages/thing/_c.so", "share/x"} <= set(members)
    for script in ("bin/tool", "bin/thing"):
        assert members[script].executable
        assert members[script].data.startswith(f"#!{PLACEHOLDER}/bin/python3.12\n".encode())
        assert members[script].paths_entry()["file_mode"] == "text"


def test_requirements_on_extras_become_plain_ones(tmp_path: Path) -> None:
    server = make_wheel(tmp_path, "server", "py3-none-any", "Provides-Extra: fast\nRequires-Dist: uvloop>1; extra == 'fast'")
    app = make_wheel(tmp_path, "app", "py3-none-any", "Requires-Dist: server[fast]")
    assert app.package(INTERPRETER, {"server": server}).depends == ("python", "server", "uvloop >1")


def test_the_build_string_follows_the_content() -> None:
    package = Package("a", "1", (Member("x", b"1"),))
    assert package.build_string == Package("a", "1", (Member("x", b"1"),)).build_string
    assert package.build_string != Package("a", "1", (Member("x", b"2"),)).build_string
    assert package.build_string != Package("a", "1", (Member("x", b"1"),), depends=("b",)).build_string


def test_the_placeholder_has_the_length_that_installers_expect() -> None:
    assert len(PLACEHOLDER) == 255
