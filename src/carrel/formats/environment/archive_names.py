"""What the names of wheels and source distributions tell, within bounds: files of strangers name them."""

from __future__ import annotations

import math

from packaging.tags import Tag
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

# A name stands for the product of its compressed tags (PEP 425); real ones for some dozens.
_MOST_TAGS = 2000
_LONGEST = 1000


def check_wheel_name(filename: str) -> None:
    """Refuse the name of a wheel that stands for more tags than a sensible one.

    Raises
    ------
    InvalidWheelFilename
    """
    tags = filename.removesuffix(".whl").split("-")[-3:]
    if len(filename) > _LONGEST or math.prod(part.count(".") + 1 for part in tags) > _MOST_TAGS:
        raise InvalidWheelFilename(f"Too many tags: {filename[:80]!r}")


def wheel_tags(filename: str) -> frozenset[Tag]:
    """Return the tags of the wheel *filename*.

    Raises
    ------
    InvalidWheelFilename
    """
    check_wheel_name(filename)
    return parse_wheel_filename(filename)[3]


def name_and_version(filename: str) -> tuple[str, str] | None:
    """Return what the name of a wheel or source distribution tells, None when it is none."""
    try:
        if filename.endswith(".whl"):
            check_wheel_name(filename)
            name, version = parse_wheel_filename(filename)[:2]
        elif len(filename) <= _LONGEST:
            name, version = parse_sdist_filename(filename)
        else:
            return None
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return str(name), str(version)
