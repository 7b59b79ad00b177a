"""Issuers are believed only for tokens that are made for this hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets import TraitError

from carrel.hub.config import HubConfig


def configured(folder: Path, *arguments: str) -> HubConfig:
    config = HubConfig()
    config.initialize([f"--data-dir={folder}", *arguments])
    return config


def test_the_audience_is_the_configured_address(tmp_path: Path) -> None:
    issuers = "--oidc-issuers=https://one.example https://two.example"
    settings = configured(tmp_path, issuers, "--public-url=https://hub.example:8443/base").settings()
    assert settings.oidc_issuers == ("https://one.example", "https://two.example")
    assert settings.oidc_audiences == ("hub.example",)
    named = configured(tmp_path, issuers, "--oidc-audiences=a b", "--public-url=https://hub.example").settings()
    assert named.oidc_audiences == ("a", "b")


@pytest.mark.parametrize("argument", ["--oidc-issuers=https://one.example", "--attestation-trust-root=/absent/root.json"])
def test_what_cannot_be_obeyed_stops_the_start(tmp_path: Path, argument: str) -> None:
    with pytest.raises(TraitError):
        configured(tmp_path, argument).settings()
