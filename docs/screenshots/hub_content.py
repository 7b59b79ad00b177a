"""Sample content for pictures: an organization that measures glaciers."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import requests

from carrel.client import HubClient
from carrel.formats.environment import dump_lock
from carrel.formats.environment.lock import Lock, LockedConda, LockedPypi
from carrel.testing.artifacts import build_conda, build_r_package, build_sdist, build_wheel
from carrel.testing.hub import HubProcess

README = """\
Snow water equivalent from passive microwave data.

```python
import snowlib

swe = snowlib.retrieve(brightness, footprint=25)
```

Uncertainties follow the temperature of the snow, not its depth:

| band | weight |
|------|--------|
| 19 GHz | 0.62 |
| 37 GHz | 0.38 |
"""
STATIONS = "station,country,elevation_m,balance_m_we,first_year\n" + "".join(
    f"{name},{country},{height},{balance},{year}\n"
    for name, country, height, balance, year in [
        ("Sonnblick", "AT", 3109, -0.91, 1983),
        ("Jungfraujoch", "CH", 3571, -0.48, 1999),
        ("Hintereis", "AT", 3026, -1.32, 1953),
        ("Careser", "IT", 2906, -1.84, 1967),
        ("Saint-Sorlin", "FR", 2720, -1.57, 1957),
        ("Silvretta", "CH", 2770, -1.02, 1960),
        ("Vernagt", "AT", 3020, -0.97, 1965),
        ("Gries", "CH", 2960, -1.41, 1962),
    ]
)
_SUMMARY = "How fast alpine glaciers lose mass, from gravity and altimetry data"
_CHANNEL = "https://conda.example.org/geo"
_PACKAGES = (
    "python 3.12.8 h9e4cc4f_1",
    "numpy 2.2.1 py312h7e784f5_0",
    "pandas 2.2.3 py312hf9745cd_1",
    "xarray 2025.1.1 pyhd8ed1ab_0",
    "matplotlib-base 3.10.0 py312hd3ec401_0",
    "ipykernel 6.29.5 pyh3099207_0",
    "libblas 3.9.0 26_linux64_openblas",
    "libstdcxx 14.2.0 hc0a3c3a_1",
    "openssl 3.4.0 h7b32b05_1",
    "zlib 1.3.1 hb9d3cd8_2",
    "tzdata 2025a h78e105d_0",
    "packaging 24.2 pyhd8ed1ab_2",
    "pillow 11.1.0 py312h80c1187_0",
    "python-dateutil 2.9.0 pyhff2d567_1",
)


def lock() -> tuple[str, bytes]:
    """Return a lock file: its name and bytes."""
    conda = []
    for number, text in enumerate(_PACKAGES):
        name, version, build = text.split()
        url = f"{_CHANNEL}/linux-64/{name}-{version}-{build}.conda"
        conda.append(
            LockedConda(name, version, build, url, f"{number:064x}", f"{number:032x}", 1_900_000 * (number + 1), "linux-64", _CHANNEL)
        )
    pypi = (LockedPypi("snowlib", "2.4.1", "https://hub.example.org/pypi/acme/files/snowlib-2.4.1-py3-none-any.whl", "f" * 64, 91_000),)
    return dump_lock(
        Lock(
            platform="linux-64",
            python_version="3.12.8",
            requested=("python 3.12.*", "numpy", "pandas", "xarray", "matplotlib-base", "ipykernel"),
            channels=(_CHANNEL,),
            conda=tuple(conda),
            pypi=pypi,
            captured_at=datetime(2026, 3, 4, tzinfo=UTC),
        )
    )


def notebook() -> bytes:
    """Return a notebook with text, a formula, a table, a picture and a traceback."""
    points = [(50 + index * 22.8, 60 + index * 6.2 + 14 * math.sin(index * 0.9)) for index in range(26)]
    grid = "".join(f'<path d="M50 {y}H620" stroke="#e3dfd6"/>' for y in range(40, 241, 40))
    years = "".join(f'<text x="{50 + index * 95}" y="262">{2000 + index * 5}</text>' for index in range(6))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    plot = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 280" width="640" height="280">{grid}'
        f'<g font-family="sans-serif" font-size="11" fill="#5b5f66">{years}</g>'
        f'<polyline fill="none" stroke="#1d6a50" stroke-width="2.5" points="{line}"/></svg>'
    )
    rows = "".join(
        f"<tr><th>{year}</th><td>{-0.4 - (year - 2000) * 0.03:.2f}</td><td>{0.08 + (year % 3) * 0.02:.2f}</td><td>{year % 5 + 12}</td></tr>"
        for year in range(2020, 2026)
    )
    table = (
        "<table border=1 class=dataframe><thead><tr><th>year</th><th>balance</th><th>sigma</th><th>stations</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
    cells = [
        _markdown(
            "# How fast do alpine glaciers melt?\n\nMass loss of 62 glaciers from 2000 to 2025, from **gravity** and *altimetry* data. "
            "The specific mass balance is\n\n$$b = \\frac{1}{A}\\int_A \\left(c - a\\right)\\,\\mathrm{d}A$$\n\n"
            "with accumulation $c$ and ablation $a$ over the area $A$.\n\n## Data\n"
        ),
        _code(
            1,
            "import pandas as pd\n\nfrom snowlib import load_series  # our own package\n\n\n"
            "def balance(frame: pd.DataFrame, since: int = 2000) -> pd.Series:\n"
            '    """Mean specific mass balance by year (m w.e.)."""\n'
            '    recent = frame[frame["year"] >= since]\n    return recent.groupby("year")["balance"].mean()\n\n\n'
            'series = load_series("stations.csv")\nprint(f"{len(series):,} measurements")',
            {"output_type": "stream", "name": "stdout", "text": "1,612 measurements\n"},
        ),
        _code(2, "balance(series).tail(6)", _shown({"text/html": table, "text/plain": "…"}, 2)),
        _markdown("## Trend\n\nThe loss accelerates after 2015."),
        _code(3, "plot_trend(balance(series))", _shown({"image/svg+xml": plot, "text/plain": "<Figure>"})),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}, "language_info": {"name": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}, indent=1).encode()


def _markdown(source: str) -> dict[str, object]:
    return {"cell_type": "markdown", "id": f"m{len(source)}", "metadata": {}, "source": source}


def _code(count: int, source: str, *outputs: dict[str, object]) -> dict[str, object]:
    return {"cell_type": "code", "id": f"c{count}", "metadata": {}, "execution_count": count, "source": source, "outputs": list(outputs)}


def _shown(data: dict[str, str], count: int | None = None) -> dict[str, object]:
    if count is None:
        return {"output_type": "display_data", "metadata": {}, "data": data}
    return {"output_type": "execute_result", "metadata": {}, "data": data, "execution_count": count}


def fill(hub: HubProcess) -> str:
    """Put the sample content on *hub* and return a token of the user ``ana``, owner of the organization ``acme``."""
    token = hub.create_user("ana")
    hub.create_user("ben")
    hub.create_user("newcomer")
    hub.create_organization("acme", token, {"ben": "member"})
    client = HubClient(hub.url, token)
    about = {
        "summary": "Snow water equivalent from passive microwave data, with uncertainties",
        "description": README,
        "license": "BSD-3-Clause",
        "home": "https://snowlib.example.org",
    }
    for version in ("2.3.9", "2.4.0", "2.4.1"):
        package = build_conda(
            "snowlib",
            version,
            noarch="python",
            depends=["python >=3.11", "numpy >=1.26", "xarray"],
            constrains=["snowlib-legacy <0"],
            run_exports={"weak": ["snowlib >=2.4,<3"]},
            files={"site-packages/snowlib/__init__.py": "", "site-packages/snowlib/retrieval.py": "pass\n"},
            about={**about, "license": "BSD-3-Clause"},
        )
        client.upload_file("acme", package.data, package.filename, visibility="public")
    wheel = build_wheel("snowlib", "2.4.1", requires=["numpy>=1.26", "xarray", "matplotlib>=3.8; extra == 'plot'"])
    client.upload_file("acme", wheel.data, wheel.filename, labels=["main", "dev"])
    source = build_sdist("snowlib", "2.4.1", requires=["numpy>=1.26"])
    client.upload_file("acme", source.data, source.filename)
    for name, version in (("snowlib", "2.5.0rc1"), ("firnmodel", "0.3.0")):
        package = build_conda(
            name, version, noarch="python", depends=["python >=3.11"], about={**about, "summary": f"{name}, next version"}
        )
        client.upload_file("acme", package.data, package.filename, labels=["dev"], visibility="public")
    package = build_r_package(
        "glacieR",
        "1.2.0",
        fields={
            "Title": "Mass Balance of Glaciers",
            "Description": "Reads point measurements and interpolates them over the area of a glacier.",
            "Imports": "sf, terra (>= 1.7)",
            "License": "GPL-3",
        },
    )
    client.upload_file("acme", package.data, package.filename, visibility="public")
    lock_name, lock_bytes = lock()
    for number, message in enumerate(["First season", "Adds the 2025 season", "3 cells changed, +matplotlib"], 1):
        client.start_release("acme", "glacier-melt", message=message, kind="notebook", visibility="public", summary=_SUMMARY)
        changed = notebook().replace(b"1,612 measurements", f"1,{600 + 4 * number} measurements".encode())
        for filename, data in (("glacier-melt.ipynb", changed), (lock_name, lock_bytes)):
            client.upload_file("acme", data, filename, package="glacier-melt", version=str(number))
        client.publish_release("acme", "glacier-melt", str(number))
    client.upload_file(
        "acme",
        STATIONS.encode(),
        "stations.csv",
        package="stations",
        version="2025",
        visibility="organization",
        summary="Mass balance of alpine glaciers by station",
    )
    client.upload_file(
        "ana", lock_bytes, lock_name, package="geo-base", version="3", visibility="private", summary="What the group works in"
    )
    _collect(hub, token)
    return token


def _collect(hub: HubProcess, token: str) -> None:
    """Make a collection of things of two namespaces, and change labels."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    base = f"{hub.url}/api/v1/namespaces/acme"
    session.post(
        f"{base}/collections",
        json={
            "name": "melt-course",
            "title": "Glacier melt, a course",
            "description": "What participants install before the first day, and the notebook that they work through.",
            "visibility": "public",
        },
        timeout=30,
    ).raise_for_status()
    for item, note in (
        ("acme/glacier-melt", "Read this first."),
        ("acme/snowlib", "Used from the second day on."),
        ("acme/stations", ""),
        ("ana/geo-base", "The environment of the computer room."),
    ):
        session.put(f"{base}/collections/melt-course/items/{item}", json={"note": note}, timeout=30).raise_for_status()
    session.put(f"{base}/labels/stable", json={"locked": True}, timeout=30).raise_for_status()
    change = {"action": "copy", "from": "main", "to": "stable", "packages": ["snowlib"], "version": "2.4.1"}
    session.post(f"{base}/label-changes", json=change, timeout=30).raise_for_status()
    groups = f"{hub.url}/api/v1/organizations/acme/groups"
    session.post(groups, json={"name": "fieldwork", "permission": "write"}, timeout=30).raise_for_status()
    for path in ("members/ben", "members/newcomer", "packages/stations"):
        session.put(f"{groups}/fieldwork/{path}", timeout=30).raise_for_status()
    notice = {"message": "snowlib 2.3 gets no corrections after June.", "level": "warning"}
    made = session.post(f"{base}/notices", json=notice, timeout=30)
    made.raise_for_status()
    session.post(f"{base}/notices/{made.json()['id']}/publish", timeout=30).raise_for_status()
    package = f"{hub.url}/api/v1/packages/acme/snowlib"
    session.put(f"{package}/collaborators/newcomer", json={"permission": "read"}, timeout=30).raise_for_status()
    session.put(f"{package}/releases/2.3.9/yank", json={"reason": "Reads footprints twice."}, timeout=30).raise_for_status()
    status = {"status": "deprecated", "status_reason": "Use snowlib."}
    session.patch(f"{hub.url}/api/v1/packages/acme/firnmodel", json=status, timeout=30).raise_for_status()
