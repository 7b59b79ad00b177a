"""Find secrets in everything that would be published, and take them out of the published copy."""

from __future__ import annotations

from carrel.sharing.secrets.findings import Decision, Finding, Where
from carrel.sharing.secrets.notebook import scan_notebook
from carrel.sharing.secrets.redaction import redact, redact_text
from carrel.sharing.secrets.text import scan_text

__all__ = ["Decision", "Finding", "Where", "redact", "redact_text", "scan_notebook", "scan_text"]
