"""Who sees a publication, and who sees the packages that rebuilding it needs."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from carrel.client.hub import HubClient
from carrel.client.models import Package
from carrel.core.access import Visibility
from carrel.core.errors import CarrelError
from carrel.formats.environment.lock import Lock

_MOST = 200  # packages that are asked about
_NAMED = 5
_WIDTH = [visibility.value for visibility in (Visibility.PRIVATE, Visibility.ORGANIZATION, Visibility.UNLISTED, Visibility.PUBLIC)]


def out_of_reach(client: HubClient, publication: Package, lock: Lock) -> str | None:
    """Return a sentence about the packages of *lock* that fewer people see than *publication*; None when there are none.

    Only packages that this hub itself serves are looked at.
    """
    narrower = [
        f"{namespace}/{name}" for namespace, name in _served_here(client, lock) if _is_narrower(client, publication, namespace, name)
    ]
    if not narrower:
        return None
    more = f" and {len(narrower) - _NAMED} more" if len(narrower) > _NAMED else ""
    return (
        f"Not everyone who sees this publication can rebuild its environment: fewer people see {', '.join(narrower[:_NAMED])}{more}. "
        "Give those packages the same visibility, or publish to fewer people."
    )


def _served_here(client: HubClient, lock: Lock) -> list[tuple[str, str]]:
    base = urlsplit(client.base_url)
    found: dict[tuple[str, str], None] = {}
    packages = [(package.name, package.url) for package in lock.conda] + [(package.name, package.url) for package in lock.pypi]
    for name, address in packages:
        url = urlsplit(address)
        parts = url.path.removeprefix(base.path).split("/")
        if url.netloc == base.netloc and len(parts) > 3 and parts[1] in ("conda", "pypi"):
            found.setdefault((unquote(parts[2]), name))
    return list(found)[:_MOST]


def _is_narrower(client: HubClient, publication: Package, namespace: str, name: str) -> bool:
    try:
        visibility = client.package(namespace, name).visibility
    except CarrelError:
        return False  # the name in the index and the package's may differ: nothing is said rather than something wrong
    if visibility not in _WIDTH or publication.visibility not in _WIDTH:
        return False
    elsewhere = namespace != publication.namespace and visibility in (Visibility.PRIVATE, Visibility.ORGANIZATION)
    return elsewhere or _WIDTH.index(visibility) < _WIDTH.index(publication.visibility)
