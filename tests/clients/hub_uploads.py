"""Uploads through the REST API, for tests of other protocols."""

from __future__ import annotations

import requests

from carrel.testing.artifacts import Artifact
from carrel.testing.hub import HubProcess


def upload(hub: HubProcess, token: str, namespace: str, artifact: Artifact, **query: object) -> requests.Response:
    """Upload a file and check that it was taken."""
    response = requests.put(
        f"{hub.url}/api/v1/namespaces/{namespace}/files/{artifact.filename}",
        data=artifact.data,
        params=query,  # type: ignore[arg-type]
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert response.ok, response.text
    return response
