"""Putting publications on a hub as a client would, for tests of its pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from carrel.client import HubClient


def publish_notebook(client: HubClient, namespace: str, name: str, notebook: Mapping[str, Any], *, visibility: str = "public") -> str:
    """Publish *notebook* and return the path of its page."""
    release = client.start_release(namespace, name, kind="notebook", visibility=visibility)
    client.upload_file(namespace, json.dumps(notebook).encode(), f"{name}.ipynb", package=name, version=release.version)
    client.publish_release(namespace, name, release.version)
    return f"/{namespace}/{name}"
