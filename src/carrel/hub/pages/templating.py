"""Templates and the static files they name."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from carrel.core.units import format_bytes
from carrel.hub.pages import details, formatting

STATIC_PREFIX = "/-/static/"
_FILTERS = (
    "audience by_weight capitalize_first content_path day details_of files_by_weight is_web_link kind_name kind_plural minute "
    "rfc3339 scope_summary short_url version yank_reason"
).split()
_STATIC_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@cache
def static_file(name: str) -> tuple[bytes, str, str] | None:
    """Return content, media type and digest of a static file, None if there is none of this name."""
    media_type = _STATIC_TYPES.get(name.rpartition(".")[2])
    if media_type is None or "/" in name or name.startswith("."):
        return None
    path = files(__package__).joinpath("static", name)
    if not path.is_file():
        return None
    content = path.read_bytes()
    return content, media_type, hashlib.sha256(content).hexdigest()[:16]


def static_url(name: str) -> str:
    """Return the address of a static file; it changes with the content, so it may be kept for ever.

    Raises
    ------
    KeyError
    """
    found = static_file(name)
    if found is None:
        raise KeyError(name)
    return f"{STATIC_PREFIX}{name}?v={found[2]}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("carrel.hub.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["static"] = static_url
    environment.filters["size"] = format_bytes
    for name in _FILTERS:
        environment.filters[name] = getattr(details if name == "details_of" else formatting, name)
    return environment


def render(template: str, **context: Any) -> bytes:
    """Return a page.

    Parameters
    ----------
    template : str
        File name below ``templates``.
    **context
        What the template reads; beside its own names: ``site``, ``viewer``, ``xsrf_token``, ``next``.
    """
    return _environment().get_template(template).render(context).encode()
