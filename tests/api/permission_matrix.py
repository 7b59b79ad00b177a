"""The rules of access, told once more and independently of the hub: who gets which answer.

``ROLES`` x ``VISIBILITIES`` x ``COLUMNS`` are the cells of ``test_permissions.py``. A protocol that is added to the hub adds its
columns here: how it lists, indexes and hands out the package of a cell, how it changes it.
"""

from __future__ import annotations

from dataclasses import dataclass

VISIBILITIES = ("private", "organization", "unlisted", "public")
LEVELS = {"": 0, "read": 1, "write": 2, "admin": 3}
ABSENT = "cellabsent"


def package_of(visibility: str) -> str:
    """Return the package that the cells of *visibility* are about: letters only, so that every protocol can name it."""
    return f"cell{visibility}"


@dataclass(frozen=True)
class Role:
    """A caller: a person, or a token of one.

    ``place``: role in the organization; ``grant``: permission that a group or a collaboration gives on every package;
    the rest is what a token is narrowed to.
    """

    name: str
    place: str = ""  # member, owner
    grant: str = ""
    anonymous: bool = False
    expired: bool = False
    scopes: frozenset[str] = frozenset({"all"})
    elsewhere: bool = False  # narrowed to another namespace
    packages: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    items: tuple[str, ...] | None = None  # of a collection


# Everything is under the label main; what is private or public is under dev, too.
DEV = ("private", "public")
ROLES = (
    Role("anonymous", anonymous=True),
    Role("outsider"),
    Role("member", "member"),
    Role("owner", "owner"),
    Role("group reader", grant="read"),
    Role("group writer", grant="write"),
    Role("group admin", grant="admin"),
    Role("collaborator", grant="write"),
    Role("member given all to administer", "member", grant="admin"),
    Role("expired token of the owner", "owner", expired=True),
    Role("token that reads", "owner", scopes=frozenset({"package:read", "namespace:read"})),
    Role("token for conda downloads", "member", scopes=frozenset({"conda:download"})),
    Role("token of another namespace", "owner", elsewhere=True),
    Role("token of two packages", "owner", packages=("private", "public")),
    Role("member's token of two packages", "member", packages=("private", "organization")),
    Role("token of a label", "owner", labels=("dev",)),
    Role("token of a collection", "owner", items=("private", "unlisted")),
)


@dataclass(frozen=True)
class Column:
    """One thing to do with one protocol.

    ``needs``: *list* (be shown the package among others), *reach* (by name), *upload*, *write*, *admin*; ``scope``: of the
    endpoint; ``label``: the channel that is asked; ``place``: what is asked, as ``test_permissions.py`` understands it.
    """

    protocol: str
    verb: str
    needs: str
    scope: str
    place: str
    label: str = ""
    whole: bool = False  # whether the package as a whole is changed, and not a file under a label


_READ = "package:read"
COLUMNS = (
    Column("v1", "list", "list", _READ, "namespaces/{org}/packages?limit=200"),
    Column("v1", "search", "list", _READ, "search?q={name}&namespace={org}"),
    Column("v1", "show", "reach", _READ, "packages/{org}/{name}"),
    Column("v1", "releases", "reach", _READ, "packages/{org}/{name}/releases"),
    Column("v1", "release", "reach", _READ, "packages/{org}/{name}/releases/latest"),
    Column("v1", "file", "reach", _READ, "packages/{org}/{name}/releases/1.0/files/data.csv"),
    Column("v1", "download", "reach", _READ, "packages/{org}/{name}/releases/1.0/files/data.csv/content"),
    Column("page", "list", "list", _READ, "/{org}"),
    Column("page", "show", "reach", _READ, "/{org}/{name}"),
    Column("conda", "index", "list", "conda:download", "/conda/{org}/noarch/repodata.json", "main"),
    Column("conda", "index of dev", "list", "conda:download", "/conda/{org}/label/dev/noarch/repodata.json", "dev"),
    Column("conda", "shard index", "list", "conda:download", "/conda/{org}/noarch/repodata_shards.msgpack.zst", "main"),
    Column("conda", "shard", "list", "conda:download", "/conda/{org}/noarch/shards/{shard}.msgpack.zst"),
    Column("conda", "download", "reach", "conda:download", "/conda/{org}/noarch/{name}-1.0-0.conda"),
    Column("pypi", "index", "list", "pypi:download", "/pypi/{org}/simple/", "main"),
    Column("pypi", "project", "list", "pypi:download", "/pypi/{org}/simple/{name}/", "main"),
    Column("pypi", "project of dev", "list", "pypi:download", "/pypi/{org}/label/dev/simple/{name}/", "dev"),
    Column("pypi", "download", "reach", "pypi:download", "/pypi/{org}/files/{wheel}/{name}-1.0-py3-none-any.whl"),
    Column("pypi", "metadata", "reach", "pypi:download", "/pypi/{org}/files/{wheel}/{name}-1.0-py3-none-any.whl.metadata"),
    Column("cran", "index", "list", "cran:download", "/cran/{org}/src/contrib/PACKAGES", "main"),
    Column("cran", "download", "reach", "cran:download", "/cran/{org}/src/contrib/{name}_1.0.tar.gz"),
    Column("anaconda", "list", "list", _READ, "/api/packages/{org}"),
    Column("anaconda", "show", "reach", _READ, "/api/package/{org}/{name}"),
    Column("anaconda", "file", "reach", _READ, "/api/dist/{org}/{name}/1.0/data.csv"),
    Column("anaconda", "download", "reach", _READ, "/api/download/{org}/{name}/1.0/data.csv"),
    Column("anaconda", "edit", "write", "package:write", "/api/package/{org}/{name}", whole=True),
    Column("v1", "upload", "upload", "package:write", "namespaces/{org}/files/new.csv"),
    Column("pypi", "upload", "upload", "pypi:upload", "/pypi/{org}/legacy/"),
    Column("v1", "edit", "write", "package:write", "packages/{org}/{name}", whole=True),
    Column("v1", "label", "write", "package:write", "packages/{org}/{name}/releases/1.0/files/data.csv/labels"),
    Column("v1", "delete release", "admin", "package:delete", "packages/{org}/{name}/releases/{victim}"),
    Column("v1", "delete", "admin", "package:delete", "packages/{org}/{name}", whole=True),
    Column("v1", "change visibility", "admin", "package:write", "packages/{org}/{name}", whole=True),
    Column("v1", "list grants", "admin", "package:read", "packages/{org}/{name}/collaborators", whole=True),
    Column("v1", "manage grants", "admin", "package:write", "packages/{org}/{name}/collaborators/{outsider}", whole=True),
)

