"""Forms of secrets.

A rule's group ``v`` is the secret, else the whole match is. Rules are written to match the *whole* value, since what
they match is what gets replaced: a pattern that stops before a signature would leave the signature in the copy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import log2

# Values that documentation and templates put where a secret goes.
_PLACEHOLDER = re.compile(
    r"""(?ix) (?: [x*.•_#-]+ | <.*> | \{.*\} | \[.*\] | \$\{.*\} | \$\(.*\) | \$[a-z_]+ | %[({].* | \.\.\..* | your[-_ ].* |
        .*(?:changeme|change-me|example|placeholder|redacted|dummy|secret[-_]?here|goes[-_]here).* |
        none | null | nil | true | false | undefined | password | passwd | secret | token | user | username | pass | pwd |
        api[-_]?key | key | test | string | str | bytes | int | float | bool | any | optional | required | default | empty | hidden |
        bearer | basic | admin )""",
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_]*(?:\.[A-Za-z_]+)*\Z")


@dataclass(frozen=True, slots=True)
class Rule:
    """A form of secret. A rule that is not *strong* is a guess; *entropy* is the least that its value must have (bits/character)."""

    kind: str
    pattern: re.Pattern[str]
    strong: bool = True
    entropy: float = 0.0
    minimum: int = 1


def _rule(kind: str, pattern: str, *, strong: bool = True, entropy: float = 0.0, minimum: int = 1, flags: int = 0) -> Rule:
    return Rule(kind, re.compile(pattern, flags), strong, entropy, minimum)


I = re.IGNORECASE  # noqa: E741
_END = r"(?![A-Za-z0-9_-])"
_START = r"(?<![A-Za-z0-9_-])"

PROVIDER_RULES: tuple[Rule, ...] = (
    _rule("Carrel token", r"(?<![A-Za-z0-9])ca-[a-z2-7]{32}(?![A-Za-z0-9])"),
    _rule("AWS access key", r"(?<![A-Z0-9])(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}(?![A-Z0-9])"),
    _rule(
        "AWS secret key",
        r"aws.{0,40}?(?:key|secret|token).{0,20}?['\"=:\s](?P<v>[0-9a-zA-Z/+]{40})(?![0-9a-zA-Z/+=])",
        entropy=3.5,
        flags=I,
    ),
    _rule("Google API key", rf"{_START}AIza[0-9A-Za-z_-]{{35}}{_END}"),
    _rule("Google OAuth token", r"(?<![A-Za-z0-9])ya29\.[0-9A-Za-z_-]{20,}"),
    _rule("Google client secret", rf"{_START}GOCSPX-[0-9A-Za-z_-]{{20,}}"),
    _rule("GitHub token", r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9_]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"),
    _rule("GitLab token", rf"{_START}(?:gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-|GR1348941)[A-Za-z0-9_.-]{{20,}}"),
    _rule("Slack token", r"(?<![A-Za-z0-9])(?:xox[abeoprs](?:-[A-Za-z0-9.-]+)|xapp-[A-Za-z0-9-]+)", minimum=15),
    _rule("Slack webhook", r"hooks\.slack\.com/(?:services|workflows)/(?P<v>[A-Za-z0-9/_-]{20,})"),
    _rule("OpenAI or Anthropic key", rf"{_START}sk-(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{{20,}}", entropy=3.0),
    _rule("Hugging Face token", r"(?<![A-Za-z0-9])(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    _rule("Stripe key", r"(?<![A-Za-z0-9])(?:sk|rk)_(?:live|test)_[0-9a-zA-Z]{16,}"),
    _rule("PyPI token", rf"{_START}pypi-[A-Za-z0-9_-]{{40,}}"),
    _rule("npm token", r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _rule("npm token", r":_(?:authToken|auth|password)\s*=\s*(?P<v>[^\s\"'$]{8,})"),
    _rule("SendGrid key", r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _rule("DigitalOcean token", r"(?<![A-Za-z0-9])do[opr]_v1_[a-f0-9]{64}"),
    _rule("Databricks token", r"(?<![A-Za-z0-9])dapi[a-f0-9]{32}(?:-\d)?"),
    _rule("Weights & Biases key", r"(?i:wandb|WANDB).{0,30}?(?<![0-9a-f])(?P<v>[0-9a-f]{40})(?![0-9a-f])"),
    _rule(
        "Private key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|\Z)",
        flags=re.S,
    ),
    _rule("JSON Web Token", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?"),
    _rule("conda channel token", r"/t/(?P<v>[A-Za-z0-9]+-[A-Za-z0-9-]{8,}|[A-Za-z0-9-]{20,})(?=[/\s\"'<>)]|\Z)"),
    _rule("Azure account key", r"(?i:AccountKey|SharedAccessKey)\s*=\s*(?P<v>[A-Za-z0-9+/=]{30,})"),
    _rule("Azure shared access signature", r"(?i:SharedAccessSignature)\s*=\s*(?P<v>[^\s;'\"<>]{16,})"),
)

URL_RULES: tuple[Rule, ...] = (
    _rule("Password in an address", r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s/:@'\"<>]{0,200}:(?P<v>[^\s/@'\"<>]+)@(?=[\w\[{.-])"),
    _rule("Token in an address", r"[A-Za-z][A-Za-z0-9+.-]{0,20}://(?P<v>[^\s/:@'\"<>]{12,})@(?=[\w\[{.-])", entropy=3.0),
    _rule(
        "Signed address",
        r"[?&;](?:sig|signature|x-amz-signature|x-amz-security-token|x-amz-credential|x-goog-signature|x-goog-credential|"
        r"access_token|auth_token|api[-_]?key|apikey|client_secret)=(?P<v>[^\s&'\"<>#\\]{8,})",
        flags=I,
    ),
    _rule(
        "Token in an address",
        r"[?&;](?:token|key|auth|code|secret|password|pwd)=(?P<v>[^\s&'\"<>#\\]{12,})",
        strong=False,
        entropy=3.2,
        flags=I,
    ),
    _rule("Password in a connection string", r";\s*(?:password|pwd)\s*=\s*(?P<v>[^;'\"\s]{3,})", flags=I),
    _rule("Authorization header", r"\b(?:bearer|basic|token)\s+(?P<v>[A-Za-z0-9._~+/-]{16,}=*)", entropy=3.3, flags=I),
)

# Names after which any value is a secret, and names that need a value that looks like one ("token" is also a word of language models).
STRONG_NAMES = (
    r"passw(?:or)?d|passwd|passphrase|pwd|secret|api[-_]?key|apikey|access[-_]?key|auth[-_]?key|private[-_]?key|"
    r"client[-_]?secret|account[-_]?key|service[-_]?key|db[-_]?pass|database[-_]?pass|encryption[-_]?key|signing[-_]?key|"
    r"contrase[nñ]a|kennwort|passwort|mot[-_]?de[-_]?passe"
)
WEAK_NAMES = r"token|credentials?|auth|key|connection[-_]?string|dsn|cookie|session[-_]?id"
NAME = re.compile(rf"(?i)(?:(?P<strong>{STRONG_NAMES})|(?P<weak>{WEAK_NAMES}))")

# What follows a name, tried only where a name was found: a pattern that looked for the name itself would backtrack on long words.
_QUOTED_TAIL = re.compile(
    r"""(?ix) (?P<rest>[\w-]{0,40}) ['"]? \s{0,20} [\])]? \s{0,20} (?: :\s{0,4}\w{1,40}\s{0,4}= | :?=>? | : | , ) \s{0,20}
        (?:[rbfu]{0,2}) (?P<q>\"\"\"|\'\'\'|"|'|`|&quot;|&\#39;|\\") (?P<v>(?:(?!(?P=q))[^\n\r]){1,4000}) (?P=q)"""
)
_BARE_TAIL = re.compile(
    r"""(?ix) (?P<rest>[\w-]{0,40}) ['"]? \s{0,20} (?: :?= | :\s | \s\s ) \s{0,20} (?P<v>[^\s'"`,;()<>\[\]{}]{6,4000})"""
)
_HEAD = re.compile(r"[\w.-]{0,40}\Z")


def named_values(text: str) -> Iterator[tuple[str, str, int, bool]]:
    """Yield ``(name, value, start of the value, whether it is quoted)`` for the values that follow a secret's name."""
    for found in NAME.finditer(text):
        for tail, quoted in ((_QUOTED_TAIL, True), (_BARE_TAIL, False)):
            if value := tail.match(text, found.end()):
                head = _HEAD.search(text[max(0, found.start() - 40) : found.start()])
                name = (head.group() if head else "") + found.group() + value.group("rest")
                yield name, value.group("v"), value.start("v"), quoted


def entropy(text: str) -> float:
    """Return the Shannon entropy of *text* in bits per character."""
    if not text:
        return 0.0
    size = len(text)
    return -sum(n / size * log2(n / size) for n in Counter(text).values())


def is_placeholder(value: str) -> bool:
    """Whether *value* is what templates write where a secret goes."""
    return _PLACEHOLDER.fullmatch(value.strip()) is not None


def looks_random(value: str, minimum: int = 16, least: float = 3.2) -> bool:
    """Whether *value* looks like something a machine made: long, mixed, no word."""
    if len(value) < minimum or entropy(value) < least or " " in value:
        return False
    return any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def judge_named_value(name: str, value: str, *, quoted: bool) -> bool | None:
    """Return whether *value* next to *name* is a secret: True surely, False perhaps, None not."""
    found = NAME.search(name)
    if found is None or is_placeholder(value):
        return None
    if found.group("strong") is None and (strong := re.search(STRONG_NAMES, name, re.IGNORECASE)):
        found = NAME.match(name, strong.start()) or found
    if found.group("strong"):
        if len(value) < 6 or (_IDENTIFIER.match(value) and (not quoted or (value.upper() == value and "_" in value))):
            return None  # a word too common to replace, a variable, or the name of an environment variable
        if quoted:
            return " " not in value.strip()
        return any(c.isdigit() for c in value) and len(value) >= 8 and entropy(value) >= 2.5
    return True if looks_random(value) else None
