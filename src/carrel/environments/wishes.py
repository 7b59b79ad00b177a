"""A change, sorted by which installer fulfils it and checked against what is there."""

from __future__ import annotations

from collections.abc import Callable

from carrel.core.errors import BadRequest, Conflict
from carrel.environments import conda_meta, inspection
from carrel.environments.distributions import Distribution
from carrel.environments.models import Change, Environment, Spec
from carrel.environments.naming import normalize

PROTECTED = ("python", "ipykernel")
"""Packages that no plan takes out of an environment that has them: the kernel would not start again."""


class Wishes:
    """A change, sorted.

    Attributes
    ----------
    distributions : dict
        What pip owns, by normalized name.
    requested : dict
        What was asked for of conda until now, by name.
    records : dict
        What conda has installed, by name.

    Raises
    ------
    carrel.core.errors.BadRequest
        Something is not installed, or cannot be installed here.
    carrel.core.errors.Conflict
        It would take away what the environment cannot be without.
    """

    def __init__(self, environment: Environment, change: Change) -> None:
        is_conda = environment.kind == "conda"
        self.distributions: dict[str, Distribution] = {d.key: d for d in inspection.python_distributions(environment.prefix)}
        self.requested = conda_meta.requested_specs(environment.prefix) if is_conda else {}
        self.records = {r.name: r for r in conda_meta.read_records(environment.prefix)} if is_conda else {}
        self._owners = {normalize(name): name for name in self.records}
        for record in self.records.values():
            self._owners.update({normalize(folder.rsplit(".", 1)[0].partition("-")[0]): record.name for folder in record.distributions})
        self.conda_add: list[Spec] = []
        self.pypi_add: list[Spec] = []
        self.conda_remove: list[str] = []
        self.pypi_remove: set[str] = set()
        self.conda_update: list[str] = []
        self.pypi_update: list[str] = []
        for spec in change.add:
            if spec.source == "conda" and not is_conda:
                raise BadRequest(
                    f"{environment.name} is not a conda environment: {spec.name} can only come from a Python package index here.",
                    code="not_a_conda_environment",
                )
            if spec.source == "pypi" and environment.python_executable is None:
                raise BadRequest(f"{environment.name} has no Python, so Python packages cannot be installed in it.", code="no_python")
            (self.conda_add if spec.source == "conda" else self.pypi_add).append(spec)
        for name in change.remove:
            self._sort(name, self.conda_remove.append, self.pypi_remove.add)
        for name in change.update:
            self._sort(name, self.conda_update.append, self.pypi_update.append)
        for name in self.pypi_remove:
            if name in PROTECTED:
                raise Conflict(f"{name} cannot be removed: this environment does not work without it.", code="protected_package", name=name)

    def _sort(self, name: str, to_conda: Callable[[str], None], to_pypi: Callable[[str], None]) -> None:
        # where both have it, the one on top is pip's
        if normalize(name) in self.distributions:
            to_pypi(normalize(name))
        elif name.lower() in self.records:
            to_conda(name.lower())
        elif (owner := self.owner_of(normalize(name))) is not None:
            to_conda(owner)
        else:
            raise BadRequest(f"{name} is not installed in this environment.", code="not_installed", name=name)

    def owner_of(self, distribution: str) -> str | None:
        """Return the conda package that brought a Python distribution (normalized name)."""
        return self._owners.get(distribution)

    @property
    def needs_conda(self) -> bool:
        """Whether conda has anything to do."""
        return bool(self.conda_add or self.conda_remove or self.conda_update)