_CONTAINS = {"package:read": {"conda:download", "pypi:download", "cran:download"}}


def has_scope(role: Role, scope: str) -> bool:
    """Whether the credential covers *scope*."""
    if role.anonymous:
        return scope.endswith((":read", ":download"))
    return "all" in role.scopes or any(scope == each or scope in _CONTAINS.get(each, ()) for each in role.scopes)


def is_within_limits(role: Role, visibility: str) -> bool:
    """Whether the package is inside of what the token is narrowed to."""
    return (
        (role.packages is None or visibility in role.packages)
        and (role.items is None or visibility in role.items)
        and (role.labels is None or visibility in DEV)
    )


def level(role: Role, visibility: str) -> int:
    """Return what a caller may do with the package: 0 nothing (it is absent), 1 read, 2 write, 3 admin."""
    if role.anonymous or role.elsewhere:
        place, grant = "", 0
    else:
        place, grant = role.place, LEVELS[role.grant]
    found = grant
    if place == "owner":
        found = 3
    elif place == "member" and visibility != "private":
        found = max(found, 2)
    elif visibility in ("unlisted", "public"):
        found = max(found, 1)
    return found if is_within_limits(role, visibility) else 0


def is_listed(role: Role, visibility: str) -> bool:
    """Whether the package is shown in lists, searches and indexes."""
    own = not role.anonymous and not role.elsewhere and (role.place or role.grant)
    return level(role, visibility) > 0 and (visibility != "unlisted" or bool(own))


def expected(role: Role, visibility: str, column: Column) -> int:
    """Return the status of a cell; of columns that list: 200 with the package, 0 without it (or no such list)."""
    writes = column.needs in ("upload", "write", "admin")
    if role.expired or (role.anonymous and (writes or column.verb == "list grants")):
        # twine takes a 401 for "send credentials": wrong ones are answered with 403.
        return 403 if role.expired and (column.protocol, column.verb) == ("pypi", "upload") else 401
    if not has_scope(role, column.scope):
        return 403
    has = level(role, visibility)
    if column.needs == "list":
        in_label = column.label != "dev" or visibility in DEV
        label_shown = role.labels is None or not column.label or column.label in role.labels
        return 200 if is_listed(role, visibility) and in_label and label_shown else 0
    if column.needs == "reach":
        return 200 if has else 404
    if column.needs == "upload":
        return _expected_upload(role, visibility, has)
    if not has:
        return 404
    if role.items is not None or (role.labels is not None and (column.whole or column.verb in ("label", "delete release"))):
        return 403
    return 200 if has >= LEVELS[column.needs] else 403


def _expected_upload(role: Role, visibility: str, has: int) -> int:
    if role.elsewhere or role.items is not None or not is_within_limits(role, visibility):
        # The token says so by itself; whether there is such a package does not matter. A token of a label may put any
        # package of its owner under that label.
        return 200 if role.labels is not None and role.place == "owner" else 403
    if has >= 2:
        return 200
    if role.place == "member" and not has:
        return 404  # the name is taken by something that they do not see
    return 403
