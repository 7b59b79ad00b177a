"""Grammar of names that appear in URLs."""

from __future__ import annotations

import re

from carrel.core.errors import InvalidName

# First path components that the URL map uses; no account may take them.
RESERVED_NAMESPACES = frozenset(
    """
    - _ about account activate admin api artifactory assets authentication authentications authentication-type channels collection
    collections commit conda copy cran dist docs download explore favicon.ico files group groups health healthz help
    invite join label labels legacy license login logout metrics new notices oauth oidc org organization organizations
    orgs package package_listing packages pypi r register release releases render robots.txt scopes search settings
    setup sign-in sign-out signin signout simple stage static stats status t terms token tokens user upload users v1 well-known
    """.split()
)

_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9]|[-_.](?=[a-z0-9])){0,63}\Z")
_PACKAGE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?\Z")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.!+~-]{0,126})\Z")
_LABEL = re.compile(r"[a-zA-Z][0-9a-zA-Z_\-./]{0,127}\Z")
_SUBDIR = re.compile(r"(?:noarch|[a-z0-9]+-[a-z0-9]+)\Z")


def validate_namespace(name: str) -> str:
    """Return *name* if it may name a user or an organization.

    Lowercase letters and digits with single ``-``, ``_``, ``.`` between them, at most 64 characters (the channel
    component of CEP 26 with the reserved words of the URL map taken out).

    Raises
    ------
    InvalidName
    """
    if not _NAMESPACE.match(name):
        raise InvalidName(
            f"{name[:80]!r} cannot be a namespace: use 1–64 lowercase letters and digits, with single '-', '_' or '.' between them.",
            field="namespace",
        )
    if name in RESERVED_NAMESPACES:
        raise InvalidName(f"{name!r} is reserved. Choose another name.", field="namespace")
    return name


def validate_collection(name: str) -> str:
    """Return *name* if it may name a collection: the grammar of namespaces, no word is reserved.

    Raises
    ------
    InvalidName
    """
    if not _NAMESPACE.match(name):
        raise InvalidName(
            f"{name[:80]!r} cannot be a collection: use 1–64 lowercase letters and digits, with single '-', '_' or '.' between them.",
            field="name",
        )
    return name


def validate_group(name: str) -> str:
    """Return *name* if it may name a group of an organization.

    Raises
    ------
    InvalidName
    """
    if not _GROUP.match(name):
        raise InvalidName(
            f"{name[:80]!r} cannot be a group: use 1–64 letters, digits, '-', '_' and '.', first a letter or digit.", field="name"
        )
    return name


def validate_package(name: str) -> str:
    """Return *name* if it may name a package.

    Raises
    ------
    InvalidName
    """
    if not _PACKAGE.match(name):
        raise InvalidName(
            f"{name[:80]!r} cannot be a package name: "
            "use 1–128 letters, digits, '_', '-' and '.', with a letter, digit or '_' at both ends.",
            field="package",
        )
    return name


def canonical_package(name: str) -> str:
    """Return the form under which package names are compared: lowercase, ``-``, ``_``, ``.`` runs as one ``-`` (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def validate_version(version: str) -> str:
    """Return *version* if it may name a release.

    Raises
    ------
    InvalidName
    """
    if not _VERSION.match(version) or version == "latest":
        raise InvalidName(
            f"{version[:80]!r} cannot be a version: use 1–127 letters, digits and '_.!+~-', first a letter or digit, and not 'latest'.",
            field="version",
        )
    return version


def validate_label(label: str) -> str:
    """Return *label* if it may name a label (CEP 26; may contain ``/``, must not end in a subdir name).

    Raises
    ------
    InvalidName
    """
    parts = label.split("/")
    if not _LABEL.match(label) or "" in parts or ".." in parts or "." in parts or is_subdir(parts[-1]) or label == "nolabel":
        raise InvalidName(
            f"{label[:80]!r} cannot be a label: "
            "use 1–128 letters, digits and '_-./', first a letter; the last part must not be a platform name.",
            field="label",
        )
    return label


def is_subdir(text: str) -> bool:
    """Whether *text* has the form of a conda subdir (``noarch`` or ``<platform>-<arch>``; CEP 26)."""
    return len(text) <= 32 and _SUBDIR.match(text) is not None


def slugify(text: str, fallback: str = "untitled") -> str:
    """Return a package name made of *text*: lowercase words joined by ``-``."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80].strip("-")
    return slug or fallback
