"""What channels serve beside repodata: run exports (CEP 12), channeldata (CEP 38), notices (CEP 6), a page and a feed.

Pure functions of what packages say; all text is foreign and is escaped where it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import Any
from xml.sax.saxutils import escape as escape_xml

from carrel.formats.conda.hotfixes import NEW, OLD
from carrel.formats.conda.matching import version_of
from carrel.formats.conda.metadata import INSTALL_DETAILS

_TEXTS = ("description", "dev_url", "doc_source_url", "doc_url", "home", "license", "summary")
_ARCHITECTURES = {"32": "x86", "64": "x86_64"}
_FEED_ITEMS = 100
_LARGEST_SECONDS = 253_402_300_799


@dataclass(frozen=True, slots=True)
class DescribedFile:
    """One listed file: its name, its subdir and what was read from its bytes."""

    filename: str
    subdir: str
    attributes: Mapping[str, Any]

    @property
    def index(self) -> Mapping[str, Any]:
        """``index.json``."""
        found: Mapping[str, Any] = self.attributes["index"]
        return found


def run_exports_info(subdir: str) -> dict[str, Any]:
    """Return ``info`` of ``run_exports.json``."""
    platform, _, architecture = subdir.partition("-")
    return {"arch": _ARCHITECTURES.get(architecture, architecture) or platform, "platform": platform, "subdir": subdir, "version": 0}


def channeldata(subdirs: Iterable[str], packages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``channeldata.json`` of *packages*, made by :func:`channeldata_entry`; ``noarch`` is always there."""
    return {"channeldata_version": 1, "packages": dict(packages), "subdirs": sorted({"noarch", *subdirs})}


def channeldata_entry(files: Sequence[DescribedFile]) -> dict[str, Any]:
    """Return what ``channeldata.json`` says of the package that *files* (at least one) belong to.

    As conda-index has it: texts and version are the newest's, scripts and prefixes count when any file has them, run exports
    are those of the newest build of each version.
    """
    names = {(file.subdir, file.filename) for file in files}
    distinct = [file for file in files if not (file.filename.endswith(OLD) and (file.subdir, _twin(file.filename)) in names)]
    ordered = sorted(distinct, key=lambda file: (version_of(file.index["version"]), _seconds(file), file.filename))
    entry: dict[str, Any] = dict.fromkeys(INSTALL_DETAILS, False)
    run_exports: dict[str, Any] = {}
    for file in ordered:  # oldest first: the newest has the last word
        about = file.attributes.get("about", {})
        texts = {**about, "license": about.get("license") or file.index.get("license")}
        entry.update({key: texts[key] for key in _TEXTS if texts.get(key)})
        entry.update({key: True for key in file.attributes.get("install", ()) if key in INSTALL_DETAILS})
        if exports := file.attributes.get("run_exports"):
            run_exports[file.index["version"]] = exports
    entry["run_exports"] = run_exports
    entry["subdirs"] = sorted({file.subdir for file in files})
    entry["timestamp"] = max(_seconds(file) for file in files)
    entry["version"] = ordered[-1].index["version"]
    return entry


def _twin(filename: str) -> str:
    return filename.removesuffix(OLD) + NEW


def _seconds(file: DescribedFile) -> int:
    value = file.index.get("timestamp") or 0
    return int(value // 1000 if value > _LARGEST_SECONDS else value)


def rss(title: str, link: str, document: Mapping[str, Any]) -> str:
    """Return the feed of the newest packages of a channel.

    Parameters
    ----------
    title, link : str
        Of the channel.
    document : mapping
        ``channeldata.json``.
    """
    newest = sorted(document["packages"].items(), key=lambda item: (-item[1]["timestamp"], item[0]))[:_FEED_ITEMS]
    built = datetime.fromtimestamp(newest[0][1]["timestamp"] if newest else 0, UTC)
    items = []
    for name, package in newest:
        shown = f"{name} {package['version']} [{', '.join(package['subdirs'])}]"
        parts = {
            "title": shown,
            "description": package.get("summary", ""),
            "link": next((url for key in ("doc_url", "home", "dev_url") if (url := _address(package.get(key)))), ""),
            "pubDate": format_datetime(datetime.fromtimestamp(package["timestamp"], UTC)),
        }
        body = "".join(f"<{key}>{_xml(value)}</{key}>" for key, value in parts.items() if value)
        items.append(f'<item>{body}<guid isPermaLink="false">{_xml(f"{link}#{shown}")}</guid></item>')
    head = f"<title>{_xml(title)}</title><link>{_xml(link)}</link><description>{_xml(f'Newest packages of {title}')}</description>"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
        f"{head}<lastBuildDate>{format_datetime(built)}</lastBuildDate>{''.join(items)}</channel></rss>\n"
    )


def page(title: str, document: Mapping[str, Any]) -> str:
    """Return ``index.html`` of a channel: its packages in a table, without scripts and foreign resources."""
    subdirs = " ".join(f'<a href="{escape(name)}/repodata.json">{escape(name)}</a>' for name in document["subdirs"])
    rows = []
    for name, package in sorted(document["packages"].items()):
        home = _address(package.get("home"))
        shown = f'<a href="{escape(home)}" rel="nofollow noopener">{escape(name)}</a>' if home else escape(name)
        cells = (escape(package["version"]), escape(", ".join(package["subdirs"])), escape(package.get("summary", "")))
        rows.append(f"<tr><th scope=row>{shown}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = "".join(f"<th scope=col>{name}</th>" for name in ("Package", "Version", "Platforms", "Summary"))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title>"
        '<link rel="alternate" type="application/rss+xml" href="rss.xml">'
        "<style>body{font:1rem/1.5 system-ui,sans-serif;margin:2rem;color-scheme:light dark}"
        "th,td{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}</style></head>"
        f"<body><h1>{escape(title)}</h1><p>{subdirs}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></body></html>\n"
    )


def _address(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith(("https://", "http://")) else ""


def _xml(text: str) -> str:
    return escape_xml("".join(character for character in text if character >= " " or character in "\t\n\r"))
