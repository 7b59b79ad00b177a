"""Scopes of tokens: one table that drives the checks, the documentation and the API description."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token may do, named ``<resource>:<action>``."""

    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"
    NAMESPACE_READ = "namespace:read"
    NAMESPACE_WRITE = "namespace:write"
    PACKAGE_READ = "package:read"
    PACKAGE_WRITE = "package:write"
    PACKAGE_DELETE = "package:delete"


@dataclass(frozen=True, slots=True)
class ScopeInfo:
    """Text of a scope for people."""

    scope: Scope
    summary: str


SCOPES: tuple[ScopeInfo, ...] = (
    ScopeInfo(Scope.ACCOUNT_READ, "See who you are and which namespaces you belong to"),
    ScopeInfo(Scope.ACCOUNT_WRITE, "Create and revoke tokens, create organizations"),
    ScopeInfo(Scope.NAMESPACE_READ, "List namespaces, members and labels you may see"),
    ScopeInfo(Scope.NAMESPACE_WRITE, "Change namespaces, members and labels you own"),
    ScopeInfo(Scope.PACKAGE_READ, "See and download packages, notebooks and environments"),
    ScopeInfo(Scope.PACKAGE_WRITE, "Upload files, publish releases, change labels and descriptions"),
    ScopeInfo(Scope.PACKAGE_DELETE, "Remove files, releases and packages"),
)

ALL_SCOPES: frozenset[Scope] = frozenset(Scope)
