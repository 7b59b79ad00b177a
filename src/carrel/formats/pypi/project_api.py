"""The JSON description of a project that tools fall back on beside the simple index: one release, its files, all releases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from packaging.version import InvalidVersion, Version

from carrel.formats.pypi.index import Project, sorted_versions

# Members of "info" that are texts, by the name that the core metadata has for them.
_TEXTS = {
    "author": "author",
    "author_email": "author_email",
    "description_content_type": "description_content_type",
    "download_url": "download_url",
    "home_page": "home_page",
    "license": "license",
    "license_expression": "license_expression",
    "maintainer": "maintainer",
    "maintainer_email": "maintainer_email",
    "summary": "summary",
}
_LISTS = ("classifiers", "dynamic", "license_files", "provides_extra", "requires_dist")


@dataclass(frozen=True, slots=True)
class DescribedFile:
    """One file of a release.

    Attributes
    ----------
    filename, version, url : str
        The address is absolute.
    sha256, md5 : str
        Hexadecimal.
    size, downloads : int
    upload_time : datetime
    packagetype, python_version : str
        ``bdist_wheel`` or ``sdist``; the interpreter tags, or ``source``.
    requires_python : str
    yanked : bool or str
        The reason, or True without one.
    metadata : mapping
        Core metadata by the names that :mod:`packaging.metadata` has for its fields.
    """

    filename: str
    version: str
    url: str
    sha256: str
    md5: str
    size: int
    downloads: int
    upload_time: datetime
    packagetype: str
    python_version: str
    requires_python: str = ""
    yanked: bool | str = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


def latest_version(files: Sequence[DescribedFile]) -> str | None:
    """Return the version that an installer takes by itself: the newest one that is neither yanked nor a pre-release.

    Where there are such versions only, the newest one that is not yanked, or the newest of all.
    """
    offered = sorted_versions(file.version for file in files if file.yanked is False)
    final = [version for version in offered if _is_final(version)]
    every = final or offered or sorted_versions(file.version for file in files)
    return every[-1] if every else None


def project_description(
    project: Project, files: Sequence[DescribedFile], version: str, description: str, page_url: str, *, releases: bool, serial: int
) -> bytes:
    """Return the JSON document of *version*.

    Parameters
    ----------
    project : Project
    files : sequence of DescribedFile
        All files of the project, oldest first.
    version : str
        As the files have it.
    description : str
        The long one, of this version.
    page_url : str
        Web page of the project.
    releases : bool
        Whether the files of all versions are listed too.
    serial : int
        Counts the changes of the index.
    """
    chosen = [file for file in files if file.version == version]
    document: dict[str, Any] = {
        "info": _info(project, chosen, version, description, page_url),
        "last_serial": serial,
        "urls": [_file(file) for file in chosen],
        "vulnerabilities": [],
    }
    if releases:
        document["releases"] = {
            known: [_file(file) for file in files if file.version == known] for known in sorted_versions(file.version for file in files)
        }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _info(project: Project, files: Sequence[DescribedFile], version: str, description: str, page_url: str) -> dict[str, Any]:
    # A wheel says what will be installed; an sdist may leave it open.
    telling = next((file for file in files if file.packagetype == "bdist_wheel"), files[0])
    metadata = telling.metadata
    reasons = [file.yanked for file in files if file.yanked is not False]
    info: dict[str, Any] = {key: str(metadata.get(name) or "") for key, name in _TEXTS.items()}
    info["license_expression"] = info["license_expression"] or None
    info.update({key: metadata.get(key) or None for key in _LISTS})
    info["classifiers"] = info["classifiers"] or []
    info.update(
        {
            "name": str(metadata.get("name") or project.name),
            "version": version,
            "description": description,
            "keywords": ",".join(metadata.get("keywords") or ()),
            "platform": ",".join(metadata.get("platforms") or ()),
            "project_urls": metadata.get("project_urls") or None,
            "requires_python": telling.requires_python or None,
            "package_url": page_url,
            "project_url": page_url,
            "release_url": f"{page_url}/{version}",
            "project_status": {"status": project.status, "reason": project.status_reason or None},
            "yanked": len(reasons) == len(files),
            "yanked_reason": next((text for text in reasons if isinstance(text, str)), None) if len(reasons) == len(files) else None,
            "bugtrack_url": None,
            "docs_url": None,
            "downloads": {"last_day": -1, "last_month": -1, "last_week": -1},
        }
    )
    return dict(sorted(info.items()))


def _file(file: DescribedFile) -> dict[str, Any]:
    moment = file.upload_time.astimezone(UTC)
    return {
        "comment_text": None,
        "digests": {"md5": file.md5, "sha256": file.sha256},
        "downloads": file.downloads,
        "filename": file.filename,
        "has_sig": False,
        "md5_digest": file.md5,
        "packagetype": file.packagetype,
        "python_version": file.python_version,
        "requires_python": file.requires_python or None,
        "size": file.size,
        "upload_time": moment.strftime("%Y-%m-%dT%H:%M:%S"),
        "upload_time_iso_8601": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "url": file.url,
        "yanked": file.yanked is not False,
        "yanked_reason": file.yanked if isinstance(file.yanked, str) else None,
    }


def _is_final(text: str) -> bool:
    try:
        return not Version(text).is_prerelease
    except InvalidVersion:
        return False
