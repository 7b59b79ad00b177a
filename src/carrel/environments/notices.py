"""What a person should know of a plan, beyond the risks of its lines: what it does to the server and to the other installer."""

from __future__ import annotations

from collections.abc import Collection

from carrel.environments import inspection, needs
from carrel.environments.conda.planning import CondaHalf
from carrel.environments.models import Environment, Notice, PlannedPackage
from carrel.environments.naming import normalize
from carrel.environments.wishes import Wishes

_SERVER_PACKAGES = ("jupyterlab", "jupyter-server", "carrel", "notebook")


def of_plan(environment: Environment, wishes: Wishes, conda: CondaHalf, lines: Collection[PlannedPackage]) -> list[Notice]:
    """Return what is to be told of the changed and removed *lines*."""
    notices = _of_server(environment, lines)
    for name in sorted(conda.replaced_pypi(wishes.distributions)):
        notices.append(Notice("replaces_pip_package", f"{name} was installed by pip; the conda package replaces it."))
    touched = {line.name: line for line in lines if line.source == "conda"}
    for bound in conda.broken_bounds:
        name = bound.partition(" ")[0]
        becomes = f"{name} {touched[name].to_version}" if name in touched and touched[name].to_version else f"{name} removed"
        notices.append(_breaks(conda.bounds.get(bound, ()), bound.replace(" ", "", 1), becomes))
    for name, users in sorted(_lost(environment, wishes, touched).items()):
        notices.append(_breaks(users, name, f"{name} removed"))
    for name, version in conda.held.items():
        users = {user for bound, found in conda.bounds.items() if bound.partition(" ")[0] == name for user in found}
        message = f"{name} {version} is not taken: {', '.join(sorted(users))}, which pip installed, needs another version."
        notices.append(Notice("held_by_pip_package", message))
    for pin in conda.unmet_pins:
        notices.append(Notice("pin_not_met", f"What is installed does not fulfil the pin {pin}. It stays as it is."))
    return notices


def _of_server(environment: Environment, lines: Collection[PlannedPackage]) -> list[Notice]:
    if environment.kind == "system" or not inspection.is_running_environment(environment.prefix):
        return []
    hit = sorted({normalize(line.name) for line in lines} & set(_SERVER_PACKAGES))
    if not hit:
        return [Notice("running_server_environment", "This is the environment that the server itself runs in.")]
    message = f"This changes {', '.join(hit)}, from which this server runs. Restart the server afterwards."
    return [Notice("changes_running_server", message)]


def _breaks(users: Collection[str], needed: str, becomes: str) -> Notice:
    who = ", ".join(sorted(users))
    return Notice("may_break_pip_package", f"{who} was installed by pip and needs {needed}: with {becomes} it may stop working.")


def _lost(environment: Environment, wishes: Wishes, touched: dict[str, PlannedPackage]) -> dict[str, set[str]]:
    """Return which of pip's staying packages need conda packages whose removal was asked for."""
    found: dict[str, set[str]] = {}
    for one in wishes.distributions.values():
        if one.key in wishes.pypi_remove:
            continue
        for name in needs.names(one, environment.python_version):
            owner = wishes.owner_of(name)
            if owner in wishes.conda_remove and owner in touched:
                found.setdefault(owner, set()).add(one.name)
    return found
