"""Finding kernelspecs on this machine by name, and the environments that they start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.environments.kernels import prefix_of_spec


@dataclass(frozen=True, slots=True)
class FoundSpec:
    """A kernelspec: its ``kernel.json`` and what that says."""

    name: str
    file: Path
    spec: Mapping[str, Any]

    @property
    def prefix(self) -> Path | None:
        """The environment that it starts, as far as it tells; it may be gone."""
        return prefix_of_spec(self.spec, self.file)


def find_kernelspec(name: str) -> FoundSpec | None:
    """Return the kernelspec *name* that Jupyter would start, None when there is none that can be read."""
    from jupyter_core.paths import jupyter_path

    if not name or "/" in name or "\\" in name or name.startswith("."):
        return None
    for folder in jupyter_path("kernels"):
        for written in dict.fromkeys((name, name.lower())):  # Jupyter lowers names
            file = Path(folder) / written / "kernel.json"
            try:
                spec = json.loads(file.read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(spec, dict):
                return FoundSpec(written, file, spec)
    return None
