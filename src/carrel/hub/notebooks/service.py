"""Rendered notebooks, made once per content and renderer version."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, cast

from carrel.core.errors import InvalidFile, NotFound, TooLarge
from carrel.core.units import format_bytes
from carrel.formats.notebook.document import parse
from carrel.hub.accounts.principal import Principal
from carrel.hub.notebooks.places import NotebookPlaces, Place
from carrel.hub.notebooks.rendering import RenderedNotebook, render_notebook
from carrel.storage.base import BlobStore

_MAX_SHOWN = 30_000_000  # bytes of a notebook
_CACHE_BYTES = 32_000_000


class NotebookService:
    """Shows notebooks to those who may reach them.

    Rendering depends on the bytes alone, so documents are kept by digest, in this process, the least recently used ones
    forgotten first; nobody gets one without the question whether they may.

    Parameters
    ----------
    blobs : BlobStore
    cache_bytes : int
        Room for rendered documents.

    Attributes
    ----------
    places : NotebookPlaces
        Where notebooks are; listens to changes of packages.
    """

    def __init__(self, blobs: BlobStore, cache_bytes: int = _CACHE_BYTES) -> None:
        self.places = NotebookPlaces()
        self._blobs = blobs
        self._room = cache_bytes
        self._kept: OrderedDict[str, RenderedNotebook] = OrderedDict()
        self._lock = threading.Lock()

    def authorize(self, principal: Principal, places: Sequence[Place]) -> None:
        """Refuse unless *principal* may see a notebook that is at *places* (:class:`~carrel.hub.notebooks.places.NotebookPlaces`).

        Raises
        ------
        NotFound
            There is no such notebook, or the caller may not know that there is.
        TooLarge
        """
        place = next((place for place in places if place.is_open_to(principal)), None)
        if place is None:
            raise NotFound("There is no such notebook.")
        if place.size > _MAX_SHOWN:
            raise TooLarge(
                f"This notebook has {format_bytes(place.size)}, and up to {format_bytes(_MAX_SHOWN)} are shown here. Download it instead.",
                limit=_MAX_SHOWN,
            )

    def kept(self, sha256: str) -> RenderedNotebook | None:
        """Return the document if it is in memory."""
        with self._lock:
            if sha256 in self._kept:
                self._kept.move_to_end(sha256)
            return self._kept.get(sha256)

    def rendered(self, sha256: str) -> RenderedNotebook:
        """Return the document of a notebook that the caller may see (:meth:`authorize`).

        Raises
        ------
        NotFound
            The bytes are gone.
        InvalidFile
        """
        if (known := self.kept(sha256)) is not None:
            return known
        rendered = render_notebook(_document(b"".join(self._blobs.read(sha256))))
        size = len(rendered.document)
        if size <= self._room // 4:
            with self._lock:
                self._kept[sha256] = rendered
                total = sum(len(kept.document) for kept in self._kept.values())
                while total > self._room:
                    total -= len(self._kept.popitem(last=False)[1].document)
        return rendered


def _document(data: bytes) -> Mapping[str, Any]:
    # Validated when it was uploaded, and the renderer leaves out what it does not know; only old formats need converting.
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidFile("The notebook is not valid JSON.") from error
    if not isinstance(document, dict) or document.get("nbformat") != 4:
        document = parse(data)
    return cast(Mapping[str, Any], document)
