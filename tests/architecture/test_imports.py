"""Who may import whom: the contracts of import-linter, and what those cannot say."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
HUB = SOURCES / "carrel" / "hub"
FEATURE_LAYERS = ["handlers", "schemas", "service", "repository", "models"]
MODULES = sorted((SOURCES / "carrel").rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_contracts_are_kept() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which("lint-imports")
    if program is None:
        pytest.skip("import-linter is not installed")
    process = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout


def may_know_tornado(module: str) -> bool:
    parts = module.split(".")
    return (
        module.startswith(("carrel.hub.web", "carrel.hub.pages", "carrel.hub.app", "carrel.extension", "carrel.testing"))
        or "handlers" in parts
        or parts[-1].endswith("_handlers")
    )


def test_tornado_stays_at_the_edge() -> None:
    knowing = [name_of(path) for path in MODULES if any(i.split(".")[0] == "tornado" for i in imported(path))]
    assert [module for module in knowing if not may_know_tornado(module)] == []


def layer_of(module: str, feature: str) -> int | None:
    """Return the position of *module* in the layers of *feature*; None when it is another's or no layer."""
    if not module.startswith(f"{feature}."):
        return None
    part = module.removeprefix(f"{feature}.").split(".")[0]
    return FEATURE_LAYERS.index(part) if part in FEATURE_LAYERS else None


@pytest.mark.parametrize("feature", sorted(path.parent.name for path in HUB.glob("*/__init__.py")))
def test_layers_inside_a_feature(feature: str) -> None:
    package = f"carrel.hub.{feature}"
    upwards = [
        f"{name_of(path)} imports {target}"
        for path in sorted((HUB / feature).rglob("*.py"))
        if (own := layer_of(name_of(path), package)) is not None
        for target in imported(path)
        if (other := layer_of(target, package)) is not None and other < own
    ]
    assert upwards == []


def test_services_and_handlers_write_no_sql() -> None:
    """They go through the repository of their feature; rows and the errors of the database are not SQL."""
    wrong = [
        name_of(path)
        for path in MODULES
        if path.is_relative_to(HUB) and path.stem in {"service", "handlers", "schemas"}
        for target in imported(path)
        if target.split(".")[0] == "sqlalchemy" and target != "sqlalchemy.Row" and not target.startswith("sqlalchemy.exc")
    ]
    assert wrong == []
