"""What the pages tell of a package file beyond its size: requirements, tags, DESCRIPTION; one function for each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from carrel.core.kinds import Kind
from carrel.hub.packages.views import FileView

_MOST = 200
_RUN_EXPORTS = {
    "weak": "Exports, weak",
    "strong": "Exports, strong",
    "noarch": "Exports, noarch",
    "weak_constrains": "Exports constraints, weak",
    "strong_constrains": "Exports constraints, strong",
}
_R_DEPENDENCIES = {"depends": "Depends", "imports": "Imports", "linkingto": "Links to", "suggests": "Suggests", "enhances": "Enhances"}
# Said elsewhere on the page, or of no use to readers.
_R_HIDDEN = frozenset(
    {"Package", "Version", "Title", "Description", "Collate", "MD5sum", "Packaged", *map(str.title, _R_DEPENDENCIES), "LinkingTo"}
)


@dataclass(frozen=True, slots=True)
class Listing:
    """A titled list, such as what a package depends on; *more* items are left out."""

    title: str
    items: Sequence[str]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Details:
    """What a file says of itself.

    Attributes
    ----------
    facts : sequence of (str, str)
        Terms and texts, in short.
    lists : sequence of Listing
    fields : sequence of (str, str)
        Longer texts by name: an R package's DESCRIPTION.
    source : bool
        Whether it has to be built before it can be used.
    """

    facts: Sequence[tuple[str, str]] = ()
    lists: Sequence[Listing] = ()
    fields: Sequence[tuple[str, str]] = ()
    source: bool = False


def details_of(file: FileView) -> Details:
    """Return what *file* says of itself; empty for kinds with pages of their own."""
    describe = _DESCRIBE.get(Kind(file.kind))
    return describe(file.attributes) if describe is not None else Details()


def _conda(attributes: Mapping[str, Any]) -> Details:
    record = attributes.get("index", {})
    timestamp = record.get("timestamp")
    facts = [
        ("Build", record.get("build", "")),
        ("Kind of build", f"noarch: {record['noarch']}" if isinstance(record.get("noarch"), str) else ""),
        ("License family", record.get("license_family") or ""),
        ("Features", record.get("features") or ""),
        ("Installs", _count(attributes.get("path_count", 0), "file")),
    ]
    exports = attributes.get("run_exports") or {}
    return Details(
        facts=[(term, str(text)) for term, text in facts if text] if record or timestamp else (),
        lists=_lists(
            ("Depends", record.get("depends")),
            ("Constrains", record.get("constrains")),
            *((title, exports.get(key)) for key, title in _RUN_EXPORTS.items()),
            ("Commands", attributes.get("entry_points")),
        ),
    )


def _pypi(attributes: Mapping[str, Any]) -> Details:
    always: list[str] = []
    extras: dict[str, list[str]] = {}
    for text in attributes.get("requires_dist") or ():
        extra, shown = _split_extra(text)
        (extras.setdefault(extra, []) if extra else always).append(shown)
    tags = attributes.get("tags") or ()
    facts = [
        ("Python", attributes.get("requires_python") or ""),
        ("Tags", ", ".join(tags[:12]) + (f" and {len(tags) - 12} more" if len(tags) > 12 else "")),
        ("Build", str(attributes.get("build") or "")),
    ]
    return Details(
        facts=[(term, text) for term, text in facts if text],
        lists=_lists(("Requires", always), *((f"With the extra “{name}”", items) for name, items in sorted(extras.items()))),
        source=bool(attributes.get("source")),
    )


def _split_extra(text: str) -> tuple[str, str]:
    """Return the extra that a requirement belongs to (empty: none) and the requirement without that condition."""
    try:
        marker = Requirement(text).marker
    except InvalidRequirement:
        return "", text
    if marker is None or "extra ==" not in str(marker):
        return "", text
    extra = str(marker).partition("extra == ")[2].strip("\"' ()").split('"')[0]
    condition = str(marker).replace(f'extra == "{extra}"', "").strip()
    shown = text.partition(";")[0].strip()
    rest = condition.removesuffix("and").removeprefix("and").strip()
    return extra, f"{shown} ; {rest}" if rest.strip("() ") else shown


def _r(attributes: Mapping[str, Any]) -> Details:
    described = attributes.get("description") or {}
    facts = [
        ("Platform", attributes.get("platform") or ""),
        ("Built for R", attributes.get("r_version") or ""),
        ("Needs compilation", "yes" if attributes.get("needs_compilation") else ""),
    ]
    return Details(
        facts=[(term, text) for term, text in facts if text],
        lists=_lists(*((title, attributes.get(key)) for key, title in _R_DEPENDENCIES.items())),
        fields=[(name, text) for name, text in described.items() if name not in _R_HIDDEN and isinstance(text, str) and text],
        source=bool(attributes.get("source")),
    )


def _file(attributes: Mapping[str, Any]) -> Details:
    facts = [
        ("Type", attributes.get("media_type") or ""),
        ("Rows", f"{attributes['row_count']:,}" if isinstance(attributes.get("row_count"), int) else ""),
        ("Items", f"{attributes['length']:,}" if isinstance(attributes.get("length"), int) else ""),
        ("Columns", str(len(attributes["columns"])) if attributes.get("columns") else ""),
    ]
    return Details(facts=[(term, text) for term, text in facts if text], lists=_lists(("Keys", attributes.get("keys"))))


_DESCRIBE: Mapping[Kind, Callable[[Mapping[str, Any]], Details]] = {
    Kind.CONDA: _conda,
    Kind.PYPI: _pypi,
    Kind.R: _r,
    Kind.FILE: _file,
}


def _lists(*named: tuple[str, Sequence[str] | None]) -> list[Listing]:
    return [Listing(title, list(items[:_MOST]), max(0, len(items) - _MOST)) for title, items in named if items]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""
