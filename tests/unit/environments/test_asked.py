"""The name that a wish of any form is for."""

from __future__ import annotations

import pytest

from carrel.formats.environment.conda_specs import name_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("numpy", "numpy"),
        ("numpy<2", "numpy"),
        ("numpy >=1,<2 py311*", "numpy"),
        ("numpy[version='>=2',build=py311*]", "numpy"),
        ("conda-forge/linux-64::numpy==1.26", "numpy"),
        ("charts[url=https://conda.example/a::b/charts-1.0-0.conda]", "charts"),
        ("Requests[socks]~=2.0; python_version>'3'", "requests"),
        ("ruamel.yaml @ https://files.example/r.whl", "ruamel.yaml"),
        ("git+https://git.example/tides", ""),
        ("", ""),
    ],
)
def test_names(text: str, name: str) -> None:
    assert name_of(text) == name
