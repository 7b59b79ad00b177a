"""JSON objects to frozen dataclasses, forgiving of members that are missing or unknown.

A newer hub may send more than this client knows and an older one less; neither may break it.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from carrel.core.errors import UpstreamError

T = TypeVar("T")

_EMPTY: dict[type, Any] = {str: "", int: 0, float: 0.0, bool: False}


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def decode(cls: type[T], value: object) -> T:
    """Return *value*, a decoded JSON object, as an instance of the dataclass *cls*.

    Raises
    ------
    carrel.core.errors.UpstreamError
        *value* is not an object.
    """
    if not isinstance(value, Mapping):
        raise UpstreamError(f"The hub sent something that is not a {cls.__name__}. Is the address that of a Carrel hub?")
    hints = _hints(cast(Any, cls))
    members: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name in value:
            members[field.name] = _convert(hints[field.name], value[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            members[field.name] = _convert(hints[field.name], None)
    return cls(**members)


def _convert(hint: Any, value: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _convert(next(a for a in arguments if a is not type(None)), value)
    if origin is tuple:
        return tuple(_convert(arguments[0], item) for item in value) if isinstance(value, (list, tuple)) else ()
    if origin is not None:  # dict[str, Any]
        return dict(value) if isinstance(value, Mapping) else {}
    if dataclasses.is_dataclass(hint):
        return decode(cast(type[Any], hint), value if isinstance(value, Mapping) else {})
    if hint in _EMPTY:
        if value is None:
            return _EMPTY[hint]
        return value if isinstance(value, hint) else hint(value)
    return value
