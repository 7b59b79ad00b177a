"""Requests made from the OpenAPI description, sensible and senseless ones: the hub answers each as it is described."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from api_world import Api

from carrel.testing.artifacts import build_wheel
from carrel.testing.hub import HubProcess

CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"


@pytest.fixture(scope="module")
def described(start_hub: Callable[..., HubProcess]) -> tuple[HubProcess, str]:
    """A hub of its own, as strange things happen to its contents, and the token of an owner."""
    hub = start_hub()
    token = hub.create_user("ada")
    hub.create_user("grace")
    return hub, token


@pytest.mark.parametrize(("verbs", "organization"), [("GET,POST,PUT,PATCH", "builders"), ("DELETE", "breakers")])
def test_every_answer_is_one_that_the_description_names(
    described: tuple[HubProcess, str], verbs: str, organization: str, tmp_path: Path
) -> None:
    hub, token = described
    hub.create_organization(organization, token)
    wheel = build_wheel("demo", "1.0")
    assert Api(hub.url, token).upload(organization, wheel.filename, wheel.data).ok
    # With names of things that exist, requests get past the 404 into the services.
    names = {"namespace": organization, "organization": organization, "user": "grace", "package": "demo", "version": "1.0"}
    names |= {"label": "main", "filename": wheel.filename}
    config = tmp_path / "schemathesis.toml"
    config.write_text("[parameters]\n" + "".join(f'{name} = "{value}"\n' for name, value in names.items()))
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "--config-file", str(config)]
    command += ["run", f"{hub.url}/api/v1/openapi.json", "--header", f"Authorization: Bearer {token}", "--checks", CHECKS]
    command += ["--phases", "coverage,fuzzing", "--mode", "all", "--max-examples", "5", "--seed", "1", "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--no-color", "--workers", "2"]
    command += [word for verb in verbs.split(",") for word in ("--include-method", verb)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert int(re.search(r"Tested: (\d+)", result.stdout)[1]) > 5  # type: ignore[index]
    assert "Traceback" not in hub.log
