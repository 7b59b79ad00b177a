"""The few things read from the Markdown of a notebook: title, first paragraph, images."""

from __future__ import annotations

import re

_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_NO_PARAGRAPH = re.compile(r"^\s*(?:#|>|[-*+][ \t]|\d+[.)][ \t]|\||<|\$\$|!\[|\[!\[|\[[^\]]+\]:|---|\*\*\*|===)")
# No part may run over the beginning of another match: that keeps the search linear in hostile text.
_IMAGE = re.compile(
    r"!\[[^\[\]\n]{0,1000}\]\([ \t]{0,9}<?([^()\s>]{1,1000})|<img\b[^<>\n]{0,1000}?\bsrc[ \t]{0,9}=[ \t]{0,9}[\"']?([^\"'\s<>]{1,1000})",
    re.IGNORECASE,
)
_REMOTE = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*:|//|#|/)")
_INLINE = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"<[^>]{0,1000}>"), ""),
    (re.compile(r"(\*\*|__|`)(.+?)\1"), r"\2"),
    (re.compile(r"(?<!\w)[*_](\S(?:.*?\S)?)[*_](?!\w)"), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!-])"), r"\1"),
)


def plain(text: str) -> str:
    """Return one line of Markdown without its markup."""
    text = text[:2000]
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def title(source: str) -> str:
    """Return the first heading of *source* without markup, or the empty text."""
    fenced = False
    previous = ""
    for line in source[:20_000].splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        if fenced:
            continue
        if heading := _HEADING.match(line[:1000]):
            return plain(heading[2])[:200]
        if previous and _UNDERLINE.match(line[:200]) and not _NO_PARAGRAPH.match(previous):
            return plain(previous)[:200]
        previous = line.strip()
    return ""


def first_paragraph(source: str) -> str:
    """Return the first paragraph of *source* that is prose, without markup, at most 500 characters."""
    fenced = False
    lines: list[str] = []
    for line in [*source[:20_000].splitlines(), ""]:
        if _FENCE.match(line):
            fenced = not fenced
            lines = []
            continue
        if fenced:
            continue
        if _UNDERLINE.match(line[:200]) and lines:
            lines = []  # it was a heading
        elif not line.strip():
            if text := plain(" ".join(lines)):
                return text[:500]
            lines = []
        elif lines or not _NO_PARAGRAPH.match(line):
            lines.append(line)
    return ""


def local_images(source: str) -> list[str]:
    """Return the paths of images beside the notebook that *source* shows."""
    found = (match[1] or match[2] for match in _IMAGE.finditer(source[:200_000]))
    return [path for path in found if not _REMOTE.match(path)]
