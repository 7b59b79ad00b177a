"""Settings of uv that say what is asked for: ``exclude-newer``, indexes, and sources of single packages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from carrel.core import clock
from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import check_url, parse_requirement
from carrel.formats.environment.spec import EnvironmentSpec
from carrel.formats.parsing import expect_mapping, expect_text, expect_texts

_SPAN = re.compile(
    r"(?:(?P<number>\d{1,5})\s*(?P<unit>hour|day|week)s?(?:\s+ago)?|P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,5})D)?(?:T(?P<hours>\d{1,5})H)?)\Z",
    re.IGNORECASE,
)


def exclude_newer(value: Any, what: str) -> datetime | None:
    """Return the moment that ``exclude-newer`` names: a time, a day (all of it counts), or a span before now.

    Raises
    ------
    InvalidFile
    """
    if value is None:
        return None
    try:
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return _end_of(value)
    except OverflowError as error:
        raise InvalidFile(f"{what} is no time that can be reckoned with.", field=what) from error
    text = expect_text(value, what, length=64).strip()
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return _end_of(date.fromisoformat(text))
        if text[:4].isdigit():
            return exclude_newer(datetime.fromisoformat(text), what)
    except (ValueError, OverflowError):
        pass
    span = _SPAN.match(text)
    if span is None or text.upper() == "P":
        raise InvalidFile(f"{what} is {text[:40]!r}, which is neither a time nor a day nor a number of days.", field=what)
    if span["number"]:
        ago = timedelta(**{f"{span['unit'].lower()}s": int(span["number"])})
    else:
        ago = timedelta(weeks=int(span["weeks"] or 0), days=int(span["days"] or 0), hours=int(span["hours"] or 0))
    try:
        return clock.now().replace(microsecond=0) - ago
    except OverflowError as error:
        raise InvalidFile(f"{what} is too long ago.", field=what) from error


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + timedelta(days=1)


def requires_python(document: Mapping[str, Any], inside: str = "") -> SpecifierSet:
    """Return the member ``requires-python`` of *document*, which is at *inside* (``project.``); absent allows all.

    Raises
    ------
    InvalidFile
    """
    what = f"{inside}requires-python"
    text = expect_text(document.get("requires-python") or "", what)
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise InvalidFile(f"{what} is {text[:80]!r}, which is no version specifier.", field=what) from error


def with_options(spec: EnvironmentSpec, options: Mapping[str, Any], what: str) -> EnvironmentSpec:
    """Return *spec* with what *options* (the table ``tool.uv``, which is at *what*) say of everything: indexes, a date, constraints.

    Raises
    ------
    InvalidFile
    """
    notes = spec.notes
    if options.get("override-dependencies"):
        notes += (f"Versions that {what}.override-dependencies puts in the place of others are not taken in.",)
    place = f"{what}.constraint-dependencies"
    constraints = expect_texts(options.get("constraint-dependencies"), place)
    return replace(
        spec,
        indexes=index_urls(options, what),
        exclude_newer=exclude_newer(options.get("exclude-newer"), f"{what}.exclude-newer"),
        pip_constraints=tuple(str(requirement_at(text, f"{place}[{position}]")) for position, text in enumerate(constraints)),
        notes=notes,
    )


def requirement_at(text: str, what: str) -> Requirement:
    """Return the requirement (PEP 508) *text*, which stands at *what*.

    Raises
    ------
    InvalidFile
    """
    try:
        requirement = parse_requirement(text)
    except InvalidRequirement as error:
        raise InvalidFile(f"{text[:120]!r} is no requirement (PEP 508).", field=what) from error
    if requirement.url:
        check_url(requirement.url, what)
    return requirement


def index_urls(options: Mapping[str, Any], what: str) -> tuple[str, ...]:
    """Return the indexes that *options* (the table ``tool.uv``) name, in the order in which uv asks them.

    Raises
    ------
    InvalidFile
    """
    listed = options.get("index")
    listed = [listed] if isinstance(listed, dict) else listed if listed is not None else []
    if not isinstance(listed, list):
        raise InvalidFile(f"{what}.index must be a list of tables.", field=f"{what}.index")
    first: list[str] = []
    last: list[str] = []
    for position, entry in enumerate(listed):
        place = f"{what}.index[{position}]"
        table = expect_mapping(entry, place)
        url = check_url(expect_text(table.get("url"), f"{place}.url"), place)
        (last if table.get("default") is True else first).append(url)
    extra = options.get("extra-index-url")
    extras = extra if isinstance(extra, list) else [extra] if extra is not None else []
    first += [check_url(expect_text(url, f"{what}.extra-index-url"), f"{what}.extra-index-url") for url in extras]
    if (default := options.get("index-url")) is not None:
        last.append(check_url(expect_text(default, f"{what}.index-url"), f"{what}.index-url"))
    if first and not last and options.get("no-index") is not True:
        from pypi_simple import PYPI_SIMPLE_ENDPOINT  # takes longer than the rest of this module

        last.append(PYPI_SIMPLE_ENDPOINT)
    return tuple(dict.fromkeys([*first, *last]))


def requirement_from(requirement: Requirement, sources: Mapping[str, Any], what: str, notes: list[str]) -> str:
    """Return the line for pip of *requirement*, which comes from where *sources* (the table ``tool.uv.sources``) says.

    What cannot be said in such a line is added to *notes*.

    Raises
    ------
    InvalidFile
    """
    by_name = {str(canonicalize_name(name)): (name, entry) for name, entry in sources.items()}
    name, entry = by_name.get(str(canonicalize_name(requirement.name)), ("", None))
    if entry is None:
        return str(requirement)
    place = f"{what}.{name}"
    if isinstance(entry, list) or "workspace" in expect_mapping(entry, place):
        notes.append(f"Where {requirement.name} comes from depends on the project or the platform, which is not taken in.")
        return str(requirement)
    if "index" in entry:
        notes.append(f"{requirement.name} is looked for on all indexes, not on {str(entry['index'])[:80]} alone.")
        return str(requirement)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    if "path" in entry:
        path = expect_text(entry["path"], f"{place}.path")
        return f"-e {path}{extras}" if entry.get("editable") is True else f"{path}{extras}{marker}"
    return f"{requirement.name}{extras} @ {_address(entry, place)}{marker}"


def _address(entry: Mapping[str, Any], place: str) -> str:
    fragment = f"#subdirectory={expect_text(entry['subdirectory'], place)}" if "subdirectory" in entry else ""
    if "git" in entry:
        url = check_url(expect_text(entry["git"], f"{place}.git"), place)
        revision = next((expect_text(entry[key], f"{place}.{key}") for key in ("rev", "tag", "branch") if key in entry), "")
        return f"git+{url.removeprefix('git+')}{f'@{revision}' if revision else ''}{fragment}"
    if "url" in entry:
        return check_url(expect_text(entry["url"], f"{place}.url"), place) + fragment
    raise InvalidFile(f"{place} says neither git nor url nor path nor index.", field=place)
