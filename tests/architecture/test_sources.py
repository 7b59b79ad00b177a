"""Rules that every source file keeps."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "carrel"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAXIMUM_LINES = 600
SOURCE_SUFFIXES = {".py", ".ts", ".tsx", ".js", ".css", ".html", ".toml", ".yml", ".sh"}


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in MODULES if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_no_source_file_is_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked_files()
        if path.suffix in SOURCE_SUFFIXES and (lines := path.read_bytes().count(b"\n")) >= MAXIMUM_LINES
    }
    assert long == {}


# Written in pieces, or this file would hold what it forbids.
REGISTRY_HOSTS = [
    *(f"{name}.org" for name in ("py" + "pi", "python" + "hosted", "npm" + "js", "bin" + "star")),
    *(f"{sub}.{'ana' + 'conda'}." for sub in ("con" + "da", "re" + "po", "a" + "pi")),
    "yarn" + "pkg.com",
    "pre" + "fix.dev",
    "cran.r-" + "project",
]
MACHINE_PATHS = [f"/{name}/" for name in ("wo" + "rk", "ro" + "ot")]


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    hosts = "|".join(re.escape(host) for host in REGISTRY_HOSTS)
    paths = "|".join(re.escape(path) for path in MACHINE_PATHS)
    forbidden = re.compile(rf"\b(?:{hosts})|(?<![\w.~:/<>{{}}\])-])(?:{paths})", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in tracked_files()
        if b"\0" not in (data := path.read_bytes())
        for number, line in enumerate(data.decode(errors="replace").splitlines(), 1)
        if (match := forbidden.search(line))
    ]
    assert found == []


def test_nothing_built_or_large_is_tracked() -> None:
    files = tracked_files()
    built = [path for path in files if {"dist", "node_modules", "lib", "__pycache__"} & set(path.relative_to(ROOT).parts[:-1])]
    large = [path for path in files if path.stat().st_size > 1_000_000 and path.name != "package-lock.json"]
    assert (built, large) == ([], [])


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("carrel", {"tornado", "requests", "sqlalchemy", "rattler", "jupyter_server"}),
        ("carrel.testing.plugin", {"tornado", "requests", "sqlalchemy", "rattler", "playwright", "moto", "psycopg", "zstandard"}),
    ],
)
def test_what_others_import_stays_light(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert loaded & heavy == set()
