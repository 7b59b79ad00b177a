"""Sample users, an organization, packages and publications on a running hub."""

from __future__ import annotations

from pathlib import Path

from carrel.client import HubClient
from carrel.core.errors import NotFound
from carrel.core.progress import NeverCancelled, OnProgress, Progress
from carrel.demo import samples
from carrel.environments import Sources
from carrel.sharing.publish import Published, PublishRequest, publish
from carrel.testing.conda_channel import Channel


def upload_platform(client: HubClient, channel: Channel, on_progress: OnProgress) -> None:
    """Upload the packages of *channel* to the namespace that serves Python itself."""
    for number, path in enumerate(channel.packages):
        on_progress(Progress("upload", number, len(channel.packages), "packages"))
        client.upload_file(samples.PLATFORM_NAMESPACE, channel.path / path, Path(path).name, visibility="public")


def upload_samples(client: HubClient) -> None:
    """Upload the sample packages and the data file to the sample organization."""
    for artifact in (samples.charts("1.0.0"), samples.charts(), samples.forecast()):
        client.upload_file(samples.ORGANIZATION, artifact.data, artifact.filename, visibility="public")
    client.upload_file(
        samples.ORGANIZATION, samples.read("harbour.csv"), "harbour.csv", package="harbour-data", version="2025", visibility="public"
    )


def publish_notebook(client: HubClient, path: Path, prefix: Path, sources: Sources, on_progress: OnProgress, **about: object) -> Published:
    """Publish the notebook at *path* with the environment at *prefix* to the sample organization."""
    import json

    request = PublishRequest(
        filename=path.name,
        notebook=json.loads(path.read_text("utf-8")),
        folder=path.parent,
        namespace=samples.ORGANIZATION,
        name=path.stem,
        prefix=prefix,
        visibility="public",
        **about,  # type: ignore[arg-type]
    )
    return publish(request, client, sources, on_progress=on_progress, cancel=NeverCancelled())


def is_published(client: HubClient, name: str) -> bool:
    """Whether the sample organization has a release of *name*."""
    try:
        client.release(samples.ORGANIZATION, name)
    except NotFound:
        return False
    return True
