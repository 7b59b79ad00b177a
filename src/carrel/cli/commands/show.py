"""``carrel show``."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import columns
from carrel.client.models import File, Release
from carrel.core.units import format_bytes

_ANSWER = {
    "package": "The package: an object with `namespace`, `name`, `kinds`, `summary`, `visibility`, `latest_version`, `url` …",
    "versions": "Its releases, newest first.",
    "release": "The release: an object with `version`, `message`, `published_at`, `published_by`, `url` and `files`; null without any. "
    "Each file has `filename`, `kind`, `size`, `sha256`, `labels`, `attributes` and `download_url`.",
}


@subcommand(_ANSWER)
@click.argument("reference", metavar="REF")
def command(invocation: Invocation, reference: str) -> None:
    """Show a package and the files of one release.

    REF is NAMESPACE/NAME for the latest release, NAMESPACE/NAME@VERSION, or the address of the page.
    """
    ref = invocation.reference(reference)
    client = invocation.client_for(ref)
    package = client.package(ref.namespace, ref.name)
    releases = [release for release in client.releases(ref.namespace, ref.name) if release.state == "published"]
    release = client.release(ref.namespace, ref.name, ref.version or "latest") if ref.version or releases else None
    versions = [entry.version for entry in releases]
    facts = [
        ("version", release.version if release else ""),
        ("versions", ", ".join(versions[:8]) + (" …" if len(versions) > 8 else "")),
        ("kinds", ", ".join(package.kinds)),
        ("visibility", package.visibility),
        ("license", package.license),
        ("published", " by ".join(filter(None, [release.published_at, release.published_by])) if release else ""),
        ("message", release.message if release else ""),
        ("page", (release.url if release else "") or package.url),
    ]
    lines = [f"{package.namespace}/{package.name}" + (f": {package.summary}" if package.summary else "")]
    lines += [f"  {line}" for line in columns([[name, value] for name, value in facts if value])]
    if release is not None:
        lines += ["", *(f"  {line}" for line in columns([file_row(file) for file in release.files]))]
    invocation.answer(
        {"package": dataclasses.asdict(package), "versions": versions, "release": release_json(release) if release else None}, lines
    )


def file_row(file: File) -> list[str]:
    """Return a file as a row of a table."""
    name = f"{file.subdir}/{file.filename}" if file.subdir else file.filename
    return [name, file.kind, format_bytes(file.size), ", ".join(file.labels)]


def release_json(release: Release) -> dict[str, Any]:
    """Return a release as commands answer it."""
    document = dataclasses.asdict(release)
    del document["unchanged"]
    return document
