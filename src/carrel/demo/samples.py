"""The sample packages and notebooks, made of the files in ``content``."""

from __future__ import annotations

import re
from importlib import resources

from carrel.testing.artifacts import Artifact, build_conda, build_wheel

ORGANIZATION = "acme"
_CHARTS_SUMMARY = "Small charts as SVG, for notebooks"
_FORECAST_README = """\
# acme-forecast

Seasonal forecasts for short series:

```python
from acme_forecast import seasonal

seasonal(sales, season=7, steps=7)
```
"""
PLATFORM_NAMESPACE = "platform"  # Python itself and ipykernel as conda packages, so that the demonstration needs no other channel


def read(name: str) -> bytes:
    """Return the bytes of a file of the sample content."""
    return resources.files("carrel.demo.content").joinpath(name).read_bytes()


def _version(source: bytes) -> str:
    found = re.search(rb'__version__ = "([^"]+)"', source)
    if found is None:
        raise ValueError("the sample has no version")
    return found[1].decode()


def charts(version: str | None = None) -> Artifact:
    """Return ``acme-charts`` as a conda package; an older *version* differs in its number alone."""
    source = read("acme_charts.py")
    current = _version(source)
    version = version or current
    source = source.replace(current.encode(), version.encode())
    dist_info = f"site-packages/acme_charts-{version}.dist-info"
    recorded = ["acme_charts.py", *(f"acme_charts-{version}.dist-info/{name}" for name in ("METADATA", "INSTALLER", "RECORD"))]
    return build_conda(
        "acme-charts",
        version,
        build="pyh1_0",
        noarch="python",
        depends=["python >=3.11"],
        files={
            "site-packages/acme_charts.py": source,
            f"{dist_info}/METADATA": f"Metadata-Version: 2.1\nName: acme-charts\nVersion: {version}\nSummary: {_CHARTS_SUMMARY}\n",
            f"{dist_info}/INSTALLER": "conda\n",
            f"{dist_info}/RECORD": "".join(f"{name},,\n" for name in recorded),
        },
        about={
            "summary": _CHARTS_SUMMARY,
            "description": "Line and bar charts as SVG, with nothing but the standard library.",
            "license": "BSD-3-Clause",
        },
    )


def forecast() -> Artifact:
    """Return ``acme-forecast`` as a wheel."""
    source = read("acme_forecast.py")
    return build_wheel(
        "acme-forecast",
        _version(source),
        requires_python=">=3.11",
        files={"acme_forecast.py": source},
        summary="Seasonal forecasts for short series",
        description=_FORECAST_README,
        metadata={"License-Expression": "BSD-3-Clause"},
    )
