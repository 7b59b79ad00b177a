"""Tokens kept on this machine: one file that only its owner can read.

``credentials.json`` in the configuration folder holds one token per hub. ``CARREL_CONFIG_DIR`` moves the folder,
``CARREL_HUB_URL`` chooses the hub and ``CARREL_TOKEN`` gives its token without a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from carrel.core.clock import now, to_rfc3339
from carrel.core.errors import BadRequest, Unavailable


def config_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the person's settings."""
    if configured := environ.get("CARREL_CONFIG_DIR"):
        return Path(configured)
    import platformdirs

    return Path(platformdirs.user_config_dir("carrel"))


def normalize_hub_url(url: str) -> str:
    """Return *url* in the one form under which hubs are compared: no trailing slash, query or default port.

    Raises
    ------
    carrel.core.errors.BadRequest
        *url* is not http or https, or it holds credentials.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest("The address of a hub starts with http:// or https://.", field="hub_url")
    if parts.username or parts.password:
        raise BadRequest("The address of a hub must not hold a name or a password; sign in instead.", field="hub_url")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    netloc = host if parts.port in (None, default) else f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))


@dataclass(frozen=True, slots=True)
class Credential:
    """A kept token and whose it is."""

    hub_url: str
    token: str = field(repr=False)
    user: str = ""
    saved_at: str = ""


class CredentialStore:
    """Tokens per hub.

    Parameters
    ----------
    folder : pathlib.Path, optional
        Where ``credentials.json`` is kept; by default :func:`config_dir`.
    environ : mapping, optional
        Environment variables to honour.
    """

    def __init__(self, folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self.path = (folder or config_dir(environ)) / "credentials.json"
        self._environ = environ

    def default_hub(self) -> str | None:
        """Return the hub to use when none is named: ``CARREL_HUB_URL``, else the one signed in to last."""
        if url := self._environ.get("CARREL_HUB_URL"):
            return normalize_hub_url(url)
        default = self._read().get("default")
        return default if isinstance(default, str) else None

    def get(self, hub_url: str, *, chosen: bool = False) -> Credential | None:
        """Return the credential for *hub_url*, or None.

        ``CARREL_TOKEN`` goes to the hub of ``CARREL_HUB_URL``. Where that is not set it goes to the default hub and to the one
        the person has *chosen* (an option, the configuration); a hub that was only named in a link never receives it.
        """
        hub_url = normalize_hub_url(hub_url)
        token = self._environ.get("CARREL_TOKEN")
        if token and (hub_url == self.default_hub() or (chosen and not self._environ.get("CARREL_HUB_URL"))):
            return Credential(hub_url, token)
        entry = self._hubs(self._read()).get(hub_url)
        if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
            return None
        return Credential(hub_url, entry["token"], str(entry.get("user") or ""), str(entry.get("saved_at") or ""))

    def save(self, hub_url: str, token: str, user: str = "") -> None:
        """Keep *token* and make *hub_url* the default hub."""
        hub_url = normalize_hub_url(hub_url)
        with self._changing() as document:
            self._hubs(document)[hub_url] = {"token": token, "user": user, "saved_at": to_rfc3339(now())}
            document["default"] = hub_url

    def forget(self, hub_url: str) -> bool:
        """Remove the token of *hub_url*; return whether there was one."""
        hub_url = normalize_hub_url(hub_url)
        with self._changing() as document:
            return self._hubs(document).pop(hub_url, None) is not None

    def hubs(self) -> list[str]:
        """Return the hubs for which a token is kept."""
        return sorted(self._hubs(self._read()))

    @staticmethod
    def _hubs(document: dict[str, Any]) -> dict[str, Any]:
        hubs = document.setdefault("hubs", {})
        if not isinstance(hubs, dict):
            document["hubs"] = hubs = {}
        return hubs

    def _read(self) -> dict[str, Any]:
        try:
            if os.name == "posix" and self.path.stat().st_mode & 0o077:
                self.path.chmod(0o600)
            document = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except PermissionError as error:
            raise Unavailable(f"{self.path} cannot be read. Make it readable for you alone (chmod 600).") from error
        except ValueError as error:
            raise Unavailable(f"{self.path} is damaged. Remove it and sign in again.") from error
        return document if isinstance(document, dict) else {}

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        from filelock import FileLock

        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(folder / ".credentials.lock", timeout=10):
            document = self._read()
            yield document
            # mkstemp creates with mode 0600; the rename makes readers see the old file or the new one, never a part.
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=".credentials-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump({"version": 1, **document}, file, indent=1, sort_keys=True)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(self.path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
