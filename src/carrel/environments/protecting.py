"""What no plan may take from a kernel's environment: Python, ``ipykernel``, and whatever pip's ``ipykernel`` needs."""

from __future__ import annotations

from carrel.core.errors import Conflict
from carrel.environments import needs
from carrel.environments.conda.planning import CondaHalf
from carrel.environments.distributions import read_distributions
from carrel.environments.models import Environment
from carrel.environments.naming import normalize
from carrel.environments.pypi.planning import PypiResult
from carrel.environments.wishes import Wishes

_KERNEL = "ipykernel"


def check(environment: Environment, wishes: Wishes, conda: CondaHalf, pypi: PypiResult) -> None:
    """Check that the kernel starts after the change as far as packages tell.

    conda's own dependencies are the solver's business; here it is about what one installer takes from the other's packages.

    Raises
    ------
    carrel.core.errors.Conflict
        Code ``protected_package``.
    """
    if not conda.removed and not conda.changed and not pypi.removed:
        return
    if _KERNEL not in wishes.distributions and _KERNEL not in wishes.records:
        return
    coming = {normalize(line.name) for line in (*conda.added, *conda.changed, *pypi.added, *pypi.changed)}
    if _KERNEL in wishes.distributions and _KERNEL not in coming:
        _check_python(conda)
    present = {one.key: one for one in read_distributions(environment.prefix)}
    gone = {normalize(line.name) for line in pypi.removed}
    for line in conda.removed:
        record = wishes.records[line.name]
        gone |= {normalize(folder.rsplit(".", 1)[0].partition("-")[0]) for folder in record.distributions} or {normalize(line.name)}
    lost = (gone - coming) & needs.closure([_KERNEL], present, environment.python_version)
    if lost:
        name = _KERNEL if _KERNEL in lost else min(lost)
        why = "this environment does not work without it" if name == _KERNEL else f"{_KERNEL} needs it"
        raise Conflict(f"{name} cannot be removed: {why}.", code="protected_package", name=name)


def check_interpreter(wishes: Wishes, conda: CondaHalf) -> None:
    """Check that Python packages are not asked for together with another Python, which nothing can resolve them for yet.

    Raises
    ------
    carrel.core.errors.Conflict
        Code ``python_changes``.
    """
    changes = [line for line in conda.changed if line.name == "python" and minor(line.from_version) != minor(line.to_version)]
    if changes and (wishes.pypi_add or wishes.pypi_update):
        names = ", ".join([*(spec.name for spec in wishes.pypi_add), *wishes.pypi_update])
        message = f"Python becomes {changes[0].to_version} by this. Change it first, then {names} in a change of its own."
        raise Conflict(message, code="python_changes")


def _check_python(conda: CondaHalf) -> None:
    for line in conda.changed:
        if line.name == "python" and minor(line.from_version) != minor(line.to_version):
            raise Conflict(
                f"Python cannot become {line.to_version}: {_KERNEL}, which pip installed, would be lost. Install {_KERNEL} with conda "
                "first, or make a new environment.",
                code="protected_package",
                name=_KERNEL,
            )


def minor(version: str | None) -> str:
    """Return ``3.11`` of ``3.11.7``."""
    return ".".join((version or "").split(".")[:2])
