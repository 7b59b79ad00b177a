"""conda, mamba and micromamba: the list ``channels`` of ``.condarc``."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from carrel.cli.settings.source import Change, Source, damaged, first_existing, home, user_config
from carrel.core.errors import BadRequest


def files(environ: Mapping[str, str], _source: Source) -> list[tuple[Path, Change]]:
    """Return ``CONDARC``, else the person's ``.condarc``."""
    if path := environ.get("CONDARC"):
        return [(Path(path), change)]
    base = home(environ)
    return [(first_existing(base / ".condarc", base / ".conda" / ".condarc", user_config(environ) / "conda" / ".condarc"), change)]


def change(text: str, source: Source) -> str:
    """Put the channel first in ``channels``; other settings and comments stay.

    conda adds the channels of its other settings files behind these, so none is invented here.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.error import YAMLError

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1_000_000  # no line is folded
    yaml.indent(mapping=2, sequence=4 if "\n  - " in text else 2, offset=2 if "\n  - " in text else 0)
    try:
        document = yaml.load(text)
    except YAMLError as error:
        raise damaged(".condarc", error) from error
    if document is None:
        document = CommentedMap()
    if not isinstance(document, CommentedMap):
        raise BadRequest(".condarc is not a list of settings and was left alone.", code="damaged_settings")
    channels = document.get("channels")
    if isinstance(channels, str):
        channels = CommentedSeq([channels])
    if not isinstance(channels, CommentedSeq):
        channels = CommentedSeq()
    url = source.conda_channel
    if list(channels)[:1] == [url] and (not source.only or len(channels) == 1):
        return text
    for number in reversed(range(len(channels))):
        if source.only or source.is_own("conda", str(channels[number])):
            del channels[number]
    channels.insert(0, url)
    document["channels"] = channels
    comments = text if text.strip() and len(document) == 1 and not _has_data(text) else ""
    stream = io.StringIO()
    yaml.dump(document, stream)
    # A file of comments alone has nothing that they could be attached to.
    return (comments.rstrip("\n") + "\n" if comments else "") + stream.getvalue()


def _has_data(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())
