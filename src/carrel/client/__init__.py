"""Typed HTTP client of the hub: requests and results, kept credentials, references to publications."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carrel.client.credentials import CredentialStore
    from carrel.client.hub import HubClient
    from carrel.client.references import Reference

__all__ = ["CredentialStore", "HubClient", "Reference"]

_HOMES = {"CredentialStore": "credentials", "HubClient": "hub", "Reference": "references"}


def __getattr__(name: str) -> object:
    # The command pays for every import at its start, so requests is loaded with HubClient only.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"carrel.client.{_HOMES[name]}"), name)
    raise AttributeError(name)
