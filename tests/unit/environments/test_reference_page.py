"""``docs/reference/environments.md`` names what there is: functions with their parameters, and every code of an error."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from carrel import environments
from carrel.core import errors

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "reference" / "environments.md").read_text("utf-8")
CALLS = re.findall(r"`([a-z_.]+)\(([^)`]*)\)`", PAGE.partition("## Stages")[0].partition("| function |")[2])
SOURCES = [path.read_text("utf-8") for path in (ROOT / "src" / "carrel" / "environments").rglob("*.py")]


def found(name: str) -> Any:
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(f"carrel.environments.{module}") if module else environments, function)


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=[name for name, _ in CALLS])
def test_functions_take_what_the_page_says(name: str, arguments: str) -> None:
    taken = inspect.signature(found(name)).parameters
    assert {word.strip().partition("=")[0] for word in arguments.split(",") if word.strip() not in ("", "…")} <= set(taken)


def test_all_codes_are_told() -> None:
    rows = PAGE.partition("## Codes of errors")[2].partition("## Files")[0].splitlines()
    told = {code for row in rows if row.startswith("| `") for code in re.findall(r"`(\w+)`", row.split("|")[1])}
    of_classes = {one.default_code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.CarrelError)}
    raised = {code for text in SOURCES for code in re.findall(r"\bcode=\"(\w+)\"", text)}
    assert raised - told == set()
    assert told - raised - of_classes == set()
