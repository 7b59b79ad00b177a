"""What a search index must do, whatever the database."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

_WORD = re.compile(r"\w+")
_MAX_WORDS = 8
_MAX_WORD = 64


@dataclass(frozen=True, slots=True)
class Document:
    """What is known of a package for search.

    Attributes
    ----------
    package_id : int
    name : str
        As it is written.
    imports : tuple of str
        Modules that it provides.
    summary, body : str
        Text, the body bounded.
    facets : tuple of str
        Who may see it and what it is (see :mod:`carrel.hub.search.facets`); letters and digits only.
    """

    package_id: int
    name: str
    imports: tuple[str, ...]
    summary: str
    body: str
    facets: tuple[str, ...]

    @property
    def names(self) -> str:
        """The name, and the name in one word: ``scikit-learn scikitlearn``."""
        joined = "".join(_WORD.findall(self.name.replace("_", " ")))
        return self.name if joined == self.name else f"{self.name} {joined}"

    @property
    def digest(self) -> str:
        """Digest of everything that is indexed."""
        text = "\0".join((self.name, " ".join(self.imports), self.summary, self.body, " ".join(self.facets)))
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Query:
    """What a person typed, and the facets that bound the answer.

    Attributes
    ----------
    text : str
        Lowercase, spaces collapsed.
    words : tuple of str
        The words of the text; the last one may be unfinished.
    any_of, all_of : tuple of str
        A document must have at least one of the first (the caller's rights) and all of the second; *kinds*: at least one.
    ids : tuple of int
        Packages that need none of *any_of*: those that the caller was given one by one.
    """

    text: str
    words: tuple[str, ...]
    any_of: tuple[str, ...]
    all_of: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()


class Tier(StrEnum):
    """Where the words were found, best first."""

    WORD = "word"  # every word begins a word of the name
    SUBSTRING = "substring"  # the text is part of the name
    IMPORT = "import"  # of a module
    SUMMARY = "summary"  # of name, modules or summary
    BODY = "body"  # anywhere


class SearchIndex(Protocol):
    """Finds documents. Every call is bounded by *limit*, never by the number of matches."""

    def put(self, document: Document, *, new: bool = False) -> None:
        """Index *document* in place of what was there; *new*: nothing was."""
        ...

    def remove(self, package_id: int) -> None:
        """Forget a package."""
        ...

    def find(self, query: Query, tier: Tier, limit: int) -> list[int]:
        """Return ids of at most *limit* packages that match in *tier*, newest first.

        Without words, everything that the facets allow matches.
        """
        ...


def normalise(text: str) -> str:
    """Return typed text in lowercase with single spaces, without control characters: both databases stop at a NUL."""
    printable = "".join(character if character.isprintable() else " " for character in unicodedata.normalize("NFKC", text))
    return " ".join(printable.lower().split())


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a normalised text, without separators that the index drops too."""
    return tuple(word[:_MAX_WORD] for word in _WORD.findall(text.replace("_", " "))[:_MAX_WORDS])
