"""Credentials: into headers and environment variables, out of every address that is shown or kept."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

_PATH_TOKEN = re.compile(r"/t/(?:[A-Za-z0-9-]{6,}|<TOKEN>)(?=/|$)")
_URL_USERINFO = re.compile(r"(?<=://)[^/\s@\"']+@")
_SECRET_QUERY = re.compile(r"(?i)([?&](?:x-amz-[a-z-]+|sig|signature|token|access_token|key|password)=)[^&\s\"']+")


def strip_url(url: str) -> str:
    """Return *url* without user, password, ``/t/TOKEN/``, query and fragment."""
    parts = urlsplit(url)
    host, path = parts.netloc.rpartition("@")[2], _PATH_TOKEN.sub("", parts.path)
    if not host and url.startswith(f"{parts.scheme}://"):  # git+file:///… must keep its slashes
        return f"{parts.scheme}://{path}"
    return urlunsplit((parts.scheme, host, path, "", ""))


def redact(text: str, headers: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Return *text* fit for a log: credentials in addresses and the values of *headers* are taken out."""
    text = _URL_USERINFO.sub("", text)
    text = _PATH_TOKEN.sub("", text)
    text = _SECRET_QUERY.sub(r"\1***", text)
    for values in (headers or {}).values():
        for value in values.values():
            for secret in {value, value.partition(" ")[2]}:
                if len(secret) >= 6:
                    text = text.replace(secret, "***")
    return text


def headers_for(url: str, headers: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the headers for *url*: those of the longest matching prefix.

    A prefix matches whole path components of the same scheme, host and port, so that ``https://hub`` says nothing about
    ``https://hub.evil.example``.
    """
    target = urlsplit(url)
    best: tuple[int, Mapping[str, str]] | None = None
    for prefix, values in headers.items():
        wanted = urlsplit(prefix)
        if (wanted.scheme, wanted.netloc.lower()) != (target.scheme, target.netloc.rpartition("@")[2].lower()):
            continue
        path = wanted.path.rstrip("/")
        if (target.path == path or target.path.startswith(path + "/")) and (best is None or len(path) > best[0]):
            best = (len(path), values)
    return dict(best[1]) if best else {}


def user_and_password(url: str, headers: Mapping[str, Mapping[str, str]]) -> tuple[str, str] | None:
    """Return what to sign in with at *url*, for programs that know users and passwords only.

    Taken from the address itself, or from an ``Authorization`` header (``Basic`` is decoded; ``Bearer`` and ``token`` become
    the password of the user ``__token__``).
    """
    parts = urlsplit(url)
    if parts.username is not None:
        return unquote(parts.username), unquote(parts.password or "")
    values = {name.lower(): value for name, value in headers_for(url, headers).items()}
    scheme, _, value = values.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user, password
    if scheme.lower() in ("bearer", "token") and value:
        return "__token__", value
    return None
