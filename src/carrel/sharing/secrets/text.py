"""Scan one piece of text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from carrel.sharing.secrets.findings import Match
from carrel.sharing.secrets.rules import (
    PROVIDER_RULES,
    URL_RULES,
    Rule,
    entropy,
    is_placeholder,
    judge_named_value,
    named_values,
)

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TAG = re.compile(r"<[^<>]*>")

# Further forms that detect-secrets knows. Their patterns are short, so they count as guesses.
_PLUGINS = {
    "discord": "DiscordBotTokenDetector",
    "ibm_cloud_iam": "IbmCloudIamDetector",
    "ibm_cos_hmac": "IbmCosHmacDetector",
    "cloudant": "CloudantDetector",
    "mailchimp": "MailchimpDetector",
    "softlayer": "SoftlayerDetector",
    "square_oauth": "SquareOAuthDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}


@cache
def _plugins() -> tuple[Any, ...]:
    from importlib import import_module

    return tuple(getattr(import_module(f"detect_secrets.plugins.{module}"), name)() for module, name in _PLUGINS.items())


def strip_ansi(text: str) -> str:
    """Return *text* without terminal colour codes, which cut tracebacks into pieces."""
    return ANSI.sub("", text)


def strip_tags(text: str) -> str:
    """Return the text that a reader of HTML *text* sees."""
    return html.unescape(_TAG.sub("", text))


def _apply(rule: Rule, text: str) -> Iterator[Match]:
    for found in rule.pattern.finditer(text):
        group = "v" if "v" in rule.pattern.groupindex else 0
        value = found.group(group)
        if len(value) < rule.minimum or is_placeholder(value) or (rule.entropy and entropy(value) < rule.entropy):
            continue
        yield Match(rule.kind, value, found.start(group), rule.strong)


def provider_matches(text: str) -> list[Match]:
    """Return the secrets in *text* whose form alone gives them away."""
    return [match for rule in PROVIDER_RULES for match in _apply(rule, text)]


def named_match(name: str, value: str) -> Match | None:
    """Return *value*, the value of the member *name* of an object, if it is a secret."""
    verdict = judge_named_value(name, value, quoted=True)
    return None if verdict is None else Match("Value of a secret's name", value, 0, verdict)


def _all_matches(text: str) -> Iterator[Match]:
    yield from provider_matches(text)
    for rule in URL_RULES:
        yield from _apply(rule, text)
    for name, value, start, quoted in named_values(text):
        verdict = judge_named_value(name, value, quoted=quoted)
        if verdict is not None:
            yield Match("Value of a secret's name", value, start, verdict)
    for plugin in _plugins():
        for value in plugin.analyze_string(text):
            if isinstance(value, str) and len(value) >= 8 and not is_placeholder(value):
                yield Match(str(plugin.secret_type), value, max(text.find(value), 0), False)


def scan_text(text: str, *, is_html: bool = False) -> list[Match]:
    """Return the secrets in *text*, each value once, in the order of their places.

    A value that contains another found value swallows it, unless the inner one is the surer finding.
    """
    plain = strip_ansi(text)
    best: dict[str, Match] = {}
    views = [plain]
    if is_html:
        views.append(strip_tags(plain))
    for view in views:
        for match in _all_matches(view):
            known = best.get(match.secret)
            if known is None or (match.strong and not known.strong):
                best[match.secret] = match
    kept = [
        match
        for match in best.values()
        if not any(
            other is not match and match.secret in other.secret and (other.strong or not match.strong) and match.secret != other.secret
            for other in best.values()
        )
    ]
    return sorted(kept, key=lambda match: match.start)
