"""What the review sheet shows of a publication before anything of it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from carrel.client.hub import HubClient
from carrel.client.references import Reference
from carrel.environments.locations import current_platform
from carrel.sharing import notebook as notebooks
from carrel.sharing.preview import preview
from carrel.sharing.reproduce import Publication, describe_kind, fetch, lock_packages, target_prefix
from carrel.sharing.trust import TrustStore, new_sources


def review(
    client: HubClient, reference: Reference, known_sources: Sequence[str], trust: TrustStore, envs_folder: Path | None
) -> dict[str, Any]:
    """Return the review of a publication. *known_sources* are the addresses that need no consent."""
    publication = fetch(client, reference)
    release, package = publication.release, publication.package
    warnings: list[dict[str, str]] = []
    shown_notebook, html, title = None, None, None
    if publication.notebook is not None and publication.notebook_file is not None:
        file = publication.notebook_file
        shown_notebook = {"filename": file.filename, "size": file.size, "cells": len(publication.notebook["cells"])}
        html = preview(publication.notebook)
        title = notebooks.title(publication.notebook, file.filename)
    if publication.lock is None:
        warnings.append(
            {"code": "no_environment", "message": "The environment was not published with it. The notebook opens with a kernel of yours."}
        )
    else:
        warnings += [{"code": problem.code, "message": problem.message} for problem in publication.lock.problems]
    return {
        "namespace": release.namespace,
        "name": release.package,
        "version": release.version,
        "title": title,
        "published_by": release.published_by,
        "published_at": release.published_at,
        "visibility": package.visibility,
        "message": release.message or None,
        "url": release.url or publication.reference.page(client.base_url),
        "notebook": shown_notebook,
        "preview_html": html,
        "environment": _environment(publication, known_sources, trust, envs_folder, warnings),
        "warnings": warnings,
    }


def _environment(
    publication: Publication, known_sources: Sequence[str], trust: TrustStore, envs_folder: Path | None, warnings: list[dict[str, str]]
) -> dict[str, Any] | None:
    lock = publication.lock
    if lock is None:
        return None
    matches = publication.fits
    if not matches:
        message = f"The environment was captured on {lock.platform}; this machine is {current_platform()}."
        warnings.append({"code": "platform_mismatch", "message": message})
    built = target_prefix(lock, envs_folder)[1]
    return {
        "kind": describe_kind(lock),
        "platform": lock.platform,
        "matches_platform": matches,
        "solvable": not matches,
        "package_count": len(lock.conda) + len(lock.pypi),
        "python_version": lock.python_version or None,
        "packages": lock_packages(lock),
        "channels": list(publication.sources),
        "new_channels": list(new_sources(publication, known_sources, trust)),
        "download_bytes": 0 if built else lock.download_bytes,
        "already_built": built,
    }
