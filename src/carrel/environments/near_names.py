"""Names of packages that somebody may have meant: by what they are imported as, and by how they are spelled.

An index of Python packages has no search. So a name is compared with those that are known without one: of modules whose package
bears another name, of what is installed, and of what an index of moderate size lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import requests

from carrel.core.errors import Cancelled
from carrel.core.progress import CancelSignal
from carrel.environments.credentials import headers_for, user_and_password
from carrel.environments.models import Sources
from carrel.environments.naming import normalize
from carrel.environments.packages_of_modules import PACKAGES_OF_MODULES, package_of
from carrel.environments.spelling import near

_MOST = 3
_LISTING_BYTES = 500_000
_TIMEOUT = (2.0, 3.0)


def of_python(name: str, installed: Iterable[str], sources: Sources, cancel: CancelSignal) -> list[str]:
    """Return names of Python packages that may be meant by *name*, the likeliest first; none of them need be on an index.

    Parameters
    ----------
    name : str
        Normalized.
    installed : iterable of str
        Names of what is there, normalized.
    """
    alias = package_of(name, conda=False) or package_of(name.replace("-", "_"), conda=False)
    known = {normalize(package) for package, _ in PACKAGES_OF_MODULES.values()} | set(installed)
    for index in sources.indexes:
        known |= _listed(index, sources, cancel)
    found = [*([normalize(alias)] if alias else []), *near(name, sorted(known))]
    return [other for other in dict.fromkeys(found) if other != name][:_MOST]


def _listed(index: str, sources: Sources, cancel: CancelSignal) -> set[str]:
    """Return the names of the projects on *index*; none where the list is long, as on indexes of everything."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT  # takes longer than the rest of this module

    if cancel.is_set():
        raise Cancelled("The work was cancelled.")
    if urlsplit(index).hostname == urlsplit(PYPI_SIMPLE_ENDPOINT).hostname or urlsplit(index).scheme not in ("http", "https"):
        return set()
    signed_in = user_and_password(index, sources.headers)
    headers = {**headers_for(index, sources.headers), "Accept": "application/vnd.pypi.simple.v1+json"}
    if signed_in:  # as uv does: what an index of packages understands
        headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    try:
        with requests.Session() as session:
            session.auth = lambda request: request  # no credentials but ours: not those of a .netrc
            address = index.rstrip("/") + "/"
            with session.get(address, headers=headers, auth=signed_in, stream=True, timeout=_TIMEOUT, allow_redirects=False) as answer:
                return _names(answer) if answer.status_code == 200 else set()
    except (requests.RequestException, ValueError):
        return set()


def _names(answer: requests.Response) -> set[str]:
    data = b""
    for chunk in answer.iter_content(1 << 16):
        data += chunk
        if len(data) > _LISTING_BYTES:
            return set()
    document = json.loads(data)
    projects: Sequence[object] = document.get("projects") or () if isinstance(document, dict) else ()
    names = [project.get("name") for project in projects if isinstance(project, dict)]
    return {normalize(name) for name in names if isinstance(name, str)}
