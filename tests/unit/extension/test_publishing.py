"""What the publish sheet tells of packages that others cannot install."""

from __future__ import annotations

from carrel.environments import Installed
from carrel.extension.publishing import problems_of


def package(name: str, location: str | None = None, origin: str = "", source: str = "pypi") -> Installed:
    return Installed(name, "1.0", "", source, "", True, 0, "", (name,), location, origin=origin)  # type: ignore[arg-type]


def test_problems_have_the_remedies_of_locks() -> None:
    found = problems_of(
        [
            package("mine", location="/home/ada/mine", origin="file:///home/ada/mine"),
            package("tides", origin="git+https://git.example/tides@c0ffee#subdirectory=python"),
            package("wheel", origin="file:///home/ada/wheel-1.0-py3-none-any.whl"),
            package("folder", origin="file:///home/ada/folder"),
            package("archive", origin="https://files.example/archive-1.0.tar.gz"),
            package("usual"),
            package("conda", origin="file:///opt/conda-1.0-0.conda", source="conda"),
        ]
    )
    assert [(one["name"], one["code"], one["remedy"]) for one in found] == [
        ("mine", "editable", "build_wheel"),
        ("tides", "from_repository", "build_wheel"),
        ("wheel", "local_wheel", "upload_wheel"),
        ("folder", "local_folder", "build_wheel"),
    ]
    assert found[0]["message"] == "mine is installed from a folder; others cannot install it."
