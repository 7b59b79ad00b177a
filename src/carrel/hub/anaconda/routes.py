"""Addresses of the anaconda.org API and of foreign upload endpoints.

Words come before ``/api/{channel}/notices``: no namespace may be named like one of them.
"""

from __future__ import annotations

from carrel.hub.anaconda.authentication import (
    AuthenticationHandler,
    AuthenticationsHandler,
    AuthenticationTypeHandler,
    NamedAuthenticationHandler,
    ScopesHandler,
)
from carrel.hub.anaconda.channels import ChannelHandler, ChannelsHandler, CopyChannelHandler, LockHandler
from carrel.hub.anaconda.copying import CopyHandler
from carrel.hub.anaconda.files import CommitHandler, DownloadHandler, FileByIdHandler, FileHandler, StageHandler
from carrel.hub.anaconda.foreign_handlers import ArtifactoryHandler, PrefixHandler, QuetzHandler
from carrel.hub.anaconda.groups import (
    CollaboratorHandler,
    CollaboratorsHandler,
    GroupHandler,
    GroupMemberHandler,
    GroupMembersHandler,
    GroupPackageHandler,
    GroupPackagesHandler,
    GroupsHandler,
)
from carrel.hub.anaconda.handlers import RootHandler, UnknownHandler
from carrel.hub.anaconda.notices import NoticeArchiveHandler, NoticeHandler, NoticePublishHandler, NoticesHandler
from carrel.hub.anaconda.packages import ListingHandler, PackageHandler, PackagesHandler
from carrel.hub.anaconda.releases import ReleaseHandler
from carrel.hub.anaconda.search import SearchHandler
from carrel.hub.anaconda.upload_handlers import BytesHandler
from carrel.hub.anaconda.users import (
    ForgottenPasswordHandler,
    LicenseHandler,
    MeHandler,
    MyOrganizationsHandler,
    OrganizationsHandler,
    UserHandler,
)
from carrel.hub.urls import API
from carrel.hub.web.routing import Route

_FILE = "{login}/{package}/{version}/{basename:.+}"
_RELEASE = "/api/release/{login}/{package}/{version}"
_NOTICES = "/api/{channel:(?!v1/)[^/]+}/notices"

ROUTES: tuple[Route, ...] = (
    Route(f"{API}/upload/{{channel}}", PrefixHandler),
    Route("/api", RootHandler),
    Route("/api/", RootHandler),
    Route("/api/authentication-type", AuthenticationTypeHandler),
    Route("/api/authentications", AuthenticationsHandler),
    Route("/api/authentications/name/{name:.+}", NamedAuthenticationHandler),
    Route("/api/authentications/org/{organization}/name/{name:.+}", NamedAuthenticationHandler),
    Route("/api/authentication", AuthenticationHandler),
    Route("/api/scopes", ScopesHandler),
    Route("/api/user", MeHandler),
    Route("/api/user/orgs", MyOrganizationsHandler),
    Route("/api/user/{login}", UserHandler),
    Route("/api/users/{login}/orgs", OrganizationsHandler),
    Route("/api/packages", PackagesHandler),
    Route("/api/packages/{login}", PackagesHandler),
    Route("/api/package_listing", ListingHandler),
    Route("/api/package/{login}/{package}", PackageHandler),
    Route(_RELEASE, ReleaseHandler),
    Route("/api/dist/{login}/{package}/{version}/-/{id}", FileByIdHandler),
    Route(f"/api/dist/{_FILE}", FileHandler),
    Route(f"/api/download/{_FILE}", DownloadHandler),
    Route(f"/api/stage/{_FILE}", StageHandler),
    Route("/api/upload/{upload:[0-9a-f]+}", BytesHandler),
    Route(f"/api/commit/{_FILE}", CommitHandler),
    Route("/api/search", SearchHandler),
    Route("/api/channels/{channel}/upload/{filename:[^/]+[.](?:conda|tar[.]bz2)}", QuetzHandler),
    Route("/api/channels/{login}", ChannelsHandler),
    Route("/api/channels/{login}/{label:.+?}/copy/{target:.+}", CopyChannelHandler),
    Route("/api/channels/{login}/{label:.+}/lock", LockHandler),
    Route("/api/channels/{login}/{label:.+}", ChannelHandler),
    Route("/api/license", LicenseHandler),
    Route("/api/packages/{login}/{package}/collaborators", CollaboratorsHandler),
    Route("/api/packages/{login}/{package}/collaborators/{user}", CollaboratorHandler),
    Route("/api/copy/package/{login}/{package}/{version}/{basename:.*}", CopyHandler),
    Route("/api/groups", GroupsHandler),
    Route("/api/groups/{organization}", GroupsHandler),
    Route("/api/group/{organization}/{group}", GroupHandler),
    Route("/api/group/{organization}/{group}/members", GroupMembersHandler),
    Route("/api/group/{organization}/{group}/members/{user}", GroupMemberHandler),
    Route("/api/group/{organization}/{group}/packages", GroupPackagesHandler),
    Route("/api/group/{organization}/{group}/packages/{package}", GroupPackageHandler),
    Route(_NOTICES, NoticesHandler),
    Route(f"{_NOTICES}/{{notice}}", NoticeHandler),
    Route(f"{_NOTICES}/{{notice}}/publish", NoticePublishHandler),
    Route(f"{_NOTICES}/{{notice}}/archive", NoticeArchiveHandler),
    Route("/api/{path:(?!v1(?:/|$)).*}", UnknownHandler),
    Route("/account/forgot_password", ForgottenPasswordHandler),
    Route("/artifactory/{channel}/{subdir}/{filename}", ArtifactoryHandler),
    Route("/artifactory/{channel}/label/{label:.+}/{subdir}/{filename}", ArtifactoryHandler),
)
