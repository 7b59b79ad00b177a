"""Which Python distributions conda packages provide, before they are installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from carrel.environments.conda.cache import PackageStore, contents
from carrel.environments.locations import conda_cache_folder
from carrel.environments.naming import normalize

_DIST_INFO = re.compile(r"(?:^|/)site-packages/([^/]+?)-([^/-]+)\.(?:dist|egg)-info(?:/|$)")
# packages whose names differ the most often; others have the name of what they provide
_DIFFERENT = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "matplotlib-base": "matplotlib",
    "python-tzdata": "tzdata",
    "msgpack-python": "msgpack",
    "py-opencv": "opencv-python",
    "python-duckdb": "duckdb",
    "python-flatbuffers": "flatbuffers",
    "python-graphviz": "graphviz",
    "python-xxhash": "xxhash",
    "py-xgboost": "xgboost",
    "pyqt": "pyqt5",
    "seaborn-base": "seaborn",
    "dask-core": "dask",
    "tensorflow-base": "tensorflow",
    "pyarrow-core": "pyarrow",
    "polars-default": "polars",
}


def provided(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the versions of the distributions that *records* bring, by normalised name.

    Packages that were extracted here tell it exactly; of others the name is taken, where they depend on Python.
    """
    store = PackageStore(conda_cache_folder())
    found: dict[str, str] = {}
    for record in records:
        if not _is_python(record):
            continue
        exactly: dict[str, str] = {}
        if store.holds(record):
            with suppress(OSError, ValueError, KeyError):
                for path in contents(store.entry(record))["paths"]:
                    if match := _DIST_INFO.search(path):
                        exactly[normalize(match[1])] = match[2]
        name = str(record["name"])
        found.update(exactly or {normalize(_DIFFERENT.get(name, name)): str(record["version"])})
    return found


def _is_python(record: Mapping[str, Any]) -> bool:
    names = {str(depend).split()[0].partition("[")[0] for depend in record.get("depends") or () if str(depend).strip()}
    return record.get("noarch") == "python" or bool(names & {"python", "python_abi"})
