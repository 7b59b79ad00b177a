"""``carrel env install``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from carrel.cli.commands.env.changing import ANSWER, carry_out, plan_options, target
from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.places import hub_channel, hub_index, prefix_option, source_options
from carrel.core.errors import BadRequest, InvalidName
from carrel.core.names import validate_namespace, validate_package
from carrel.environments import Change, Environment, Spec

_SPEC = re.compile(r"(?:(?P<namespace>[a-z0-9._-]+)/)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?P<version>[=<>!~].*)?\Z")
_VERSION = re.compile(r"[A-Za-z0-9.,_!+~*<>= -]*[A-Za-z0-9*]\Z")
_EXAMPLES = ("carrel env install numpy 'pandas>=2' acme/charts",)


@subcommand(ANSWER, examples=_EXAMPLES)
@click.argument("specs", nargs=-1, required=True, metavar="PACKAGE...")
@click.option("--pypi", is_flag=True, help="Take the packages from the PyPI indexes, also in a conda environment.")
@prefix_option
@plan_options
@source_options
def command(
    invocation: Invocation,
    specs: tuple[str, ...],
    pypi: bool,
    prefix: Path | None,
    yes: bool,
    dry_run: bool,
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> None:
    """Install packages.

    PACKAGE is a name, with a version if you like ('numpy', 'numpy==2.1', 'numpy>=2,<3'). NAMESPACE/NAME comes from the hub.
    Others come from the conda channels in a conda environment, and from the PyPI indexes elsewhere.
    """
    environment, packages = target(prefix)
    if pypi:
        wanted = [parse(text, "pypi") for text in specs]
    else:
        wanted = [parse(text, "conda" if environment.kind == "conda" else "pypi") for text in specs]
    chosen = [_from_hub(invocation, environment, namespace, spec, pypi=pypi) if namespace else spec for namespace, spec in wanted]
    carry_out(invocation, environment, packages, Change(add=tuple(chosen)), channels, indexes, yes=yes, dry_run=dry_run)


def parse(text: str, source: str) -> tuple[str | None, Spec]:
    """Return the namespace that *text* names, if any, and the wish."""
    found = _SPEC.match(text.strip())
    version = (found["version"] or "").strip() if found else ""
    if found is None or (version and not _VERSION.match(version)):
        usage(f"{text!r} is not a package: write NAME, NAME==VERSION, 'NAME>=VERSION' or NAMESPACE/NAME.")
    try:
        validate_package(found["name"])
        if found["namespace"]:
            validate_namespace(found["namespace"])
    except InvalidName as error:
        usage(error.detail)
    return found["namespace"], Spec(found["name"], _version(version), "conda" if source == "conda" else "pypi")


def _version(text: str) -> str | None:
    """Return the version of a wish: ``==2.1`` is exactly 2.1, ``=2.1`` (conda) is 2.1 and everything that begins so."""
    if not text:
        return None
    if text.startswith("==") and "," not in text:
        return text[2:].strip()
    if text.startswith("=") and not text.startswith("==") and "," not in text:
        return text[1:].strip().removesuffix(".*") + ".*"
    return text


def _from_hub(invocation: Invocation, environment: Environment, namespace: str, spec: Spec, *, pypi: bool) -> Spec:
    url = invocation.hub_url
    kinds = set(invocation.client().package(namespace, spec.name).kinds)
    if "conda" in kinds and environment.kind == "conda" and not pypi:
        return Spec(spec.name, spec.version, "conda", channel=hub_channel(url, namespace))
    if "pypi" in kinds:
        return Spec(spec.name, spec.version, "pypi", index=hub_index(url, namespace))
    if "conda" in kinds:
        raise BadRequest(
            f"{namespace}/{spec.name} is a conda package, and {environment.name} is no conda environment.", code="not_installable"
        )
    raise BadRequest(f"{namespace}/{spec.name} holds nothing that can be installed.", code="not_installable")
