"""Scan every place of a notebook where text can hide."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from carrel.sharing.secrets.findings import Finding, Match, Where, make_finding
from carrel.sharing.secrets.text import named_match, provider_matches, scan_text

_PRINTABLE = re.compile(rb"[\x20-\x7e\n]{16,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*\Z")


def is_text_mime(mime: str) -> bool:
    """Whether values of *mime* are text or JSON in a notebook; others are base64."""
    kind = mime.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind.endswith(("+json", "+xml", "/json", "/xml", "/javascript", "/x-latex", "/yaml"))


def join_lines(value: Any) -> Any:
    """Return text that the notebook format may split into a list of lines as one string."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield ``(name of the member, text)`` for each string below *value*, keys included."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str):
                yield "", key
            yield from strings(item, str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings(item, name)


def decode_base64(value: str) -> bytes | None:
    """Return the bytes of *value* if it is base64."""
    if not _BASE64.match(value):
        return None
    try:
        return base64.b64decode(value, validate=False)
    except (binascii.Error, ValueError):
        return None


def matches_in(value: Any, *, is_html: bool = False) -> Iterator[tuple[Match, str]]:
    """Yield ``(match, text)`` for the secrets below a JSON *value*."""
    for name, text in strings(value):
        for match in scan_text(text, is_html=is_html):
            yield match, text
        if name and (match_by_name := named_match(name, text)):
            yield match_by_name, text


def matches_in_bytes(content: bytes) -> Iterator[tuple[Match, str]]:
    """Yield ``(match, text)`` for the readable runs of binary *content*, such as the text chunks of images."""
    for run in _PRINTABLE.finditer(content):
        text = run.group().decode("ascii")
        for match in provider_matches(text):
            yield match, text


def _bundle_matches(bundle: Mapping[str, Any]) -> Iterator[tuple[Match, str]]:
    for mime, raw in bundle.items():
        value = join_lines(raw)
        binary = None if is_text_mime(mime) or not isinstance(value, str) else decode_base64(value)
        if binary is not None:
            yield from matches_in_bytes(binary)
        else:
            yield from matches_in(value, is_html="html" in mime or "xml" in mime)


def output_matches(output: Mapping[str, Any]) -> Iterator[tuple[Match, str]]:
    """Yield ``(match, text)`` for every secret in one output, whatever its type."""
    for key, raw in output.items():
        if key == "data" and isinstance(raw, Mapping):
            yield from _bundle_matches(raw)
        elif key == "traceback" and isinstance(raw, list):
            yield from matches_in("\n".join(str(line) for line in raw))
        elif key not in ("output_type", "execution_count", "metadata"):
            yield from matches_in(join_lines(raw))


def _attachment_matches(attachments: Mapping[str, Any]) -> Iterator[tuple[Match, str]]:
    for name, bundle in attachments.items():
        yield from matches_in(name)
        if not isinstance(bundle, Mapping):
            continue
        for mime, raw in bundle.items():
            value = join_lines(raw)
            binary = decode_base64(value) if isinstance(value, str) else None
            if binary is None:
                yield from matches_in(value, is_html="html" in mime)
            elif is_text_mime(mime):
                yield from matches_in(binary.decode("utf-8", "replace"), is_html="html" in mime)
            else:
                yield from matches_in_bytes(binary)


def scan_notebook(notebook: Mapping[str, Any]) -> list[Finding]:
    """Return the secrets in *notebook*, the JSON content, in reading order; each value once per cell and place."""
    findings: dict[str, Finding] = {}

    def add(where: Where, index: int | None, key: str, found: Iterator[tuple[Match, str]]) -> None:
        for match, text in found:
            finding = make_finding(match, where, text, cell=index, cell_key=key)
            known = findings.get(finding.id)
            if known is None or (finding.strong and not known.strong):
                findings[finding.id] = finding

    for index, cell in enumerate(notebook.get("cells") or []):
        key = str(cell.get("id") or index)
        add(Where.SOURCE, index, key, matches_in(join_lines(cell.get("source", ""))))
        add(Where.ATTACHMENT, index, key, _attachment_matches(cell.get("attachments") or {}))
        for output in cell.get("outputs") or []:
            add(Where.OUTPUT, index, key, output_matches(output))
            add(Where.METADATA, index, key, matches_in(output.get("metadata")))
        add(Where.METADATA, index, key, matches_in(cell.get("metadata")))
        rest = {name: value for name, value in cell.items() if name not in _KNOWN_CELL_MEMBERS}
        add(Where.METADATA, index, key, matches_in(rest))
    add(Where.METADATA, None, "", matches_in({name: value for name, value in notebook.items() if name != "cells"}))
    return list(findings.values())


_KNOWN_CELL_MEMBERS = frozenset({"id", "cell_type", "source", "attachments", "outputs", "metadata", "execution_count"})
