"""The environments of the demonstration, made with the same engine that the panel uses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from carrel.core.progress import OnProgress
from carrel.environments import Change, Sources, Spec, apply, install_kernelspec, plan


def conda_environment(prefix: Path, packages: Sequence[str], sources: Sources, on_progress: OnProgress) -> None:
    """Make a conda environment with *packages* at *prefix*."""
    (prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
    (prefix / "conda-meta" / "history").touch()
    _install(prefix, [Spec(name) for name in packages], sources, on_progress)


def virtual_environment(prefix: Path, packages: Sequence[str], sources: Sources, on_progress: OnProgress) -> None:
    """Make a virtual environment of the running Python with *packages* at *prefix*."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True, capture_output=True)
    _install(prefix, [Spec(name, source="pypi") for name in packages], sources, on_progress)


def _install(prefix: Path, specs: Sequence[Spec], sources: Sources, on_progress: OnProgress) -> None:
    apply(plan(prefix, Change(add=tuple(specs)), sources, on_event=on_progress), on_event=on_progress)


def kernelspec(prefix: Path, name: str, display_name: str, jupyter_data: Path) -> None:
    """Let Jupyter find the environment as a kernel."""
    install_kernelspec(prefix, name, display_name, user_data_folder=jupyter_data)
