"""Who may see a document and what it is, as words of the index.

The same rule as :func:`carrel.hub.packages.visibility.listed_packages`. The index narrows with it, so that a search costs
the same in a hub full of other people's private packages; rows are then read under the rule itself, which decides.
"""

from __future__ import annotations

from collections.abc import Iterable

from carrel.core.access import Visibility
from carrel.core.kinds import Kind
from carrel.hub.accounts.principal import Principal

PUBLIC = "vpublic"


def document_facets(namespace_id: int, visibility: str, kinds: Iterable[str], *, published: bool) -> tuple[str, ...]:
    """Return the facets of a package."""
    facets = [f"n{namespace_id}", *(kind_facet(kind) for kind in sorted(kinds))]
    if visibility != Visibility.PRIVATE:
        facets.append(f"m{namespace_id}")
    if visibility == Visibility.PUBLIC and published:
        facets.append(PUBLIC)
    return tuple(facets)


def viewer_facets(principal: Principal) -> tuple[str, ...]:
    """Return the facets of which a document needs at least one to be listed for *principal*, if they were not given it.

    None suffices within the limits of a token: there the packages are named one by one.
    """
    if principal.limits:
        return ()
    return (PUBLIC, *(f"n{key}" for key in principal.owned), *(f"m{key}" for key in principal.joined))


def namespace_facet(namespace_id: int) -> str:
    """Return the facet of all packages of a namespace."""
    return f"n{namespace_id}"


def kind_facet(kind: str | Kind) -> str:
    """Return the facet of a kind."""
    return f"k{Kind(kind).value}"
