"""What the running server needs is not changed under its feet, by an undo neither."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from carrel.core.errors import Forbidden
from carrel.environments.differences import Package
from carrel.extension import changes


def test_going_back_spares_the_server_as_a_change_does(monkeypatch: pytest.MonkeyPatch) -> None:
    now = (Package("jupyterlab", "pypi", "4.5.0"), Package("six", "pypi", "1.17.0"))
    monkeypatch.setattr(changes, "is_server_environment", lambda _prefix: True)
    monkeypatch.setattr(changes.differences, "of_prefix", lambda _prefix: now)
    monkeypatch.setattr(changes.differences, "of_revision", lambda _prefix, _revision: (Package("jupyterlab", "pypi", "4.4.0"), now[1]))
    nothing = cast(Any, None)
    with pytest.raises(Forbidden) as refused:
        changes.Changes(nothing, nothing).restore(cast(Any, SimpleNamespace(prefix=Path("/nowhere"))), 1, nothing)
    assert refused.value.code == "server_environment"
    assert "jupyterlab" in refused.value.detail
