"""What the environment engine talks about: environments, what is in them, changes, plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

EnvironmentKind = Literal["conda", "venv", "system"]
PackageSource = Literal["conda", "pypi"]


@dataclass(frozen=True, slots=True)
class Environment:
    """One Python (or other conda) environment on this machine.

    Attributes
    ----------
    id : str
        First 16 hexadecimal digits of the SHA-256 of the prefix.
    prefix : Path
        Absolute, symbolic links not resolved.
    kind : {"conda", "venv", "system"}
    name : str
        Last part of the prefix; of its folder for a ``.venv``.
    python_version : str
        Empty when the environment has no Python.
    python_executable : Path or None
    platform : str
        conda's name of it (``linux-64``).
    writable : bool
        Whether packages can be changed by this user.
    reason_read_only : str
        A sentence, empty when writable.
    made_by : str
        ``conda``, ``pixi``, ``uv``, ``virtualenv`` or ``venv``; empty for an interpreter of the system.
    """

    id: str
    prefix: Path
    kind: EnvironmentKind
    name: str
    python_version: str
    python_executable: Path | None
    platform: str
    writable: bool
    reason_read_only: str = ""
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """One package of an environment.

    Attributes
    ----------
    name, version, build : str
        ``build`` is empty for Python packages.
    source : {"conda", "pypi"}
        Which installer owns it.
    channel : str
        Where it came from, without credentials; may be empty.
    requested : bool
        Whether a person asked for it, rather than another package.
    size : int
        Bytes of the archive (conda) or of the files (PyPI); 0 when unknown.
    summary : str
    import_names : tuple of str
        Top-level modules it provides.
    location : str or None
        Folder of an editable installation.
    installer : str
        What put it there: ``conda``, ``pip``, ``uv`` …; empty when unknown.
    origin : str
        Address of what it was installed from, when not from a channel or index (PEP 610): a repository with its commit
        (``git+https://…@<commit>``), an archive, a folder; without credentials.
    """

    name: str
    version: str
    build: str
    source: PackageSource
    channel: str
    requested: bool
    size: int
    summary: str
    import_names: tuple[str, ...]
    location: str | None = None
    installer: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in an environment.

    Attributes
    ----------
    code : str
        Stable, such as ``missing_dependency``.
    message : str
        What is wrong, for people.
    names : tuple of str
        Packages it is about.
    remedy : str
        What to do about it; empty when nothing is known.
    """

    code: str
    message: str
    names: tuple[str, ...] = ()
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """A wish for one package.

    Attributes
    ----------
    name : str
    version : str or None
        ``1.2`` means exactly that version; ``>=1.2,<2`` and ``1.2.*`` are taken as they are.
    source : {"conda", "pypi"}
    channel : str or None
        conda channel it must come from.
    index : str or None
        PyPI index it must come from.
    build : str or None
        conda build, a pattern as in a MatchSpec (``py311*``).
    extras : tuple of str
        Extras of a Python package (PEP 508).
    marker : str or None
        Environment marker (PEP 508): where it does not hold, there is nothing to wish for.
    url : str or None
        Address of the one archive, or of the repository, that it must be (``name @ url`` of PEP 508).
    conditions : tuple of (str, str)
        Further conditions of a MatchSpec, as in its brackets: ``("build_number", ">=3")``, ``("sha256", "…")``.
    """

    name: str
    version: str | None = None
    source: PackageSource = "conda"
    channel: str | None = None
    index: str | None = None
    build: str | None = None
    extras: tuple[str, ...] = ()
    marker: str | None = None
    url: str | None = None
    conditions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What a person wants to be different."""

    add: tuple[Spec, ...] = ()
    remove: tuple[str, ...] = ()
    update: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules that every plan and lock keeps.

    Attributes
    ----------
    allowed : tuple of str or None
        Addresses of the channels and indexes that packages may come from (and everything below them); None allows all.
    exclude_newer : datetime or None
        Packages that were published after this moment do not exist.
    pins : mapping of str to str
        Versions that packages keep, by name, as in a specification (``>=2,<3``); they do not cause an installation.
    """

    allowed: tuple[str, ...] | None = None
    exclude_newer: datetime | None = None
    pins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where packages may come from, best first.

    Attributes
    ----------
    channels : tuple of str
        conda channels: URLs or names that conda knows.
    indexes : tuple of str
        PyPI indexes (simple API). None means that no index is asked.
    headers : mapping of str to mapping
        Headers to send, by URL prefix (``https://hub.example/``): how credentials travel. They are handed to child
        processes through pipes and environment variables, never in arguments, and never kept.
    """

    channels: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class PlannedPackage:
    """One line of a plan.

    Attributes
    ----------
    from_version, to_version : str or None
        None on the side where the package is absent.
    size : int
        Bytes of the archive, 0 when unknown.
    url, sha256 : str
        Of the archive, without credentials; empty when unknown.
    reason : str
        Why: ``requested``, ``needed by pandas``, ``numba 0.61 needs numpy <2.3`` …
    from_build : str
        Build that is there now; empty when absent or without builds.
    disk_bytes : int
        What it takes on disk afterwards, about; 0 when unknown or removed.
    risks : tuple of str
        Codes of what is at risk: ``downgrade``, ``removes_requested``, ``changes_requested``, ``pinned``, ``loaded``, ``abi``.
    explanations : tuple of str
        The same in sentences, one for each risk.
    """

    name: str
    from_version: str | None
    to_version: str | None
    build: str
    source: PackageSource
    channel: str
    size: int
    url: str
    sha256: str
    reason: str
    from_build: str = ""
    disk_bytes: int = 0
    risks: tuple[str, ...] = ()
    explanations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know before going on. ``code`` is stable."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class CondaStep:
    """The conda half of a plan: whole records (JSON) to link, names to take away, what is asked for afterwards."""

    records: tuple[Mapping[str, Any], ...] = ()
    remove: tuple[str, ...] = ()
    requested: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to do or to note down."""
        return bool(self.records or self.remove)


@dataclass(frozen=True, slots=True)
class PypiStep:
    """The PyPI half of a plan: a lock (pylock.toml text) of what to install, names to take away, which were asked for."""

    pylock: str = ""
    install: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    requested: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.install or self.remove)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, exactly.

    Attributes
    ----------
    id : str
    prefix : Path
    kind : {"conda", "venv", "system"}
    added, changed, removed : tuple of PlannedPackage
        Surprising lines (what was not asked for) come first in ``changed`` and ``removed``.
    download_bytes : int
        Of archives that are not in the cache.
    disk_bytes : int
        What the environment grows by, about; negative when it shrinks.
    warnings : tuple of Notice
    command : str
        A command that asks for the same, for people who prefer a terminal.
    base_state : str
        Digest of what the environment holds; :func:`~carrel.environments.apply` refuses a plan for another state.
    change : Change
        What was asked for.
    policy : Policy
        The rules that it was planned under.
    """

    id: str
    prefix: Path
    kind: EnvironmentKind
    added: tuple[PlannedPackage, ...]
    changed: tuple[PlannedPackage, ...]
    removed: tuple[PlannedPackage, ...]
    download_bytes: int
    disk_bytes: int
    warnings: tuple[Notice, ...]
    command: str
    base_state: str
    conda: CondaStep = field(default_factory=CondaStep, repr=False)
    pypi: PypiStep = field(default_factory=PypiStep, repr=False)
    sources: Sources = field(default_factory=Sources, repr=False)
    change: Change = field(default_factory=Change, repr=False)
    policy: Policy = field(default_factory=Policy, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether the environment already is as wished."""
        return not (self.added or self.changed or self.removed)

    @property
    def steps(self) -> tuple[PlannedPackage, ...]:
        """All lines."""
        return self.added + self.changed + self.removed


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done.

    Attributes
    ----------
    changed_import_names : tuple of str
        Modules that a running kernel may have loaded in another version; newly added ones are not listed.
    revision : int or None
        Number of the revision that this made; None when nothing was to be done. To undo it, go back to the one before.
    """

    changed_import_names: tuple[str, ...]
    revision: int | None


RevisionKind = Literal["created", "found", "change", "restore", "outside"]


@dataclass(frozen=True, slots=True)
class Origin:
    """How an environment comes to be: what its history begins with.

    Attributes
    ----------
    summary : str
        In one line: ``created from environment.yml``.
    request : tuple of str
        What was asked for, beside the packages of a lock: ``create from /home/ada/environment.yml``.
    program : str
        ``carrel env``, ``jupyter`` …; empty to have it guessed.
    """

    summary: str
    request: tuple[str, ...] = ()
    program: str = ""


@dataclass(frozen=True, slots=True)
class Revision:
    """One change of an environment, and with it the state after it, which can be gone back to.

    Attributes
    ----------
    number : int
        0 is the environment as it was made here, or as it was found before the first change.
    created_at : str
        RFC 3339, UTC.
    kind : {"created", "found", "change", "restore", "outside"}
        ``outside``: another program changed it, which was noticed at this moment.
    summary : str
        What was done, in one line.
    request : tuple of str
        What was asked for: ``install numpy >=2``, ``remove six``, ``restore 3``.
    command : str
        A command of other tools that asks for the same; empty when there is none.
    user : str
        Name of the account.
    program : str
        ``carrel env``, ``jupyter`` …
    policy : mapping
        The rules of the plan that differ from none: ``exclude_newer``, ``allowed``, ``pins``.
    package_count : int
        Of the state after it.
    """

    number: int
    created_at: str
    kind: RevisionKind
    summary: str
    request: tuple[str, ...] = ()
    command: str = ""
    user: str = ""
    program: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict)
    package_count: int = 0
