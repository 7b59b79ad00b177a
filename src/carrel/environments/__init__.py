"""Environments on this machine: look into them, change them so that it can be undone, capture and rebuild them.

Everything here is synchronous. conda's work is done in a child process around py-rattler, PyPI's by uv; both can be killed
at any moment, and what was there before is put back. See ``docs/decisions/0003-conda-in-a-child-process.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carrel.environments.applying import apply
    from carrel.environments.building import sweep
    from carrel.environments.capturing import capture
    from carrel.environments.cloning import clone
    from carrel.environments.environment_files import read_environment_file
    from carrel.environments.exporting import environment_file, environment_files, environment_yml
    from carrel.environments.health import problems
    from carrel.environments.inspection import environment_id, find_prefix, inspect, installed
    from carrel.environments.kernels import install_kernelspec, install_kernelspecs, kernels_in, remove_kernelspec
    from carrel.environments.live import kernel_environment
    from carrel.environments.locking import for_platforms, lock
    from carrel.environments.models import (
        Applied,
        Change,
        Environment,
        Installed,
        Notice,
        Plan,
        PlannedPackage,
        Policy,
        Problem,
        Revision,
        Sources,
        Spec,
    )
    from carrel.environments.notebooks import environment_of_notebook
    from carrel.environments.planning import plan
    from carrel.environments.rebuilding import already_built, environment_folder, rebuild
    from carrel.environments.repairing import repair, repairs
    from carrel.environments.restoring import note_changes, restore
    from carrel.environments.revisions import history

__all__ = [
    "Applied",
    "Change",
    "Environment",
    "Installed",
    "Notice",
    "Plan",
    "PlannedPackage",
    "Policy",
    "Problem",
    "Revision",
    "Sources",
    "Spec",
    "already_built",
    "apply",
    "capture",
    "clone",
    "environment_file",
    "environment_files",
    "environment_folder",
    "environment_id",
    "environment_of_notebook",
    "environment_yml",
    "find_prefix",
    "for_platforms",
    "history",
    "inspect",
    "install_kernelspec",
    "install_kernelspecs",
    "installed",
    "kernel_environment",
    "kernels_in",
    "lock",
    "note_changes",
    "plan",
    "problems",
    "read_environment_file",
    "rebuild",
    "remove_kernelspec",
    "repair",
    "repairs",
    "restore",
    "sweep",
]

_WHERE = {
    "applying": ("apply",),
    "building": ("sweep",),
    "capturing": ("capture",),
    "cloning": ("clone",),
    "environment_files": ("read_environment_file",),
    "exporting": ("environment_file", "environment_files", "environment_yml"),
    "health": ("problems",),
    "inspection": ("environment_id", "find_prefix", "inspect", "installed"),
    "kernels": ("install_kernelspec", "install_kernelspecs", "kernels_in", "remove_kernelspec"),
    "live": ("kernel_environment",),
    "locking": ("for_platforms", "lock"),
    "models": (
        "Applied",
        "Change",
        "Environment",
        "Installed",
        "Notice",
        "Plan",
        "PlannedPackage",
        "Policy",
        "Problem",
        "Revision",
        "Sources",
        "Spec",
    ),
    "notebooks": ("environment_of_notebook",),
    "planning": ("plan",),
    "repairing": ("repair", "repairs"),
    "restoring": ("note_changes", "restore"),
    "revisions": ("history",),
    "rebuilding": ("already_built", "environment_folder", "rebuild"),
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    # loaded when first used: the conda worker imports this package and must start at once
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
