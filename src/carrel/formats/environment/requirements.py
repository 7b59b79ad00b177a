"""``requirements.txt``: recognised and listed, whatever options it holds."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement

from carrel.core.errors import InvalidFile
from carrel.formats.environment.checks import check_url
from carrel.formats.environment.description import Description, ListedPackage
from carrel.formats.parsing import decode_text

_COMMENT = re.compile(r"(?:^|\s)#.*\Z")
_OPTION = re.compile(r"\s--?[A-Za-z].*\Z")
_INDEX = re.compile(r"(?:-i|--index-url|--extra-index-url)[\s=]+(\S+)")
_MOST_LINES = 20_000


def describe(data: bytes) -> Description:
    """Return what a requirements file asks for.

    Raises
    ------
    InvalidFile
        It is no text or has too many lines.
    """
    text = decode_text(data, "The requirements file").replace("\\\n", " ")
    lines = text.splitlines()
    if len(lines) > _MOST_LINES:
        raise InvalidFile(f"The requirements file has {len(lines)} lines; at most {_MOST_LINES} are allowed.")
    listed: list[ListedPackage] = []
    requested: list[str] = []
    indexes: list[str] = []
    for line in lines:
        content = _COMMENT.sub("", line).strip()
        if index := _INDEX.match(content):
            indexes.append(check_url(index[1], "The requirements file"))
        elif content and not content.startswith("-"):
            package = _package(_OPTION.sub("", content).strip())
            if package is not None:
                listed.append(package)
                requested.append(content[:500])
    return Description(
        format="requirements", locked=False, channels=tuple(dict.fromkeys(indexes)), requested=tuple(requested), packages=tuple(listed)
    )


def _package(text: str) -> ListedPackage | None:
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return None  # a path or an address; pip alone can tell what it is
    pins = [item.version for item in requirement.specifier if item.operator in {"==", "==="} and "*" not in item.version]
    return ListedPackage(requirement.name, pins[0] if len(pins) == 1 else "", "", "pypi")
