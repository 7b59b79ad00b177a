"""Source code as HTML."""

from __future__ import annotations

from functools import lru_cache
from html import escape

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Token, _TokenType
from pygments.util import ClassNotFound

from carrel.hub.notebooks.python_source import highlight_python

# Only these: a notebook names its language itself, and not every lexer stays fast on hostile text.
_LEXERS = {
    **{name: name for name in ("python", "r", "julia", "sql", "bash", "c", "cpp", "rust", "java", "scala", "go", "json", "yaml", "toml")},
    **{name: name for name in ("html", "css", "javascript", "typescript", "octave", "fortran", "haskell", "lua", "ruby", "diff", "ini")},
    "python3": "python",
    "ipython": "python",
    "ipython3": "python",
    "py": "python",
    "sh": "bash",
    "shell": "bash",
    "console": "bash",
    "c++": "cpp",
    "js": "javascript",
    "ts": "typescript",
    "matlab": "octave",
    "yml": "yaml",
    "svg": "html",
    "latex": "",
    "markdown": "",
}
_MAX_HIGHLIGHTED = 50_000
_CLASSES: dict[_TokenType, str] = {
    Comment: "c",
    Comment.Preproc: "k",
    Keyword: "k",
    Keyword.Constant: "l",
    Number: "l",
    Operator.Word: "k",
    Operator: "o",
    String: "s",
    String.Doc: "c",
    String.Interpol: "i",
    String.Escape: "i",
    Name.Builtin: "b",
    Name.Builtin.Pseudo: "l",
    Name.Class: "f",
    Name.Decorator: "d",
    Name.Exception: "b",
    Name.Function: "f",
    Name.Tag: "k",
    Name.Attribute: "f",
    Token: "",
}

#: Every class that :func:`highlight` writes on a ``<span>``.
HIGHLIGHT_CLASSES = frozenset(_CLASSES.values()) - {""}


def language_of(name: object) -> str:
    """Return the known language that *name* (from a notebook or a fenced code block) stands for, or an empty string."""
    return _LEXERS.get(name.strip().lower(), "") if isinstance(name, str) else ""


def highlight(source: str, language: str) -> str:
    """Return *source* escaped, its tokens in ``<span class="k">`` and the like when *language* is known.

    Long sources in other languages than Python are only escaped: a full lexer costs about a hundred times more.
    """
    if language == "python":
        return highlight_python(source)
    lexer = _lexer(language) if language and len(source) <= _MAX_HIGHLIGHTED else None
    if lexer is None:
        return escape(source, quote=False)
    parts: list[str] = []
    open_class = ""
    for _, kind, text in lexer.get_tokens_unprocessed(source):
        css = _token_class(kind) if not text.isspace() else open_class
        if css != open_class:
            if open_class:
                parts.append("</span>")
            if css:
                parts.append(f'<span class="{css}">')
            open_class = css
        parts.append(text if text.isalnum() else escape(text, quote=False))
    if open_class:
        parts.append("</span>")
    return "".join(parts)


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language)
    except ClassNotFound:
        return None


@lru_cache(maxsize=512)
def _token_class(kind: _TokenType) -> str:
    step: _TokenType | None = kind
    while step is not None:
        if step in _CLASSES:
            return _CLASSES[step]
        step = step.parent
    return ""
