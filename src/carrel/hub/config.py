"""Configuration: traitlets, a config file, environment variables; never code.

Every option ``some_option`` can be given as ``--some-option``, as ``CARREL_HUB_SOME_OPTION`` in the environment, or as
``c.HubConfig.some_option`` in ``carrel_hub_config.py``; the first of these that is given wins.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets import Bool, Enum, Float, Int, TraitError, Unicode
from traitlets.config import Application, Config

from carrel.database.engine import Database
from carrel.hub.settings import HubSettings
from carrel.storage import BlobStore, open_store

ENVIRONMENT_PREFIX = "CARREL_HUB_"


class HubConfig(Application):
    """Options that all commands of the hub share."""

    name = "carrel-hub"

    config_file = Unicode("", help="Python file with settings (default: carrel_hub_config.py in the data folder, if it is there)").tag(
        config=True
    )
    data_dir = Unicode("carrel-hub", help="Folder for the database, the files and hub.json").tag(config=True)
    database_url = Unicode(
        "", help="Database: sqlite:////path/hub.db or postgresql+psycopg://user:password@host/name (default: SQLite in the data folder)"
    ).tag(config=True)
    blob_store_url = Unicode("", help="Where files are kept: a folder or s3://bucket/prefix?endpoint=… (default: data folder)").tag(
        config=True
    )

    address = Unicode("127.0.0.1", help="Address to listen on").tag(config=True)
    port = Int(8000, help="Port to listen on; 0 takes a free one").tag(config=True)
    trust_proxy = Bool(False, help="Believe X-Forwarded-For and X-Forwarded-Proto: only behind a proxy that sets them").tag(config=True)
    public_url = Unicode("", help="Address under which clients reach the hub, when it differs from the Host they send").tag(config=True)
    hub_name = Unicode("Carrel", help="Name shown to people").tag(config=True)
    registration = Enum(["open", "closed"], "closed", help="Whether anyone may create an account").tag(config=True)
    registrations_per_hour = Int(300, help="New accounts and device sign-ins that one client address may begin per hour").tag(config=True)
    allow_anonymous = Bool(True, help="Whether public packages can be read without signing in").tag(config=True)
    max_upload_bytes = Int(5_000_000_000, help="Largest file, in bytes").tag(config=True)
    min_free_bytes = Int(200_000_000, help="Room that must stay free on the disk, in bytes").tag(config=True)
    idle_seconds = Float(120.0, help="How long a client may send nothing, or take for a small body, before its connection is closed").tag(
        config=True
    )
    session_seconds = Int(14 * 86400, help="How long a browser stays signed in").tag(config=True)
    device_seconds = Int(900, help="How long a device sign-in waits for approval").tag(config=True)
    device_interval = Int(5, help="Seconds a device waits between two questions").tag(config=True)
    credential_cache_seconds = Float(5.0, help="How long a looked-up token is remembered; other processes see a revocation this late").tag(
        config=True
    )
    token_warning_days = Float(14.0, help="Days before a token expires from which clients are told so").tag(config=True)
    sweep_grace_seconds = Int(86400, help="How long bytes that nothing refers to are kept").tag(config=True)
    temp_grace_seconds = Int(3600, help="Age from which the temporary files of dead uploads are removed").tag(config=True)
    presigned_downloads = Bool(False, help="Redirect downloads to presigned addresses of the object store").tag(config=True)
    accel_prefix = Unicode("", help="Internal nginx location of the blob folder: answer downloads with X-Accel-Redirect").tag(config=True)

    oidc_issuers = Unicode("", help="Issuers of the identities that may publish without a stored token, separated by spaces").tag(
        config=True
    )
    oidc_audiences = Unicode(
        "", help="What their tokens must be made for, separated by spaces; clients are told the first (default: host name of public_url)"
    ).tag(config=True)

    attestation_trust_root = Unicode(
        "", help="Sigstore's trusted_root.json: attestations that it does not vouch for are refused (default: signatures are not checked)"
    ).tag(config=True)

    aliases = {
        name.replace("_", "-"): f"HubConfig.{name}"
        for name in (
            "config_file data_dir database_url blob_store_url address port trust_proxy public_url hub_name registration "
            "registrations_per_hour allow_anonymous "
            "max_upload_bytes min_free_bytes idle_seconds session_seconds device_seconds device_interval credential_cache_seconds "
            "token_warning_days sweep_grace_seconds "
            "temp_grace_seconds presigned_downloads accel_prefix oidc_issuers oidc_audiences attestation_trust_root"
        ).split()
    } | {"log-level": "Application.log_level"}
    flags: dict[Any, Any] = {}  # noqa: RUF012 - as traitlets has it

    def run(self) -> int:
        """Do the command's work and return its exit code."""
        raise NotImplementedError

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read command line, environment and config file."""
        self.parse_command_line(_last_wins(sys.argv[1:] if argv is None else argv))
        given = Config(self.cli_config)
        environment = _environment()
        path = given.HubConfig.get("config_file") or environment.HubConfig.get("config_file")
        folder = given.HubConfig.get("data_dir") or environment.HubConfig.get("data_dir") or self.data_dir
        if path or (Path(str(folder)) / "carrel_hub_config.py").exists():
            self.load_config_file(str(path or Path(str(folder)) / "carrel_hub_config.py"))
        self.update_config(environment)
        self.update_config(given)

    @property
    def folder(self) -> Path:
        """The data folder, created when missing."""
        folder = Path(self.data_dir).expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def settings(self) -> HubSettings:
        """Return the settings for the services."""
        return HubSettings(
            data_dir=self.folder,
            name=self.hub_name,
            public_url=self.public_url.rstrip("/"),
            registration=self.registration,
            registrations_per_hour=self.registrations_per_hour,
            allow_anonymous=self.allow_anonymous,
            max_upload_bytes=self.max_upload_bytes,
            min_free_bytes=self.min_free_bytes,
            idle_seconds=self.idle_seconds,
            session_seconds=self.session_seconds,
            device_seconds=self.device_seconds,
            device_interval=self.device_interval,
            credential_cache_seconds=min(self.credential_cache_seconds, 5.0),
            token_warning_seconds=self.token_warning_days * 86400,
            sweep_grace_seconds=self.sweep_grace_seconds,
            temp_grace_seconds=self.temp_grace_seconds,
            presigned_downloads=self.presigned_downloads,
            accel_prefix=self.accel_prefix,
            oidc_issuers=tuple(self.oidc_issuers.split()),
            oidc_audiences=self._audiences(),
            attestation_trust_root=self._trust_root(),
        )

    def _trust_root(self) -> Path | None:
        if not self.attestation_trust_root:
            return None
        path = Path(self.attestation_trust_root).expanduser()
        if not path.is_file():
            raise TraitError(f"attestation_trust_root: there is no file {path}.")
        return path

    def _audiences(self) -> tuple[str, ...]:
        # Never what a client calls the hub: whoever runs another service could have tokens made for that one used here.
        audiences = tuple(self.oidc_audiences.split()) or tuple(filter(None, [urlsplit(self.public_url).hostname]))
        if self.oidc_issuers.split() and not audiences:
            raise TraitError("oidc_issuers needs oidc_audiences or public_url: tokens must be made for this hub.")
        return audiences

    def open_database(self) -> Database:
        """Return the database that is configured."""
        return Database(self.database_url or f"sqlite:///{self.folder / 'hub.db'}")

    def open_blobs(self) -> BlobStore:
        """Return the blob store that is configured."""
        return open_store(self.blob_store_url or self.folder / "files", self.folder / "uploads")


def _last_wins(argv: list[str]) -> list[str]:
    """Return *argv* with ``--option=value`` given twice reduced to the last one; traitlets would make a list of both."""
    last = {argument.partition("=")[0]: position for position, argument in enumerate(argv) if argument.startswith("--") and "=" in argument}
    return [argument for position, argument in enumerate(argv) if last.get(argument.partition("=")[0], position) == position]


def _environment() -> Config:
    config = Config()
    for name, trait in HubConfig.class_traits(config=True).items():
        value = os.environ.get(ENVIRONMENT_PREFIX + name.upper())
        if value is not None:
            config.HubConfig[name] = trait.from_string(value)
    return config
