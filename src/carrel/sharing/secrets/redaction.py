"""Take secrets out of a copy, and prove that they are gone."""

from __future__ import annotations

import base64
import copy
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from carrel.core.errors import Unprocessable
from carrel.sharing.secrets.findings import Decision, Finding, Where
from carrel.sharing.secrets.notebook import decode_base64, is_text_mime, join_lines, output_matches, strings
from carrel.sharing.secrets.text import ANSI, strip_ansi, strip_tags

REPLACEMENT = "[REDACTED]"
_BETWEEN = r"(?:\x1b\[[0-9;?]*[A-Za-z]|<[^<>]*>)*"


def _forms(secret: str) -> list[str]:
    """Return *secret* as it is written in text, in JSON, in HTML and in an address, longest first."""
    forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    forms |= {html.escape(form) for form in list(forms)} | {html.escape(form, quote=False) for form in list(forms)}
    forms |= {quote(secret, safe=""), quote(secret)}
    return sorted(forms, key=len, reverse=True)


class _Replacer:
    """Replaces a set of secrets in text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Longest first: a secret may contain another.
        self.secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._forms = [(form, secret) for secret in self.secrets for form in _forms(secret)]
        self._spread = [
            re.compile(_BETWEEN.join("(?:" + re.escape(c) + "|" + re.escape(html.escape(c)) + ")" for c in secret))
            for secret in self.secrets
        ]

    def __call__(self, text: str) -> str:
        for form, _ in self._forms:
            if form in text:
                text = text.replace(form, REPLACEMENT)
        if "\x1b" in text or ("<" in text and ">" in text):
            for secret, pattern in zip(self.secrets, self._spread, strict=True):
                # Colour codes and tags may stand inside a value: remove value and codes together.
                if secret in strip_ansi(text) or secret in strip_tags(strip_ansi(text)):
                    text = pattern.sub(REPLACEMENT, text)
                if secret in strip_ansi(text):
                    text = ANSI.sub("", text).replace(secret, REPLACEMENT)
        return text

    def in_bytes(self, content: bytes) -> bool:
        """Whether *content* holds one of the secrets."""
        return any(form.encode("utf-8", "replace") in content for form, _ in self._forms)


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(key) if isinstance(key, str) else key: _map_strings(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_map_strings(item, change) for item in value]
    return value


def _clean_bundle(bundle: dict[str, Any], replace: _Replacer, *, encoded: bool) -> None:
    """Redact the values of a MIME bundle; *encoded* bundles (attachments) hold text as base64 too."""
    for mime in list(bundle):
        value = bundle[mime] = join_lines(bundle[mime])
        if not isinstance(value, str) or (is_text_mime(mime) and not encoded):
            continue
        content = decode_base64(value)
        if content is None or not replace.in_bytes(content):
            continue
        if is_text_mime(mime):
            bundle[mime] = base64.b64encode(replace(content.decode("utf-8", "replace")).encode()).decode()
        else:
            del bundle[mime]  # binary formats have checksums and compression: the value goes with its image


def redact(notebook: Mapping[str, Any], findings: Iterable[Finding], decisions: Mapping[str, Decision | str]) -> dict[str, Any]:
    """Return a copy of *notebook* without the secrets that were decided to be taken out.

    Findings without a decision are redacted. ``redact`` takes a value out of the whole copy, wherever it occurs;
    ``remove_output`` drops the outputs of that cell which hold it, and the value elsewhere too.

    Raises
    ------
    carrel.core.errors.Unprocessable
        A value would still be in the copy.
    """
    result: dict[str, Any] = copy.deepcopy(dict(notebook))
    findings = [finding for finding in findings if Decision(decisions.get(finding.id, Decision.REDACT)) is not Decision.NOT_SECRET]
    for finding in findings:
        if Decision(decisions.get(finding.id, Decision.REDACT)) is Decision.REMOVE_OUTPUT and finding.where is Where.OUTPUT:
            _remove_outputs(result, finding)
    replace = _Replacer(finding.secret for finding in findings if not finding.file)
    if not replace.secrets:
        return result
    for cell in result.get("cells") or []:
        cell["source"] = join_lines(cell.get("source", ""))
        for output in cell.get("outputs") or []:
            for key in ("text", "evalue"):
                if key in output:
                    output[key] = join_lines(output[key])
            if isinstance(output.get("traceback"), list):
                output["traceback"] = replace("\n".join(str(line) for line in output["traceback"])).split("\n")
            if isinstance(output.get("data"), dict):
                _clean_bundle(output["data"], replace, encoded=False)
        for bundle in (cell.get("attachments") or {}).values():
            if isinstance(bundle, dict):
                _clean_bundle(bundle, replace, encoded=True)
    result = _map_strings(result, replace)
    _verify(result, replace)
    return result


def _remove_outputs(notebook: dict[str, Any], finding: Finding) -> None:
    cells = notebook.get("cells") or []
    if finding.cell is None or finding.cell >= len(cells):
        return
    cell = cells[finding.cell]
    cell["outputs"] = [
        output for output in cell.get("outputs") or [] if all(match.secret != finding.secret for match, _ in output_matches(output))
    ]


def _verify(value: Any, replace: _Replacer) -> None:
    for _, text in strings(value):
        plain = strip_ansi(text)
        views = [text, plain, strip_tags(plain)]
        if any(secret in view for secret in replace.secrets for view in views):
            raise Unprocessable(
                "A secret could not be taken out of the copy. Clear the outputs of the cells with findings and publish again.",
                code="redaction_failed",
            )


def redact_text(text: str, findings: Iterable[Finding]) -> str:
    """Return *text* of an attached file without the secrets of *findings*."""
    return _Replacer(finding.secret for finding in findings)(text)
