"""Which of a notebook's modules are there, and which package brings those that are not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from carrel.core.errors import CarrelError
from carrel.extension.hub import HubAccess
from carrel.extension.search.service import SearchService, Target

_SECONDS = 3.0
_MAX_LOOKED_UP = 20


def resolve_imports(
    modules: Sequence[str], target: Target, access: HubAccess, search: SearchService, folder: Path | None
) -> list[dict[str, Any]]:
    """Return the state of each module: ``stdlib``, ``installed``, ``local`` (a file in *folder*) or ``missing``."""
    providers = {module: package for package in target.installed.values() for module in package.import_names}
    items: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    for module in dict.fromkeys(module.partition(".")[0] for module in modules if module):
        item: dict[str, Any] = {"module": module, "state": "missing", "package": None, "version": None, "source": None}
        items[module] = item
        if module in sys.stdlib_module_names:
            item["state"] = "stdlib"
        elif module in providers:
            package = providers[module]
            item |= {"state": "installed", "package": package.name, "version": package.version, "source": package.source}
        elif folder is not None and _is_local(folder, module):
            item["state"] = "local"
        else:
            missing.append(module)
    for module, package_name, version, source in _look_up(missing[:_MAX_LOOKED_UP], target, access, search):
        items[module] |= {"package": package_name, "version": version, "source": source}
    return list(items.values())


def _is_local(folder: Path, module: str) -> bool:
    return module.isidentifier() and ((folder / f"{module}.py").is_file() or (folder / module / "__init__.py").is_file())


def _look_up(
    modules: Sequence[str], target: Target, access: HubAccess, search: SearchService
) -> Iterable[tuple[str, str, str | None, str]]:
    found: dict[str, tuple[str, str | None, str]] = {}
    try:
        own = {namespace.name for namespace in user.namespaces} if (user := access.user()) else set()
        for match in access.client().imports(modules, timeout=_SECONDS) if modules else ():
            usable = [p for p in match.packages if p.kind == "pypi" or (p.kind == "conda" and target.is_conda)]
            # Only own namespaces: anybody may upload a package that claims a well-known module.
            if package := next((p for p in usable if p.namespace in own), None):
                found[match.import_name] = (package.name, package.version, f"hub:{package.namespace}")
    except CarrelError:
        pass  # without a hub the other sources still know most
    rest = [module for module in modules if module not in found]

    def find(module: str) -> tuple[str, str] | None:
        try:
            return search.find_package(module, target, _SECONDS)
        except CarrelError:
            return None

    if rest:
        with ThreadPoolExecutor(min(8, len(rest))) as pool:
            for module, result in zip(rest, pool.map(find, rest), strict=True):
                if result is not None:
                    found[module] = (result[0], None, result[1])
    return [(module, *values) for module, values in found.items()]
