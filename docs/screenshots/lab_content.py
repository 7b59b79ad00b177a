"""Additions to the content of the demonstration, for states that it does not lead to by itself."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from carrel.client import HubClient
from carrel.demo import environments, samples
from carrel.environments import clone
from carrel.environments.locations import current_platform
from carrel.formats.environment import dump_lock, load_lock
from carrel.formats.environment.lock import Lock
from carrel.testing.artifacts import Artifact, build_conda

_SHAPES = os.urandom(4_000_000)  # cannot be compressed: something to download
_OTHER_CHANNEL = "https://conda.example.org/weather"
_COUNTRIES = "northern-coasts"


def fill(client: HubClient, root: Path) -> None:
    """Upload what makes plans worth a look, and write the notebooks that are opened."""
    # Wants an older acme-charts than the newest, so that installing it changes a package that was asked for.
    maps = build_conda(
        "acme-maps",
        "0.4.0",
        build="pyh1_0",
        noarch="python",
        depends=["python >=3.11", "acme-charts <1.1", f"{_COUNTRIES} >=2025"],
        files={"site-packages/acme_maps.py": '"""Maps as SVG."""\n'},
        about={"summary": "Outline maps as SVG, drawn from a table of regions", "license": "BSD-3-Clause"},
    )
    shapes = build_conda(
        _COUNTRIES,
        "2025.1",
        build="0",
        noarch="generic",
        files={"share/northern-coasts/shapes.bin": _SHAPES},
        about={"summary": "Coast lines of northern Europe", "license": "CC-BY-4.0"},
    )
    # Of an atlas the newest cannot be had, of a globe nothing.
    atlas = [_pure("acme-atlas", "1.2.0", "acme-charts"), _pure("acme-atlas", "2.0.0", "acme-charts >=2")]
    globe = _pure("acme-globe", "0.1.0", "northern-seas >=3")
    for artifact in (maps, shapes, *atlas, globe):
        client.upload_file(samples.ORGANIZATION, artifact.data, artifact.filename, visibility="public")
    _publish_with_a_foreign_channel(client, root)
    _publish_from_another_platform(client, root)
    _share_read_only(root)
    # Put together here, so that no scanner takes this file for a leak.
    key = "ghp_" + "R7mQ2vX9cL4tB8nZ1kW6yJ3hF5dS0aPqEuGi"
    _notebook(
        root / "tide-tables.ipynb",
        "# Tide tables\n\nHigh water at the pier, fetched from the harbour office.",
        f'token = "{key}"\nheaders = {{"Authorization": f"Bearer {{token}}"}}',
        'print("asked with", headers)',
        outputs={1: f"asked with {{'Authorization': 'Bearer {key}'}}\n"},
    )
    _notebook(
        root / "imports.ipynb",
        "# Sales by region",
        "import acme_charts\nimport acme_maps\nimport csv\nimport yaml\nimport IPython",
    )


def _pure(name: str, version: str, *depends: str) -> Artifact:
    module = name.replace("-", "_")
    return build_conda(
        name,
        version,
        build="pyh1_0",
        noarch="python",
        depends=["python >=3.11", *depends],
        files={f"site-packages/{module}.py": f"__version__ = {version!r}\n"},
        about={"summary": f"{name.partition('-')[2].capitalize()} pages for notebooks", "license": "BSD-3-Clause"},
    )


def _share_read_only(root: Path) -> None:
    """Make an environment whose owner does not want it changed, as that of a course, and a notebook that uses it."""
    folder = root.parents[1] / "environments"
    course = folder / "course"
    clone(folder / "harbour", course)
    (course / "conda-meta" / "frozen").touch()
    environments.kernelspec(course, "carrel-demo-course", "course", root.parent / "profile" / "data")
    sources = ("import acme_charts", 'acme_charts.bars({"Mon": 3, "Tue": 5, "Wed": 4}, title="Visitors")')
    _notebook(root / "exercise-3.ipynb", "# Exercise 3\n\nCount the visitors of each day.", *sources, kernel="carrel-demo-course")


def _publish_from_another_platform(client: HubClient, root: Path) -> None:
    """Publish the harbour notebook once more as if it came from a computer of another kind, where some versions differ."""
    release = client.release(samples.ORGANIZATION, "harbour-temperatures")
    folder = root.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    name = "lighthouse-log"
    draft = client.start_release(samples.ORGANIZATION, name, visibility="public", kind="notebook", message="Written on a laptop")
    for file in release.files:
        data = client.download(file, folder).read_bytes()
        filename = f"{name}.ipynb" if file.kind == "notebook" else file.filename
        if filename == "environment.yml":
            continue
        if filename == "conda-lock.yml":
            data = dump_lock(_elsewhere(load_lock(filename, data)))[1]
        elif file.kind == "notebook":
            data = data.replace(b"Harbour temperatures", b"Lighthouse log")
        client.upload_file(samples.ORGANIZATION, data, filename, package=name, version=draft.version, kind=file.kind)
    client.publish_release(samples.ORGANIZATION, name, draft.version)


def _elsewhere(lock: Lock) -> Lock:
    other = "osx-arm64" if current_platform() != "osx-arm64" else "linux-64"
    versions = {"acme-charts": "1.0.5", "pip": "25.0"}
    conda = [replace(one, version=versions.get(one.name, one.version)) for one in lock.conda]
    only_there = replace(conda[0], name="appnope", version="0.1.4", url=conda[0].url.replace(conda[0].name, "appnope"))
    return replace(lock, platform=other, conda=(*conda, only_there))


def _publish_with_a_foreign_channel(client: HubClient, root: Path) -> None:
    """Publish the harbour notebook a second time, with one package of its lock from elsewhere; nobody downloads it."""
    release = client.release(samples.ORGANIZATION, "harbour-temperatures")
    folder = root.parent / "foreign"
    folder.mkdir(exist_ok=True)
    draft = client.start_release(
        samples.ORGANIZATION, "ferry-times", visibility="organization", kind="notebook", message="Summer timetable"
    )
    for file in release.files:
        if file.filename == "harbour.csv":
            continue
        data = client.download(file, folder).read_bytes()
        if file.kind == "environment":
            data = data.replace(f"{client.base_url}/conda/{samples.ORGANIZATION}/".encode(), f"{_OTHER_CHANNEL}/".encode())
            data = data.replace(f"{client.base_url}/conda/{samples.ORGANIZATION}".encode(), _OTHER_CHANNEL.encode())
        name = "ferry-times.ipynb" if file.kind == "notebook" else file.filename
        if file.kind == "notebook":
            data = data.replace(b"Harbour temperatures", b"Ferry times")
        client.upload_file(samples.ORGANIZATION, data, name, package="ferry-times", version=draft.version, kind=file.kind)
    client.publish_release(samples.ORGANIZATION, "ferry-times", draft.version)


def _notebook(path: Path, text: str, *sources: str, outputs: dict[int, str] | None = None, kernel: str = "carrel-demo-analysis") -> None:
    import nbformat

    cells = [nbformat.v4.new_markdown_cell(text)]
    for number, source in enumerate(sources):
        cell = nbformat.v4.new_code_cell(source)
        if outputs and number in outputs:
            cell.execution_count = number + 1
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=outputs[number])]
        cells.append(cell)
    spec = {"name": kernel, "display_name": kernel.removeprefix("carrel-demo-"), "language": "python"}
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})))
