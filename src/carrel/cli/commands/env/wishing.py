"""What planning and installing share: the packages that are wished for and their options."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from carrel.cli.commands.env.changing import bare_names
from carrel.cli.commands.env.choosing import Choices
from carrel.cli.invocation import Invocation, usage
from carrel.cli.places import hub_channel, hub_index, prefix_option
from carrel.core.errors import BadRequest, InvalidName, NotFound
from carrel.core.names import validate_label, validate_namespace, validate_package
from carrel.environments import Change, Environment, Spec, specs

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Wished:
    """What a command line asks for; ``prefix`` is None for the active environment."""

    wanted: tuple[str, ...]
    pypi: bool
    remove: tuple[str, ...]
    update: tuple[str, ...]
    prefix: Path | None

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.wanted or self.remove or self.update)

    def change(self, invocation: Invocation, environment: Environment, choices: Choices) -> Change:
        """Return what that means for *environment*."""
        add = wishes(invocation, environment, self.wanted, pypi=self.pypi, namespaces=choices.namespaces)
        return Change(add, bare_names(self.remove), bare_names(self.update))


def wish_options(*, required: bool) -> Callable[[F], F]:
    """Add ``PACKAGE...``, ``--pypi``, ``--remove``, ``--update`` and ``--prefix``; the command gets them as ``wished``.

    Parameters
    ----------
    required : bool
        Whether a package must be wished for: then others are removed and updated in the same change.
    """
    also = " in the same change" if required else ""
    options = (
        click.argument("wanted", nargs=-1, required=required, metavar="PACKAGE..." if required else "[PACKAGE]..."),
        click.option("--pypi", is_flag=True, help="Take the packages from the PyPI indexes, also in a conda environment."),
        click.option("--remove", multiple=True, metavar="NAME", help=f"Remove this package{also}; may be repeated."),
        click.option("--update", multiple=True, metavar="NAME", help=f"Update this package{also}; may be repeated."),
        prefix_option,
    )

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def run(
            invocation: Invocation,
            *arguments: Any,
            wanted: tuple[str, ...],
            pypi: bool,
            remove: tuple[str, ...],
            update: tuple[str, ...],
            prefix: Path | None,
            **others: Any,
        ) -> Any:
            return function(invocation, *arguments, wished=Wished(wanted, pypi, remove, update, prefix), **others)

        made: Any = run
        for option in reversed(options):
            made = option(made)
        return cast("F", made)

    return decorate


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
