"""Settings of uv that say what is asked for: ``exclude-newer``, indexes, and sources of single packages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from carrel.core import clock
from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import check_url
from carrel.formats.parsing import expect_mapping, expect_text

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
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return _end_of(value)
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
    return tuple(dict.fromkeys([*first, *last]))
