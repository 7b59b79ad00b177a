"""``carrel hotfix``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from carrel.cli.invocation import Invocation, namespace_option, subcommand, usage
from carrel.cli.lazy import noun

_ANSWER = {
    "namespace": "Namespace.",
    "subdir": "The platform.",
    "instructions": "The patch instructions; null when there are none any more.",
}


@subcommand(_ANSWER, examples=("carrel hotfix get noarch --namespace acme > patch_instructions.json",))
@click.argument("subdir")
@namespace_option
def get(invocation: Invocation, subdir: str, namespace: str | None) -> None:
    """Print the patch instructions of a platform."""
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    found = client.hotfixes.get(namespace, subdir)
    document = {"namespace": namespace, "subdir": subdir, "instructions": found}
    invocation.answer(document, json.dumps(found, indent=2, ensure_ascii=False))


@subcommand(_ANSWER)
@click.argument("subdir")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@namespace_option
def put(invocation: Invocation, subdir: str, file: Path, namespace: str | None) -> None:
    """Replace the patch instructions of a platform.

    SUBDIR is a platform such as linux-64 or noarch, FILE a patch_instructions.json (version 1 or 2); - reads it from standard
    input. The index of every label is made with it at once; the packages stay as they are.
    """
    text = click.get_text_stream("stdin").read() if str(file) == "-" else file.read_text("utf-8")
    try:
        instructions: Any = json.loads(text)
    except ValueError as error:
        usage(f"{file} is not JSON: {error}.")
    if not isinstance(instructions, dict):
        usage(f"{file} holds no patch instructions: an object with patch_instructions_version, packages, remove …")
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    client.hotfixes.put(namespace, subdir, instructions)
    document = {"namespace": namespace, "subdir": subdir, "instructions": instructions}
    invocation.answer(document, f"The records of {namespace}/{subdir} are corrected.")


@subcommand(_ANSWER)
@click.argument("subdir")
@namespace_option
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def remove(invocation: Invocation, subdir: str, namespace: str | None, yes: bool) -> None:
    """Go back to the records as the packages say them."""
    client = invocation.signed_in_client()
    namespace = invocation.namespace(client, namespace)
    if not yes:
        invocation.confirm(f"Remove the patch instructions of {namespace}/{subdir}?")
    client.hotfixes.delete(namespace, subdir)
    document = {"namespace": namespace, "subdir": subdir, "instructions": None}
    invocation.answer(document, f"The records of {namespace}/{subdir} are as the packages say.")


command = noun(
    "hotfix",
    [get, put, remove],
    "Correct the records of conda packages without new files.\n\n"
    "Patch instructions change dependencies in the channel's index, or take files out of it; they concern all labels of a namespace.",
    {"delete": "'carrel hotfix remove'", "set": "'carrel hotfix put'", "show": "'carrel hotfix get'"},
)
