"""The namespace, and the label in it, that programs are to take packages from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from carrel.core.errors import BadRequest
from carrel.core.names import slugify
from carrel.core.tokens import redact

_SECRET = re.compile(r'("(?:\w*token|password|\w*secret\w*)"\s*:\s*)"[^"]*"', re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/@\s\"']+@")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Source:
    """Where packages are to come from.

    Attributes
    ----------
    hub_url : str
        Address of the hub.
    namespace : str
    label : str or None
        None for the bare channel, which shows ``main``.
    token : str or None
        Written into the settings, for private packages.
    only : bool
        No other source is to be asked.
    """

    hub_url: str
    namespace: str
    label: str | None = None
    token: str | None = field(default=None, repr=False)
    only: bool = False

    @property
    def name(self) -> str:
        """A short name for lists of sources."""
        return slugify(f"{self.namespace} {self.label or ''}")

    @property
    def host(self) -> str:
        """Host and port of the hub."""
        return urlsplit(self.hub_url).netloc

    @property
    def is_plain_http(self) -> bool:
        """Whether the hub is asked without encryption over a network."""
        parts = urlsplit(self.hub_url)
        return parts.scheme == "http" and parts.hostname not in _LOOPBACK

    def address(self, area: str, *, token: str | None = None) -> str:
        """Return the address of the namespace for a protocol, with a token as the first part of the path."""
        secret = f"t/{token}/" if token else ""
        label = f"/label/{self.label}" if self.label else ""
        return f"{self.hub_url}/{area}/{secret}{self.namespace}{label}"

    @property
    def conda_channel(self) -> str:
        """Address for conda, which takes a token from the path."""
        return self.address("conda", token=self.token)

    @property
    def python_index(self) -> str:
        """Address for pip and uv, which take a token as a password and hide it in what they print."""
        url = f"{self.address('pypi')}/simple/"
        return url.replace("://", f"://__token__:{self.token}@", 1) if self.token else url

    @property
    def r_repository(self) -> str:
        """Address for R, which takes a token from the path."""
        return self.address("cran", token=self.token)

    def is_own(self, area: str, url: str) -> bool:
        """Whether *url* is this source's address for a protocol, with whatever token."""
        plain = re.sub(r"/t/[^/]+(?=/)", "", _USERINFO.sub("", url.strip()), count=1).rstrip("/")
        return plain.removesuffix("/simple") == self.address(area)


Change = Callable[[str, Source], str]
"""From the old text of a settings file to the new one."""


def mask(text: str) -> str:
    """Return *text* without tokens and passwords."""
    return _SECRET.sub(r'\1"***"', _USERINFO.sub("***@", redact(text)))


def user_config(environ: Mapping[str, str]) -> Path:
    """Return the folder of a person's settings on systems with ``XDG_CONFIG_HOME``."""
    return Path(environ.get("XDG_CONFIG_HOME") or home(environ) / ".config")


def home(environ: Mapping[str, str]) -> Path:
    """Return the person's folder."""
    return Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())


def first_existing(*paths: Path) -> Path:
    """Return the first of *paths* that exists, else the first."""
    return next((path for path in paths if path.exists()), paths[0])


def damaged(what: str, error: Exception) -> BadRequest:
    """Return the error of a settings file that cannot be read."""
    return BadRequest(f"{what} cannot be understood and was left alone: {' '.join(str(error).split())[:300]}", code="damaged_settings")
