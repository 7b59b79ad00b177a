"""``carrel publish``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from carrel.cli.decisions import Decider
from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.output import cancellable, progress
from carrel.cli.places import source_options, sources_for_capture
from carrel.client.hub import HubClient
from carrel.client.references import Reference
from carrel.core.access import Visibility
from carrel.core.errors import BadRequest, NotFound, Unprocessable
from carrel.core.names import slugify
from carrel.environments import inspect, installed
from carrel.environments.notebooks import environment_of_notebook
from carrel.sharing import notebook as notebooks
from carrel.sharing.publish import Published, PublishRequest, publish, scan_data_files
from carrel.sharing.secrets import scan_notebook

_ANSWER = {
    "reference": "The exact release, `NAMESPACE/NAME@VERSION`.",
    "url": "Its page.",
    "namespace": "Namespace.",
    "name": "Package.",
    "version": "Release.",
    "unchanged": "Whether the hub had exactly this already, so that no release was made.",
    "warnings": "What to know about who can rebuild it, as sentences.",
    "environment": "Folder of the environment that was captured, or null.",
    "findings": "What looks like a secret: objects with `id`, `cell` (from 0), `where`, `kind`, `masked`, `strong`, `line` and `decision` "
    "(`redact`, `remove_output` or `not_secret`).",
    "remarks": "What readers may stumble over: objects with `code` and `message`.",
}
_EXAMPLES = (
    'carrel publish analysis.ipynb -m "With the data of May"',
    "carrel publish analysis.ipynb --namespace acme --data tides.csv",
)


@subcommand(_ANSWER, examples=_EXAMPLES)
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--environment",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Environment to publish with it (default: that of the notebook's kernel).",
)
@click.option("--no-environment", is_flag=True, help="Publish the notebook alone.")
@click.option("--namespace", metavar="NAME", help="User or organization (default: as before, else yourself).")
@click.option("--name", metavar="NAME", help="Name of the publication (default: as before, else made of the title).")
@click.option(
    "--visibility",
    type=click.Choice([entry.value for entry in Visibility]),
    help="Who sees it (default: as before, else as the namespace has it).",
)
@click.option("-m", "--message", default="", metavar="TEXT", help="What is new.")
@click.option("--summary", default="", metavar="TEXT", help="One line about it (default: the notebook's first sentence).")
@click.option("--data", "data", multiple=True, metavar="FILE", help="A file beside the notebook that belongs to it; may be repeated.")
@click.option(
    "--outputs", type=click.Choice(["keep", "images", "clear"]), default="keep", show_default=True, help="Which outputs are published."
)
@click.option("--redact-all", is_flag=True, help="Take everything that looks like a secret out of the published copy.")
@click.option("--allow", "allowed", multiple=True, metavar="ID", help="Keep a finding that is no secret; may be repeated.")
@source_options
def command(
    invocation: Invocation,
    notebook: Path,
    environment: Path | None,
    no_environment: bool,
    namespace: str | None,
    name: str | None,
    visibility: str | None,
    message: str,
    summary: str,
    data: tuple[str, ...],
    outputs: notebooks.Outputs,
    redact_all: bool,
    allowed: tuple[str, ...],
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> None:
    """Publish a notebook with the environment it runs in.

    Cells, outputs, metadata, data files and the environment are searched for secrets first. Each finding is shown masked; you
    decide, and nothing leaves the machine before. The file on your disk is not changed.
    """
    if environment is not None and no_environment:
        usage("Choose one of --environment and --no-environment.")
    content = notebooks.parse(notebook.read_bytes())
    client = invocation.signed_in_client()
    prefix = None if no_environment else environment or _environment_of(notebook)
    where = _destination(content, notebook, client, namespace, name)
    folder = notebook.resolve().parent
    remarks = notebooks.remarks(content)
    for remark in remarks:
        invocation.warn(remark.message)
    if prefix is not None:
        _describe_environment(invocation, prefix)
    request = PublishRequest(
        filename=notebook.name,
        notebook=content,
        folder=folder,
        namespace=where[0],
        name=where[1],
        prefix=prefix,
        visibility=visibility,
        message=message,
        summary=summary,
        outputs=outputs,
        data_files=_data_files(folder, data),
    )
    decider = Decider(invocation, redact_all=redact_all, allowed=allowed)
    copy = notebooks.prepare(content, outputs)
    decider.decide([finding.to_json() for finding in scan_notebook(copy) + scan_data_files(folder, request.data_files)])
    published = _publish(invocation, request, client, decider, channels, indexes)
    decider.warn_of_unused()
    for warning in published.warnings:
        invocation.warn(warning)
    exact = str(Reference(published.namespace, published.name, published.version))
    told = f"Nothing has changed since {exact}." if published.unchanged else f"Published {exact}"
    document = {
        "reference": exact,
        "url": published.url,
        "namespace": published.namespace,
        "name": published.name,
        "version": published.version,
        "unchanged": published.unchanged,
        "warnings": list(published.warnings),
        "environment": str(prefix) if prefix else None,
        "findings": decider.to_json(),
        "remarks": [dataclasses.asdict(remark) for remark in remarks],
    }
    invocation.answer(document, [told, f"  {published.url}"])


def _publish(
    invocation: Invocation,
    request: PublishRequest,
    client: HubClient,
    decider: Decider,
    channels: Sequence[str],
    indexes: Sequence[str],
) -> Published:
    sources = sources_for_capture(invocation, channels, indexes)
    while True:
        request = dataclasses.replace(request, decisions=dict(decider.decisions))
        try:
            with cancellable() as cancel, progress(invocation) as show:
                return publish(request, client, sources, on_progress=show, cancel=cancel)
        except Unprocessable as error:
            # What the environment holds is known only after it was captured.
            found: list[Mapping[str, Any]] = error.fields.get("findings") or []
            if error.code != "secrets_undecided" or not any(finding["id"] not in decider.decisions for finding in found):
                raise
            decider.decide(found)


def _environment_of(notebook: Path) -> Path | None:
    try:
        return environment_of_notebook(notebook).prefix
    except NotFound as error:
        hint = "Name it with --environment FOLDER, or publish the notebook alone with --no-environment."
        raise NotFound(f"{error.detail} {hint}", code=error.code) from error


def _destination(content: Mapping[str, Any], path: Path, client: HubClient, namespace: str | None, name: str | None) -> tuple[str, str]:
    """Return namespace and name: the chosen ones, those of an earlier publication, else the person's and the title's."""
    before = notebooks.publication(content)
    user = client.whoami()
    if before.get("hub") == client.base_url and before.get("owner") in {entry.name for entry in user.namespaces}:
        namespace = namespace or str(before["owner"])
        if before.get("name") and namespace == before["owner"]:
            name = name or str(before["name"])
    return namespace or user.name, name or slugify(notebooks.title(content, path.name))


def _data_files(folder: Path, given: Sequence[str]) -> list[str]:
    """Return *given*, named from the present folder, relative to the notebook's *folder*."""
    found = []
    for name in given:
        path = Path(name).resolve()
        try:
            relative = path.relative_to(folder).as_posix()
            notebooks.resolve_data_file(folder, relative)
        except (ValueError, BadRequest) as error:
            raise click.UsageError(f"{name!r} is not a file in the notebook's folder or below it.") from error
        found.append(relative)
    return found


def _describe_environment(invocation: Invocation, prefix: Path) -> None:
    environment = inspect(prefix)
    packages = installed(prefix)
    invocation.note(
        f"Environment: {environment.prefix} ({environment.kind}, Python {environment.python_version}, {len(packages)} packages)"
    )
    for package in packages:
        if package.location:
            invocation.warn(f"{package.name} is installed from a folder; others cannot install it.")
