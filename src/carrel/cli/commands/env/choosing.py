"""What one can choose for every change: sources, the rules that it keeps, and how it is carried out."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from carrel.cli.invocation import Invocation, usage
from carrel.cli.places import configured, hub_channel, hub_index, source_options
from carrel.core.errors import BadRequest, InvalidFile, InvalidName
from carrel.core.names import validate_label, validate_namespace
from carrel.environments import Policy, specs
from carrel.formats.environment import uv_options

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Choices:
    """What was chosen.

    ``namespaces`` (``acme``, ``acme/label/dev``) are among ``channels`` and ``indexes`` already, before the others; ``again`` are the
    words that choose the same sources and rules.
    """

    channels: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    yes: bool = False
    dry_run: bool = False
    copy: Path | None = None
    namespaces: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


def change_options(function: F) -> F:
    """Add ``--yes``, ``--dry-run``, ``--copy`` and those of :func:`planning_options`; the command gets them as ``choices``."""
    yes = click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
    dry_run = click.option("--dry-run", is_flag=True, help="Show what would be done and end.")
    copy = click.option(
        "--copy",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="Where you may not change the environment: make a copy of your own in this folder, and change that.",
    )
    return planning_options(yes(dry_run(copy(function))))


def date_option(function: F) -> F:
    """Add ``--exclude-newer``; :func:`moment` reads it."""
    return click.option(
        "--exclude-newer",
        metavar="DATE",
        help="Take only what was published until then: a day (its end, UTC), a moment as in RFC 3339, or a time ago such as '7 days'.",
    )(function)


def part_options(function: F) -> F:
    """Add ``--extra`` and ``--group``: which parts of a project's file are meant; the command gets ``extras`` and ``groups``."""
    extra = click.option(
        "--extra",
        "extras",
        multiple=True,
        metavar="NAME",
        help="Of a file for a project (pyproject.toml, uv.lock, pylock.toml): these extras too, * for all; may be repeated.",
    )
    group = click.option(
        "--group",
        "groups",
        multiple=True,
        metavar="NAME",
        help="Of a file for a project: these dependency groups instead of the default ones, * for all; may be repeated.",
    )
    return extra(group(function))


def planning_options(function: F) -> F:
    """Add the options for sources and rules (``--channel`` to ``--only-from``); the command gets them as ``choices``."""

    @functools.wraps(function)
    def run(
        invocation: Invocation,
        *arguments: Any,
        channels: tuple[str, ...],
        indexes: tuple[str, ...],
        exclude_newer: str | None,
        pins: tuple[str, ...],
        only_from: tuple[str, ...],
        namespaces: tuple[str, ...],
        yes: bool = False,
        dry_run: bool = False,
        copy: Path | None = None,
        **options: Any,
    ) -> Any:
        policy = Policy(only_from or None, moment(exclude_newer), dict(map(_pin, pins)))
        named = {"--from": namespaces, "--channel": channels, "--index": indexes, "--pin": pins, "--only-from": only_from}
        again = [word for option, values in named.items() for value in values for word in (option, value)]
        again += ["--exclude-newer", exclude_newer] if exclude_newer else []
        if namespaces:
            channels, indexes = _with_namespaces(invocation, namespaces, *configured(channels, indexes))
        choices = Choices(channels, indexes, policy, yes, dry_run, copy, namespaces, tuple(specs.strip_secrets(word) for word in again))
        return function(invocation, *arguments, choices=choices, **options)

    pin = click.option(
        "--pin", "pins", multiple=True, metavar="SPEC", help="Keep a package within these versions ('numpy<2'); may be repeated."
    )
    only = click.option(
        "--only-from",
        multiple=True,
        metavar="ADDRESS",
        help="Take packages from this channel or index only, and from what lies below its address; may be repeated.",
    )
    namespace = click.option(
        "--from",
        "namespaces",
        multiple=True,
        metavar="NAMESPACE",
        help="Look in this namespace of the hub first, or in one of its labels (acme/label/dev); may be repeated.",
    )
    return namespace(source_options(date_option(pin(only(cast(F, run))))))


def _with_namespaces(
    invocation: Invocation, namespaces: Iterable[str], channels: tuple[str, ...], indexes: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return channels and indexes with those of *namespaces* before them: each is both."""
    url = invocation.hub_url
    for text in namespaces:
        name, _, label = text.partition("/label/")
        try:
            validate_namespace(name)
            if label:
                validate_label(label)
        except InvalidName as error:
            usage(error.detail)
    own = list(dict.fromkeys(namespaces))
    return (*(hub_channel(url, name) for name in own), *channels), (*(hub_index(url, name) for name in own), *indexes)


def moment(text: str | None) -> datetime | None:
    """Return the moment that ``--exclude-newer`` names."""
    try:
        found = uv_options.exclude_newer(text, "--exclude-newer")
        # sentences name the day that was meant, not the midnight after it
        return found - timedelta(seconds=1) if found is not None and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text or "") else found
    except InvalidFile:
        usage(f"{text!r} is not a date: write 2026-01-31, 2026-01-31T12:00:00Z or '7 days'.")


def _pin(text: str) -> tuple[str, str]:
    try:
        spec = specs.parse(text)
    except BadRequest as error:
        usage(error.detail)
    if not spec.version:
        usage(f"{text!r} says no version: write a pin like 'numpy<2' or 'numpy=1.26'.")
    return spec.name, spec.version
