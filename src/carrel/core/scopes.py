"""Scopes of tokens: one table that drives the checks, the documentation and the API description.

Half of the names are anaconda.org's, which tools and people already know; the others are finer. A scope contains others: a
token that has ``package:read`` may do what ``conda:download`` allows. What an endpoint asks for is always one scope.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token may do, named ``<resource>:<action>``, or ``<resource>`` for all of its actions."""

    ALL = "all"
    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"
    NAMESPACE_READ = "namespace:read"
    NAMESPACE_WRITE = "namespace:write"
    PACKAGE_READ = "package:read"
    PACKAGE_WRITE = "package:write"
    PACKAGE_DELETE = "package:delete"
    API = "api"
    API_READ = "api:read"
    API_WRITE = "api:write"
    API_MODIFY_GROUP = "api:modify-group"
    REPOS = "repos"
    CONDA = "conda"
    CONDA_DOWNLOAD = "conda:download"
    CONDA_UPLOAD = "conda:upload"
    PYPI = "pypi"
    PYPI_DOWNLOAD = "pypi:download"
    PYPI_UPLOAD = "pypi:upload"
    CRAN = "cran"
    CRAN_DOWNLOAD = "cran:download"
    CRAN_UPLOAD = "cran:upload"


@dataclass(frozen=True, slots=True)
class ScopeInfo:
    """A scope for people, and the scopes it contains directly."""

    scope: Scope
    summary: str
    implies: tuple[Scope, ...] = ()


SCOPES: tuple[ScopeInfo, ...] = (
    ScopeInfo(Scope.ALL, "Everything its maker may do", tuple(scope for scope in Scope if scope is not Scope.ALL)),
    ScopeInfo(Scope.ACCOUNT_READ, "See who you are and which namespaces you belong to"),
    ScopeInfo(Scope.ACCOUNT_WRITE, "Create and revoke tokens, create organizations", (Scope.ACCOUNT_READ,)),
    ScopeInfo(Scope.NAMESPACE_READ, "List namespaces, members and labels you may see"),
    ScopeInfo(
        Scope.NAMESPACE_WRITE, "Change namespaces, members, groups and labels you own", (Scope.NAMESPACE_READ, Scope.API_MODIFY_GROUP)
    ),
    ScopeInfo(
        Scope.PACKAGE_READ,
        "See and download packages, notebooks and environments",
        (Scope.CONDA_DOWNLOAD, Scope.PYPI_DOWNLOAD, Scope.CRAN_DOWNLOAD),
    ),
    ScopeInfo(
        Scope.PACKAGE_WRITE,
        "Upload files, publish releases, change labels and descriptions",
        (Scope.CONDA_UPLOAD, Scope.PYPI_UPLOAD, Scope.CRAN_UPLOAD),
    ),
    ScopeInfo(Scope.PACKAGE_DELETE, "Remove files, releases and packages"),
    ScopeInfo(Scope.API, "All of the API", (Scope.API_READ, Scope.API_WRITE, Scope.API_MODIFY_GROUP)),
    ScopeInfo(Scope.API_READ, "Read through the API", (Scope.ACCOUNT_READ, Scope.NAMESPACE_READ, Scope.PACKAGE_READ)),
    ScopeInfo(
        Scope.API_WRITE,
        "Change through the API",
        (Scope.API_READ, Scope.ACCOUNT_WRITE, Scope.NAMESPACE_WRITE, Scope.PACKAGE_WRITE, Scope.PACKAGE_DELETE),
    ),
    ScopeInfo(Scope.API_MODIFY_GROUP, "Change groups of organizations you own", (Scope.NAMESPACE_READ,)),
    ScopeInfo(Scope.REPOS, "Download from and upload to all package repositories", (Scope.CONDA, Scope.PYPI, Scope.CRAN)),
    ScopeInfo(Scope.CONDA, "Download from and upload to conda channels", (Scope.CONDA_DOWNLOAD, Scope.CONDA_UPLOAD)),
    ScopeInfo(Scope.CONDA_DOWNLOAD, "Download from conda channels"),
    ScopeInfo(Scope.CONDA_UPLOAD, "Upload to conda channels"),
    ScopeInfo(Scope.PYPI, "Download from and upload to Python package indexes", (Scope.PYPI_DOWNLOAD, Scope.PYPI_UPLOAD)),
    ScopeInfo(Scope.PYPI_DOWNLOAD, "Download from Python package indexes"),
    ScopeInfo(Scope.PYPI_UPLOAD, "Upload to Python package indexes"),
    ScopeInfo(Scope.CRAN, "Download from and upload to R repositories", (Scope.CRAN_DOWNLOAD, Scope.CRAN_UPLOAD)),
    ScopeInfo(Scope.CRAN_DOWNLOAD, "Download from R repositories"),
    ScopeInfo(Scope.CRAN_UPLOAD, "Upload to R repositories"),
)

ALL_SCOPES: frozenset[Scope] = frozenset(Scope)
READ_SCOPES: tuple[Scope, ...] = (Scope.API_READ,)
"""What reads everything its maker sees and changes nothing."""

_IMPLIES = {info.scope: info.implies for info in SCOPES}


def _closure(scope: Scope) -> frozenset[Scope]:
    found = {scope}
    pending = [scope]
    while pending:
        for other in _IMPLIES[pending.pop()]:
            if other not in found:
                found.add(other)
                pending.append(other)
    return frozenset(found)


_CLOSURES = {scope: _closure(scope) for scope in Scope}
_KNOWN = {scope.value: scope for scope in Scope}


def expand(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """Return *scopes* and all that they contain."""
    found: frozenset[Scope] = frozenset()
    for scope in scopes:
        found |= _CLOSURES[scope]
    return found


def reduce(scopes: Collection[Scope]) -> frozenset[Scope]:
    """Return the scopes of *scopes* that no other one of them contains: the short way to say the same."""
    given = set(scopes)
    if given >= ALL_SCOPES - {Scope.ALL}:
        return frozenset({Scope.ALL})
    return frozenset(scope for scope in given if not any(scope in _CLOSURES[other] for other in given if other is not scope))


def parse(texts: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes that *texts* name and all that they contain; unknown names (of a newer hub) give nothing."""
    return expand(_KNOWN[text] for text in texts if text in _KNOWN)
