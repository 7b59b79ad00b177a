"""An environment of both installers that plans are made for, and the channels and the index that they are made from."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environment_fixtures import PackageIndex, change

from carrel.environments import Plan, PlannedPackage, Sources, Spec
from carrel.testing.artifacts import Artifact, build_conda, build_wheel
from carrel.testing.conda_channel import index

_TAG = f"cp3{sys.version_info.minor}-cp3{sys.version_info.minor}-linux_x86_64"


@dataclass(frozen=True)
class Lab:
    """The environment and where packages come from: ``main`` and ``first`` before ``second``."""

    prefix: Path
    main: str
    first: str
    second: str
    index: PackageIndex

    @property
    def sources(self) -> Sources:
        return Sources((self.main, self.first, self.second), (self.index.url,))


def conda_archives() -> dict[str, list[tuple[Artifact, str]]]:
    core = {"weak": ["corelib >=1,<2"]}
    later = {"weak": ["corelib >=2,<3"]}
    first = [
        (build_conda("corelib", "1.0", depends=["python"], run_exports=core, files=_library("1.0")), "linux-64"),
        (build_conda("corelib", "1.5", depends=["python"], run_exports=core, files=_library("1.5")), "linux-64"),
        (build_conda("corelib", "2.0", depends=["python"], run_exports=later, files=_library("2.0")), "linux-64"),
        (build_conda("coreuser", "1.0", depends=["corelib"], files={"lib/libuser.so": "u"}), "linux-64"),
        (build_conda("dated", "1.0", noarch="generic", files={"share/dated": "1"}), "noarch"),
        (build_conda("dated", "2.0", noarch="generic", files={"share/dated": "2"}), "noarch"),
        (build_conda("shared", "1.0", noarch="generic", files={"share/shared": "1"}), "noarch"),
        (build_conda("oldpython", "1.0", noarch="python", depends=["python <3.9"], files={"site-packages/oldpython.py": ""}), "noarch"),
    ]
    second = [
        (build_conda("shared", "2.0", noarch="generic", files={"share/shared": "2"}), "noarch"),
        (build_conda("needs-shared", "1.0", noarch="generic", depends=["shared >=2"], files={"share/needs": "1"}), "noarch"),
    ]
    return {"first": first, "second": second}


def _library(version: str) -> dict[str, str]:
    folder = f"lib/python3.{sys.version_info.minor}/site-packages"
    metadata = f"Metadata-Version: 2.1\nName: corelib\nVersion: {version}\n\n"
    return {
        f"{folder}/corelib/__init__.py": f"__version__ = {version!r}\n",
        f"{folder}/corelib-{version}.dist-info/METADATA": metadata,
        f"{folder}/corelib-{version}.dist-info/INSTALLER": "conda\n",
    }


def wheels() -> list[Artifact]:
    return [
        build_wheel("needsbeta", "1.0", requires=["beta<2"]),
        build_wheel("compiled", "1.0", tag=_TAG, requires=["corelib"]),
        build_wheel("solo", "1.0"),
        build_wheel("solo", "2.0"),
        build_wheel("gamma", "1.0", requires=["solo<2"]),
        build_wheel("delta", "1.0", requires=["solo>=2"]),
        build_wheel("onlypip", "1.0"),
        build_wheel("future", "1.0", requires_python=">=3.99"),
        build_wheel("ipykernel", "1.0", requires=["traitlets"], files={"ipykernel/__init__.py": ""}),
        build_wheel("traitlets", "1.0"),
    ]


def build(folder: Path, main: Path, running: PackageIndex) -> Lab:
    """Make the channels and the environment in *folder*."""
    for name, archives in conda_archives().items():
        for artifact, subdir in archives:
            (folder / name / subdir).mkdir(parents=True, exist_ok=True)
            (folder / name / subdir / artifact.filename).write_bytes(artifact.data)
        index(folder / name)
    _date(folder / "first" / "noarch", {"dated-1.0": 1_680_000_000_000, "dated-2.0": 1_750_000_000_000})
    lab = Lab(folder / "analysis", main.as_uri(), (folder / "first").as_uri(), (folder / "second").as_uri(), running)
    (lab.prefix / "conda-meta").mkdir(parents=True)
    conda = [Spec("python"), Spec("ipykernel"), Spec("beta", "1.0"), Spec("alpha", "1.0"), Spec("corelib", "1.0"), Spec("coreuser")]
    change(lab.prefix, lab.sources, *conda)
    change(lab.prefix, lab.sources, Spec("needsbeta", source="pypi"), Spec("compiled", source="pypi"))
    return lab


def _date(subdir: Path, moments: dict[str, int]) -> None:
    """Let packages have been published at *moments* (milliseconds), and the others a long time ago."""
    path = subdir / "repodata.json"
    data: dict[str, Any] = json.loads(path.read_text())
    for filename, record in data["packages.conda"].items():
        record["timestamp"] = record["indexed_timestamp"] = moments.get(filename.rsplit("-", 1)[0], 1_600_000_000_000)
    for other in subdir.iterdir():
        if other.name.startswith("repodata"):
            other.unlink()
    path.write_text(json.dumps(data))


def line(made: Plan, name: str) -> PlannedPackage:
    return next(one for one in made.steps if one.name == name)


def told(made: Plan) -> dict[str, str]:
    """The warnings by code; the last of each."""
    return {notice.code: notice.message for notice in made.warnings}
