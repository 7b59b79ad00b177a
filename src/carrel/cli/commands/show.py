"""``carrel show``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from carrel.cli.commands.download import choose
from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import columns, count, cut
from carrel.client.models import File, Release
from carrel.client.targets import Target
from carrel.core.kinds import Kind
from carrel.core.units import format_bytes

if TYPE_CHECKING:
    from carrel.client.hub import HubClient

_ANSWER = {
    "namespace": "The namespace, when one was named: an object with `name`, `kind`, `display_name`, `description` and `role`; else null.",
    "packages": "The packages of that namespace; else empty.",
    "package": "The package: an object with `namespace`, `name`, `kinds`, `summary`, `visibility`, `latest_version`, `url` …; or null.",
    "versions": "Its releases, newest first.",
    "release": "The release: an object with `version`, `message`, `published_at`, `published_by`, `url` and `files`; null without any. "
    "Each file has `filename`, `kind`, `size`, `sha256`, `labels`, `attributes` and `download_url`.",
    "file": "The file, when one was named, with the same members; else null.",
}
_EXAMPLES = ("carrel show acme", "carrel show acme/charts", "carrel show acme/charts@1.2/linux-64/charts-1.2-0.conda")
_NOTHING: dict[str, Any] = {"namespace": None, "packages": [], "package": None, "versions": [], "release": None, "file": None}
_LONGEST = 200


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("reference", metavar="REF")
@click.option("-t", "--kind", type=click.Choice([kind.value for kind in Kind]), help="Of a namespace only packages of this kind.")
@click.option("-l", "--label", metavar="LABEL", help="Of a namespace only packages with this label.")
def command(invocation: Invocation, reference: str, kind: str | None, label: str | None) -> None:
    """Show a namespace, a package, a release or a file.

    REF is NAMESPACE, NAMESPACE/NAME for the latest release, NAMESPACE/NAME@VERSION, NAMESPACE/NAME@VERSION/FILE, or the address
    of a page.
    """
    target = invocation.target(reference)
    client = invocation.client_for(target)
    if target.package is None:
        document, lines = _namespace(client, target.namespace, kind, label)
    elif target.filename is not None:
        document, lines = _file(client, target)
    else:
        document, lines = _package(client, target)
    invocation.answer({**_NOTHING, **document}, lines)


def _namespace(client: HubClient, name: str, kind: str | None, label: str | None) -> tuple[dict[str, Any], list[str]]:
    found = client.organizations.get(name)
    packages = list(client.packages(name, kind=kind, label=label))
    head = f"{found.name} ({found.kind})" + (f": {found.display_name}" if found.display_name not in ("", found.name) else "")
    rows = [
        [f"{entry.namespace}/{entry.name}", entry.latest_version or "", ", ".join(entry.kinds), entry.visibility, cut(entry.summary)]
        for entry in packages
    ]
    lines = [head, *([f"  {cut(found.description, 100)}"] if found.description else []), f"  {count(len(packages), 'package')}"]
    lines += ["", *(f"  {line}" for line in columns(rows))] if rows else []
    members = ("name", "kind", "display_name", "description", "role")
    document = {member: getattr(found, member) for member in members}
    return {"namespace": document, "packages": [dataclasses.asdict(entry) for entry in packages]}, lines


def _package(client: HubClient, target: Target) -> tuple[dict[str, Any], list[str]]:
    name = str(target.package)
    package = client.package(target.namespace, name)
    releases = [release for release in client.releases(target.namespace, name) if release.state == "published"]
    release = client.release(target.namespace, name, target.version or "latest") if target.version or releases else None
    versions = [entry.version for entry in releases]
    status = package.status if package.status not in ("", "active") else ""
    facts = [
        ("version", release.version if release else ""),
        ("versions", ", ".join(versions[:8]) + (" …" if len(versions) > 8 else "")),
        ("kinds", ", ".join(package.kinds)),
        ("visibility", package.visibility),
        ("yanked", "all files; installers do not choose it" if release and release.yanked else ""),
        ("status", ": ".join(filter(None, [status, package.status_reason if status else ""]))),
        ("license", package.license),
        ("published", " by ".join(filter(None, [release.published_at, release.published_by])) if release else ""),
        ("message", release.message if release else ""),
        ("page", (release.url if release else "") or package.url),
    ]
    lines = [f"{package.namespace}/{package.name}" + (f": {package.summary}" if package.summary else "")]
    lines += _facts(facts)
    if release is not None:
        lines += ["", *(f"  {line}" for line in columns([file_row(file) for file in release.files]))]
    document = {"package": dataclasses.asdict(package), "versions": versions, "release": release_json(release) if release else None}
    return document, lines


def _file(client: HubClient, target: Target) -> tuple[dict[str, Any], list[str]]:
    release = client.release(target.namespace, str(target.package), target.version or "latest")
    pattern = f"{target.subdir}/{target.filename}" if target.subdir else str(target.filename)
    file = choose(release.files, (pattern,), target.reference)[0]
    facts = [
        ("package", str(target.reference)),
        ("kind", file.kind),
        ("size", format_bytes(file.size)),
        ("labels", ", ".join(file.labels) or "none"),
        ("yanked", (file.yanked_reason or "yes") if file.yanked else ""),
        ("sha256", file.sha256),
        ("md5", file.md5),
        ("uploaded", " by ".join(filter(None, [file.uploaded_at, file.uploaded_by]))),
        ("downloads", str(file.downloads)),
        ("address", file.download_url),
    ]
    said = [(name, _told(value)) for name, value in _flat(file.attributes)]
    lines = [file_row(file)[0], *_facts(facts)]
    lines += ["", *_facts(said)] if any(value for _, value in said) else []
    return {"file": dataclasses.asdict(file)}, lines


def _flat(attributes: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what a file says of itself; the record of a conda package is what it says."""
    index = attributes.get("index")
    return [(name, value) for name, value in (index if isinstance(index, dict) else attributes).items() if value not in (None, "", [], {})]


def _told(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return cut(", ".join(map(str, value)), _LONGEST)
    if isinstance(value, dict | list):
        return f"({count(len(value), 'entry').replace('entrys', 'entries')}, see --json)"
    return cut(str(value), _LONGEST)


def _facts(facts: Iterable[tuple[str, str]]) -> list[str]:
    return [f"  {line}" for line in columns([[name, value] for name, value in facts if value])]


def file_row(file: File) -> list[str]:
    """Return a file as a row of a table."""
    name = f"{file.subdir}/{file.filename}" if file.subdir else file.filename
    return [name, file.kind, format_bytes(file.size), ", ".join(file.labels) + (" (yanked)" if file.yanked else "")]


def release_json(release: Release) -> dict[str, Any]:
    """Return a release as commands answer it."""
    document = dataclasses.asdict(release)
    del document["unchanged"]
    return document
