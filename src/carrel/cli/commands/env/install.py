"""``carrel env install``."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from carrel.cli.commands.env.changing import ANSWER, bare_names, carry_out, target
from carrel.cli.commands.env.choosing import Choices, change_options
from carrel.cli.invocation import Invocation, subcommand, usage
from carrel.cli.places import hub_channel, hub_index, prefix_option
from carrel.core.errors import BadRequest, InvalidName, NotFound
from carrel.core.names import validate_label, validate_namespace, validate_package
from carrel.environments import Change, Environment, Spec, specs

_EXAMPLES = (
    "carrel env install numpy 'pandas>=2' acme/charts",
    "carrel env install 'numpy=1.26[build=py311*]' 'pypi::requests[socks]'",
    "carrel env install scipy --exclude-newer 2026-01-31 --pin 'numpy<2'",
)


@subcommand(ANSWER, examples=_EXAMPLES)
@click.argument("wanted", nargs=-1, required=True, metavar="PACKAGE...")
@click.option("--pypi", is_flag=True, help="Take the packages from the PyPI indexes, also in a conda environment.")
@click.option("--remove", multiple=True, metavar="NAME", help="Remove this package in the same change; may be repeated.")
@click.option("--update", multiple=True, metavar="NAME", help="Update this package in the same change; may be repeated.")
@prefix_option
@change_options
def command(
    invocation: Invocation,
    wanted: tuple[str, ...],
    pypi: bool,
    remove: tuple[str, ...],
    update: tuple[str, ...],
    prefix: Path | None,
    choices: Choices,
) -> None:
    """Install packages.

    PACKAGE is written as for conda ('numpy', 'numpy=1.26', 'numpy>=2,<3', 'conda-forge::numpy 2.1.* py311*', the address of an
    archive) or as for pip ('requests[socks]>=2', 'NAME @ ADDRESS', with markers). What both understand comes from the conda
    channels in a conda environment, and from the PyPI indexes elsewhere; 'pypi::NAME' and 'conda::NAME' say which.
    NAMESPACE/NAME comes from the hub, NAMESPACE/label/LABEL/NAME from one of its labels.
    """
    environment, packages = target(prefix)
    change = Change(
        wishes(invocation, environment, wanted, pypi=pypi, namespaces=choices.namespaces), bare_names(remove), bare_names(update)
    )
    carry_out(invocation, environment, packages, change, choices)


def wishes(
    invocation: Invocation, environment: Environment, wanted: Sequence[str], *, pypi: bool, namespaces: Sequence[str] = ()
) -> tuple[Spec, ...]:
    """Return what the words of a command line ask for.

    A name without a place is looked for in *namespaces* first, in their order and for packages of both kinds.
    """
    return tuple(_wish(invocation, environment, text, namespaces, pypi=pypi) for text in wanted)


def _wish(invocation: Invocation, environment: Environment, text: str, namespaces: Sequence[str], *, pypi: bool) -> Spec:
    namespace, label, rest = specs.split_namespace(text)
    try:
        spec = specs.parse_for(rest, environment.kind, pypi=pypi)
        if namespace:
            validate_namespace(namespace)
            validate_package(spec.name)
        if label:
            validate_label(label)
    except (InvalidName, BadRequest) as error:
        usage(error.detail)
    only = spec.source if rest.startswith(("conda::", "pypi::")) or specs.form_of(rest) else "pypi" if pypi else None
    if namespace is not None:
        return _from_hub(invocation, environment, namespace, label, spec, rest, only)
    for place in namespaces if not (spec.channel or spec.url) else ():
        name, _, label = place.partition("/label/")
        # not there, or there in the other kind only: the next place
        with contextlib.suppress(NotFound, BadRequest):
            return _from_hub(invocation, environment, name, label, spec, rest, only)
    return spec


def _from_hub(
    invocation: Invocation, environment: Environment, namespace: str, label: str | None, spec: Spec, text: str, only: str | None
) -> Spec:
    """Return the wish for a package of a namespace: both a conda channel and an index, and the one that suits is taken."""
    url = invocation.hub_url
    kinds = set(invocation.client().package(namespace, spec.name).kinds)
    if "conda" in kinds and environment.kind == "conda" and only != "pypi":
        below = f"/label/{label}" if label else ""
        return replace(_again(text, spec, "conda"), channel=hub_channel(url, namespace) + below)
    if "pypi" in kinds and only != "conda":
        return replace(_again(text, spec, "pypi"), index=hub_index(url, f"{namespace}/label/{label}" if label else namespace))
    if "conda" in kinds:
        raise BadRequest(
            f"{namespace}/{spec.name} is a conda package, and {environment.name} is no conda environment.", code="not_installable"
        )
    raise BadRequest(f"{namespace}/{spec.name} holds nothing that can be installed.", code="not_installable")


def _again(text: str, spec: Spec, source: str) -> Spec:
    """Return *spec* read in the form of the installer that it turned out to be for."""
    if spec.source == source:
        return spec
    return specs.parse(text, "pypi" if source == "pypi" else "conda")
