"""Pages of packages: one address for all kinds, a template for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from carrel.core.access import Permission
from carrel.core.errors import CarrelError, NotFound
from carrel.core.kinds import Kind
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.notebooks.handlers import render_address
from carrel.hub.notebooks.markdown import render_description
from carrel.hub.notebooks.rendering import SANDBOX
from carrel.hub.packages.service import find_package
from carrel.hub.packages.versions import version_key
from carrel.hub.packages.views import FileView, PackageView, ReleaseView
from carrel.hub.pages import commands
from carrel.hub.pages.base import PageHandler
from carrel.hub.pages.details import Details, details_of
from carrel.hub.pages.formatting import PRECEDENCE
from carrel.hub.pages.views import NotebookView, ReproduceView, data_view, environment_view
from carrel.hub.web.endpoint import Reply, endpoint

_LOCKS_FIRST = (
    *("conda-lock", "pylock", "pixi-lock", "uv-lock", "explicit"),
    *("environment.yml", "pixi.toml", "pyproject.toml", "requirements"),
)


class PackagePageHandler(PageHandler):
    """``/{namespace}/{package}`` (the latest version) and ``/{namespace}/{package}/{version}``."""

    @endpoint(summary="Page of a package", scope=Scope.PACKAGE_READ, anonymous=True, media_type="text/html")
    def get(self, uow: UnitOfWork, namespace: str, package: str, version: str = "latest") -> Reply:
        """The notebook, environment, packages or data of a release; with ``?label=``, what is under a label.

        ``?view=environment`` shows a notebook's environment, ``?view=contents&file=`` what an archive holds.
        """
        view = self.hub.packages.get(uow, self.principal, namespace, package)
        releases = self.hub.releases.page(uow, self.principal, namespace, package).items
        labels = sorted({label for release in releases for file in release.files for label in file.labels}, key=_main_first)
        label = self.get_query_argument("label", "")
        if label and label not in labels:
            raise NotFound(f"No file of this package is under the label {label[:128]!r}.")
        if label:
            releases = tuple(narrowed for release in releases if (narrowed := _under(release, label)).files)
        release = self._release(uow, view, version, releases, label)
        kind = self._kind(view, release)
        wanted = self.get_query_argument("view", "")
        if kind is Kind.NOTEBOOK and wanted == "environment":
            kind = Kind.ENVIRONMENT
        shared: dict[str, Any] = {
            "package": view,
            "release": release,
            "releases": releases,
            "is_latest": release is not None and release.version == (releases[0].version if label else view.latest_version),
            "kind": kind.value,
            "labels": labels,
            "label": label,
            "all_files": self.get_query_argument("files", "") == "all",
            "lists_contents": self.hub.contents.reads,
            "collections": self.hub.collections.holding(uow, self.principal, view),
            "may_change": self._may_change(uow, view),
            "description": Markup(render_description(text)) if (text := self._description(view, release)) else "",  # noqa: S704 - sanitized
        }
        if release is not None and wanted == "contents":
            return self._contents(uow, release, shared)
        if release is not None and kind is Kind.NOTEBOOK:
            return self._notebook(uow, release, shared)
        if release is not None and kind is Kind.ENVIRONMENT:
            return self._environment(uow, release, shared)
        if release is not None and kind is Kind.FILE:
            previews = [data for file in release.files if (data := data_view(file.filename, file.attributes))]
            fetch = commands.download(view.namespace, view.name, release.version)
            return self.page(uow, "data_file.html", install=fetch, previews=previews[:3], **shared)
        return self._package(uow, view, release, shared)

    def _release(
        self, uow: UnitOfWork, package: PackageView, version: str, releases: Sequence[ReleaseView], label: str
    ) -> ReleaseView | None:
        if label:
            if version == "latest":
                return max(releases, key=lambda release: version_key(release.version))
            return _under(self.hub.releases.get(uow, self.principal, package.namespace, package.name, version), label)
        if version != "latest" or package.latest_version is not None:
            return self.hub.releases.get(uow, self.principal, package.namespace, package.name, version)
        return releases[0] if releases else None  # a draft, for members

    def _kind(self, package: PackageView, release: ReleaseView | None) -> Kind:
        held = {file.kind for file in release.files} if release is not None else set(package.kinds)
        return next((kind for kind in PRECEDENCE if kind.value in held), Kind.FILE)

    def _description(self, package: PackageView, release: ReleaseView | None) -> str:
        return (release.description if release is not None else "") or package.description

    def _may_change(self, uow: UnitOfWork, package: PackageView) -> bool:
        """Whether the reader finds something to do on the package's settings page."""
        if self.principal.is_anonymous:
            return False
        permission = self.principal.permission_on(find_package(uow, self.principal, package.namespace, package.name))
        return permission is not None and permission >= Permission.WRITE

    def _contents(self, uow: UnitOfWork, release: ReleaseView, shared: dict[str, Any]) -> Reply:
        filename, subdir = self.get_query_argument("file", ""), self.get_query_argument("subdir", "")
        file = next((each for each in release.files if (each.filename, each.subdir) == (filename, subdir)), None)
        if file is None or not self.hub.contents.reads(file.filename):
            raise NotFound("There is no such archive in this version.")
        contents, problem = None, ""
        try:
            contents = self.hub.contents.contents(file.sha256, file.filename)
        except CarrelError as error:
            problem = error.detail
        return self.page(uow, "contents.html", file=file, contents=contents, problem=problem, **shared)

    def _notebook(self, uow: UnitOfWork, release: ReleaseView, shared: dict[str, Any]) -> Reply:
        file = _of_kind(release, Kind.NOTEBOOK)[0]
        notebook, problem = None, ""
        try:
            self.hub.notebooks.authorize(self.principal, self.hub.notebooks.places.find(uow, file.sha256))
            rendered = self.hub.notebooks.rendered(file.sha256)
            headings = [heading for heading in rendered.headings if heading.level <= 3][:60]
            notebook = NotebookView(
                file.filename,
                render_address(file.sha256),
                SANDBOX,
                min(rendered.estimated_height, 20_000),
                headings if len(headings) > 1 else (),
            )
        except NotFound:
            raise
        except CarrelError as error:
            problem = error.detail
        environments = _environments(release)
        command, lab = commands.reproduce(release.namespace, release.package, release.version)
        return self.page(
            uow,
            "notebook.html",
            file=file,
            notebook=notebook,
            notebook_problem=problem,
            reproduce=ReproduceView(command, lab) if release.state == "published" and environments else None,
            environment=environment_view(environments[0].filename, environments[0].attributes) if environments else None,
            environment_url=f"/{release.namespace}/{release.package}/{release.version}?view=environment",
            **shared,
        )

    def _environment(self, uow: UnitOfWork, release: ReleaseView, shared: dict[str, Any]) -> Reply:
        environments = _environments(release)
        if not environments:
            raise NotFound("This version holds no environment.")
        file = environments[0]
        view = environment_view(file.filename, file.attributes)
        address = self.urls.file_content(release.namespace, release.package, release.version, file.filename)
        return self.page(
            uow,
            "environment.html",
            environment=view,
            install=commands.rebuild(release.namespace, release.package, release.version, address, view.format, locked=view.locked),
            downloads=environments,
            **shared,
        )

    def _package(self, uow: UnitOfWork, package: PackageView, release: ReleaseView | None, shared: dict[str, Any]) -> Reply:
        install, main = None, None
        if release is not None and release.files:
            main = min(release.files, key=_telling)
        if release is not None and release.state == "published" and (label := _label_of(release, shared["label"])):
            source = commands.Source.of_label(
                self.urls.base, package.namespace, label, with_token=package.visibility in ("private", "organization")
            )
            # Only Python installers take a yanked file, when its exact version is asked for.
            kinds = {file.kind for file in release.files if label in file.labels and (not file.yanked_at or file.kind == Kind.PYPI)}
            latest = bool(shared["is_latest"])
            install = commands.install(source, package.namespace, package.name, release.version, kinds, is_latest=latest)
        return self.page(
            uow, "package.html", install=install, main=main, details=details_of(main) if main is not None else Details(), **shared
        )


def _main_first(label: str) -> tuple[bool, str]:
    return label != "main", label


def _under(release: ReleaseView, label: str) -> ReleaseView:
    """Return *release* with those of its files that have the label."""
    return replace(release, files=tuple(file for file in release.files if label in file.labels))


def _label_of(release: ReleaseView, asked: str) -> str:
    """Return the label that a release is installed from, empty when its files have none."""
    return asked or min({label for file in release.files for label in file.labels}, key=_main_first, default="")


def _telling(file: FileView) -> tuple[int, bool]:
    """Return what to order files by so that the first one tells most of the release."""
    return PRECEDENCE.index(Kind(file.kind)), bool(file.attributes.get("source"))


def _of_kind(release: ReleaseView, kind: Kind) -> list[FileView]:
    return [file for file in release.files if file.kind == kind.value]


def _environments(release: ReleaseView) -> list[FileView]:
    """Return the environment files of *release*, the exact ones first."""

    def rank(file: FileView) -> int:
        form = file.attributes.get("format", "")
        return _LOCKS_FIRST.index(form) if form in _LOCKS_FIRST else len(_LOCKS_FIRST)

    return sorted(_of_kind(release, Kind.ENVIRONMENT), key=rank)
