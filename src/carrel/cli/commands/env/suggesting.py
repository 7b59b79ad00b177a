"""Packages on the hub that may be meant by a name that no index has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from carrel.cli.commands.env.choosing import Choices
from carrel.cli.invocation import Invocation
from carrel.cli.places import hub_index, sources_for_change
from carrel.core.errors import Cancelled, CarrelError, Unsolvable
from carrel.core.progress import CancelSignal, OnProgress
from carrel.environments import Change, Environment, plan, specs
from carrel.environments.naming import normalize
from carrel.environments.spelling import near

_SECONDS = 5.0
_MOST = 2
_FOUND = 20


def ways_by_hub(
    invocation: Invocation,
    error: Unsolvable,
    environment: Environment,
    change: Change,
    choices: Choices,
    show: OnProgress,
    cancel: CancelSignal,
) -> Iterator[dict[str, Any]]:
    """Yield ways out as *error* has them, by packages of the hub; each was planned before it is offered."""
    name = normalize(str(error.fields.get("missing") or ""))
    spec = next((one for one in change.add if one.source == "pypi" and normalize(one.name) == name and not one.index and not one.url), None)
    if spec is None or invocation.known_hub() is None:
        return
    for namespace, other in _found(invocation, name)[:_MOST]:
        wish = replace(spec, name=other, index=hub_index(invocation.hub_url, namespace))
        wanted = replace(change, add=tuple(wish if one is spec else one for one in change.add))
        try:
            sources = sources_for_change(invocation, choices.channels, choices.indexes, wanted.add, ())
            made = plan(environment.prefix, wanted, sources, policy=choices.policy, find_ways_out=False, on_event=show, cancel=cancel)
        except Cancelled:
            raise
        except CarrelError:
            continue
        told = [line.to_version for line in (*made.added, *made.changed) if normalize(line.name) == normalize(other)]
        words = [
            specs.text(one) if one is not wish else f"pypi::{namespace}/{specs.requirement(replace(wish, marker=None))}"
            for one in wanted.add
        ]
        yield {
            "text": f"take {namespace}/{other} from the hub" + (f": {other} {told[0]}" if told else ""),
            "change": {"add": words, "remove": list(change.remove), "update": list(change.update)},
            "new_environment": False,
        }


def _found(invocation: Invocation, name: str) -> list[tuple[str, str]]:
    """Return namespaces and names of Python packages that may be meant: named so, imported so, spelled like it."""
    try:
        client = invocation.client()
        modules = {name, name.replace("-", "_")}
        imported = [
            (package.namespace, package.name)
            for match in client.imports(modules, timeout=_SECONDS)
            for package in match.packages
            if package.kind == "pypi"
        ]
        items = [(item.namespace, item.name) for item in client.search(name, kinds=("pypi",), limit=_FOUND, timeout=_SECONDS).items]
    except CarrelError:
        return []
    same = [one for one in items if normalize(one[1]) == name]
    alike = near(name, [normalize(one[1]) for one in items])
    return list(dict.fromkeys([*same, *imported, *(one for one in items if normalize(one[1]) in alike)]))
