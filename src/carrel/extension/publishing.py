"""What the publish sheet asks for, put together from the notebook, its folder, the environment and the hub."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from carrel.core.access import Visibility
from carrel.core.errors import BadRequest, CarrelError
from carrel.core.names import slugify
from carrel.environments import Environment, Installed
from carrel.extension.hub import HubAccess, namespace_json
from carrel.sharing import notebook as notebooks
from carrel.sharing.publish import PublishRequest, scan_data_files, scan_environment
from carrel.sharing.secrets import scan_notebook


def text_of(body: Mapping[str, Any], key: str, *, required: bool = False, limit: int = 10_000) -> str:
    """Return a text member of a request.

    Raises
    ------
    carrel.core.errors.BadRequest
    """
    value = body.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value) or len(value) > limit:
        raise BadRequest(f"{key!r} must be a text of at most {limit} characters.", field=key)
    return value


def check(
    path: str,
    notebook: dict[str, Any],
    folder: Path | None,
    environment: Environment | None,
    packages: Sequence[Installed],
    access: HubAccess,
) -> dict[str, Any]:
    """Return what is to be known before publishing. Nothing leaves this machine but the question what the hub already has."""
    notebooks.check(notebook)
    data = notebooks.data_files(notebook, folder) if folder is not None else ()
    findings = scan_notebook(notebook) + (scan_data_files(folder, [file.path for file in data]) if folder is not None else [])
    warnings = [{"code": remark.code, "message": remark.message} for remark in notebooks.remarks(notebook)]
    shown = None
    if environment is not None:
        findings += scan_environment({"channels": "\n".join(sorted({package.channel for package in packages}))})
        missing = _missing_modules(notebook, packages)
        if missing:
            warnings.append({"code": "modules_missing", "message": f"The environment lacks: {', '.join(missing[:8])}."})
        shown = {
            "kind": environment.kind,
            "package_count": len(packages),
            "pypi_count": sum(package.source == "pypi" for package in packages),
            "platform": environment.platform,
            "problems": problems_of(packages),
        }
    namespaces: list[dict[str, Any]] = []
    user_name: str | None = None
    try:
        user = access.user()
        if user is None:
            warnings.append({"code": "signed_out", "message": "Sign in to the hub to publish."})
        else:
            user_name = user.name
            namespaces = [namespace_json(namespace) for namespace in user.namespaces]
    except CarrelError as error:
        warnings.append({"code": error.code, "message": error.detail})
    return {
        "findings": [finding.to_json() for finding in findings],
        "defaults": _defaults(path, notebook, user_name, [namespace["name"] for namespace in namespaces], access),
        "namespaces": namespaces,
        "environment": shown,
        "warnings": warnings,
        "outputs_bytes": notebooks.outputs_bytes(notebook),
        "data_files": [{"path": file.path, "size": file.size} for file in data],
    }


def problems_of(packages: Sequence[Installed]) -> list[dict[str, str]]:
    """Return what of *packages* others cannot install; ``code`` and ``remedy`` are those of a lock's problems."""
    return [{"name": package.name, **found} for package in packages if (found := _problem(package)) is not None]


def _problem(package: Installed) -> dict[str, str] | None:
    origin = package.origin.partition("#")[0]
    if package.location:
        code, what, remedy = "editable", "from a folder", "build_wheel"
    elif re.match(r"(?:git|hg|svn|bzr)\+", origin):
        code, what, remedy = "from_repository", "from a repository", "build_wheel"
    elif package.source == "pypi" and origin.startswith("file:") and origin.endswith(".whl"):
        code, what, remedy = "local_wheel", "from a file of this machine", "upload_wheel"
    elif package.source == "pypi" and origin.startswith("file:"):
        code, what, remedy = "local_folder", "from a folder of this machine", "build_wheel"
    else:
        return None
    return {"code": code, "message": f"{package.name} is installed {what}; others cannot install it.", "remedy": remedy}


def _missing_modules(notebook: Mapping[str, Any], packages: Sequence[Installed]) -> list[str]:
    import sys

    known = {module for package in packages for module in package.import_names} | set(sys.stdlib_module_names)
    return [module for module in notebooks.modules(notebook) if module not in known]


def _defaults(path: str, notebook: dict[str, Any], user: str | None, allowed: Sequence[str], access: HubAccess) -> dict[str, Any]:
    before = notebooks.publication(notebook)
    mine = before.get("hub") == access.url and before.get("owner") in allowed
    namespace = str(before["owner"]) if mine else user
    name = str(before["name"]) if mine and before.get("name") else slugify(notebooks.title(notebook, PurePosixPath(path).name))
    defaults: dict[str, Any] = {
        "namespace": namespace,
        "name": name,
        "visibility": Visibility.PRIVATE.value,
        "version_note": None,
        "is_update": False,
        "latest_version": None,
    }
    if namespace is None:
        return defaults
    with contextlib.suppress(CarrelError):
        client = access.client()
        chosen = client.package(namespace, name, timeout=5)
        defaults |= {
            "visibility": chosen.visibility or Visibility.PRIVATE.value,
            "is_update": True,
            "latest_version": chosen.latest_version,
        }
    return defaults


def request_of(body: Mapping[str, Any], folder: Path | None, environment: Environment | None) -> PublishRequest:
    """Return the work that the body of a request describes.

    Raises
    ------
    carrel.core.errors.BadRequest
    """
    visibility = text_of(body, "visibility") or None
    if visibility is not None and visibility not in set(Visibility):
        raise BadRequest(f"{visibility[:40]!r} is not a visibility: use {', '.join(Visibility)}.", field="visibility")
    outputs = text_of(body, "outputs") or "keep"
    if outputs not in ("keep", "images", "clear"):
        raise BadRequest("Outputs are kept ('keep'), reduced ('images') or cleared ('clear').", field="outputs")
    decisions = body.get("decisions") or {}
    data_files = body.get("data_files") or []
    if not isinstance(decisions, dict) or not isinstance(data_files, list) or not all(isinstance(name, str) for name in data_files):
        raise BadRequest("'decisions' is an object and 'data_files' a list of paths.", field="decisions")
    if data_files and folder is None:
        raise BadRequest("Data files can be added to notebooks that lie in a folder of this machine.", field="data_files")
    return PublishRequest(
        filename=PurePosixPath(text_of(body, "path", required=True)).name,
        notebook=notebooks.check(body.get("notebook")),
        folder=folder or Path.cwd(),
        namespace=text_of(body, "namespace", required=True),
        name=text_of(body, "name", required=True),
        prefix=environment.prefix if environment else None,
        visibility=visibility,
        message=text_of(body, "message"),
        summary=text_of(body, "summary"),
        outputs=outputs,  # type: ignore[arg-type]
        decisions={str(key): str(value) for key, value in decisions.items()},
        data_files=data_files,
    )
