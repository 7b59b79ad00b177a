"""Every address of the hub: template -> handler, by feature. The first match wins; pages of namespaces come last."""

from __future__ import annotations

from carrel.hub.accounts.handlers import DeviceCodeHandler, DeviceTokenHandler, UserHandler, UsersHandler
from carrel.hub.anaconda.routes import ROUTES as ANACONDA
from carrel.hub.attestations.routes import ROUTES as ATTESTATIONS
from carrel.hub.audit.routes import ROUTES as AUDIT
from carrel.hub.channels.cran.routes import ROUTES as CRAN
from carrel.hub.channels.routes import ROUTES as CHANNELS
from carrel.hub.collections.routes import ROUTES as COLLECTIONS
from carrel.hub.files.handlers import ContentHandler, FileHandler, FileLabelsHandler, UploadHandler
from carrel.hub.groups.routes import ROUTES as GROUPS
from carrel.hub.hotfixes.routes import ROUTES as HOTFIXES
from carrel.hub.labels.routes import CHANNEL_ROUTES as CHANNEL_LABELS
from carrel.hub.labels.routes import ROUTES as LABELS
from carrel.hub.namespaces.handlers import MemberHandler, MembersHandler, NamespaceHandler, OrganizationsHandler
from carrel.hub.notices.routes import ROUTES as NOTICES
from carrel.hub.packages.handlers import CopyHandler, PackageHandler, PackagesHandler
from carrel.hub.pages.routes import NAMESPACE_PAGES, PAGES
from carrel.hub.publishers.routes import ROUTES as PUBLISHERS
from carrel.hub.releases.handlers import FileYankHandler, PublishHandler, ReleaseHandler, ReleasesHandler, YankHandler
from carrel.hub.search.handlers import ImportsHandler, SearchHandler
from carrel.hub.server.handlers import HealthHandler, OpenApiHandler, ServerHandler
from carrel.hub.tokens.routes import ROUTES as TOKENS
from carrel.hub.urls import API
from carrel.hub.web.routing import Route
from carrel.hub.web.streaming import UnknownAddressHandler

SERVER = (
    Route(API, ServerHandler),
    Route(f"{API}/", ServerHandler),
    Route(f"{API}/health", HealthHandler),
    Route(f"{API}/openapi.json", OpenApiHandler),
)

ACCOUNTS = (
    Route(f"{API}/user", UserHandler),
    Route(f"{API}/users", UsersHandler),
    Route(f"{API}/device/code", DeviceCodeHandler),
    Route(f"{API}/device/token", DeviceTokenHandler),
    *TOKENS,
)

NAMESPACES = (
    Route(f"{API}/organizations", OrganizationsHandler),
    Route(f"{API}/organizations/{{organization}}/members", MembersHandler),
    Route(f"{API}/organizations/{{organization}}/members/{{user}}", MemberHandler),
    Route(f"{API}/namespaces/{{namespace}}", NamespaceHandler),
    Route(f"{API}/namespaces/{{namespace}}/packages", PackagesHandler),
    *LABELS,
    Route(f"{API}/namespaces/{{namespace}}/files/{{filename}}", UploadHandler),
)

_PACKAGE = f"{API}/packages/{{namespace}}/{{package}}"
_RELEASE = f"{_PACKAGE}/releases/{{version}}"
_FILE = f"{_RELEASE}/files/{{filename}}"

PACKAGES = (
    Route(_PACKAGE, PackageHandler),
    Route(f"{_PACKAGE}/copy", CopyHandler),
    Route(f"{_PACKAGE}/releases", ReleasesHandler),
    Route(_RELEASE, ReleaseHandler),
    Route(f"{_RELEASE}/publish", PublishHandler),
    Route(f"{_RELEASE}/yank", YankHandler),
    Route(_FILE, FileHandler),
    Route(f"{_FILE}/content", ContentHandler),
    Route(f"{_FILE}/labels", FileLabelsHandler),
    Route(f"{_FILE}/yank", FileYankHandler),
)

SEARCH = (
    Route(f"{API}/search", SearchHandler),
    Route(f"{API}/imports", ImportsHandler),
)

# So that no unknown address of a protocol is taken for a page of a namespace.
REST = (Route("/{area:(?:api|conda|pypi|cran|t)}{path:(?:/.*)?}", UnknownAddressHandler),)

API_ROUTES: tuple[Route, ...] = (
    *SERVER,
    *ACCOUNTS,
    *NAMESPACES,
    *PACKAGES,
    *GROUPS,
    *AUDIT,
    *COLLECTIONS,
    *PUBLISHERS,
    *ATTESTATIONS,
    *HOTFIXES,
    *NOTICES,
    *SEARCH,
)

ROUTES: tuple[Route, ...] = (*API_ROUTES, *ANACONDA, *CHANNEL_LABELS, *CHANNELS, *CRAN, *PAGES, *REST, *NAMESPACE_PAGES)
