"""Addresses of the pages. Those of namespaces match nearly everything, so they stand at the end of the hub's table."""

from __future__ import annotations

from carrel.hub.notebooks.handlers import RenderHandler
from carrel.hub.pages.accounts import ActivateHandler, RegisterHandler, SignInHandler, SignOutHandler
from carrel.hub.pages.assets import MissingPageHandler, StaticHandler
from carrel.hub.pages.audit import AuditPageHandler
from carrel.hub.pages.browse import HomeHandler, NamespacePageHandler, SearchPageHandler
from carrel.hub.pages.collections import CollectionPageHandler, CollectionsPageHandler
from carrel.hub.pages.labels import LabelsPageHandler
from carrel.hub.pages.members import MembersPageHandler
from carrel.hub.pages.organizations import NewOrganizationHandler
from carrel.hub.pages.package_settings import PackageSettingsHandler
from carrel.hub.pages.packages import PackagePageHandler
from carrel.hub.pages.settings import SettingsPageHandler
from carrel.hub.pages.tokens import TokensPageHandler
from carrel.hub.web.routing import Route

PAGES: tuple[Route, ...] = (
    Route("/", HomeHandler),
    Route("/search", SearchPageHandler),
    Route("/activate", ActivateHandler),
    Route("/-/sign-in", SignInHandler),
    Route("/-/sign-out", SignOutHandler),
    Route("/-/register", RegisterHandler),
    Route("/-/settings/tokens", TokensPageHandler),
    Route("/-/organizations/new", NewOrganizationHandler),
    Route("/-/static/{name}", StaticHandler),
    Route("/-/render/{sha256}/{version}", RenderHandler),
    Route("/-/{path:.*}", MissingPageHandler),
)

NAMESPACE_PAGES: tuple[Route, ...] = (
    Route("/{namespace}/-/collections", CollectionsPageHandler),
    Route("/{namespace}/-/collections/{collection}", CollectionPageHandler),
    Route("/{namespace}/-/labels", LabelsPageHandler),
    Route("/{namespace}/-/members", MembersPageHandler),
    Route("/{namespace}/-/audit", AuditPageHandler),
    Route("/{namespace}/-/settings", SettingsPageHandler),
    Route("/{namespace}/-/{path:.*}", MissingPageHandler),
    Route("/{namespace}/{package}/-/settings", PackageSettingsHandler),
    Route("/{namespace}", NamespacePageHandler),
    Route("/{namespace}/{package}", PackagePageHandler),
    Route("/{namespace}/{package}/{version}", PackagePageHandler),
)
