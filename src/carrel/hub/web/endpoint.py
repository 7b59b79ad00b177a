"""The one decorator of every verb: who may call it, what goes in, what comes out.

A plain method is service work: it runs in a thread, inside a unit of work that is committed before the answer is
written. A coroutine method moves bytes itself: it gets no unit and writes its own answer (or returns one).
The same declarations generate the OpenAPI description, and the server refuses to start when a verb has none.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from carrel.core.errors import CarrelError
from carrel.core.scopes import Scope

if TYPE_CHECKING:
    from carrel.database.unit_of_work import UnitOfWork

VERBS = ("get", "head", "post", "put", "patch", "delete", "options")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known of one verb of one handler (see :func:`endpoint`)."""

    summary: str
    description: str
    scope: Scope | None
    anonymous: bool
    password: bool
    request: type[BaseModel] | None
    query: type[BaseModel] | None
    response: type[BaseModel] | None
    media_type: str
    status: int
    writes: bool
    errors: tuple[type[CarrelError], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is more than a body: another status, headers.

    ``body`` is a schema, bytes, or None for an empty answer.
    """

    body: BaseModel | bytes | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def endpoint(
    *,
    summary: str,
    scope: Scope | None = None,
    anonymous: bool = False,
    password: bool = False,
    request: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    response: type[BaseModel] | None = None,
    media_type: str = "application/json",
    status: int = 200,
    writes: bool = False,
    errors: Sequence[type[CarrelError]] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Awaitable[None]]]:
    """Declare a verb method of a handler.

    Parameters
    ----------
    summary : str
        One line for the API description; the method's docstring is its long text.
    scope : Scope, optional
        What a credential must allow. None: no credential is looked at beyond identity.
    anonymous : bool
        Whether the verb answers callers who are not signed in (they see what everyone sees). With neither *scope* nor
        *anonymous*, any signed-in caller may call.
    password : bool
        Whether user name and password (Basic) are accepted beside tokens and sessions.
    request, query : type of BaseModel, optional
        JSON body and query parameters; validated ones arrive as keyword arguments ``body`` and ``query``.
    response : type of BaseModel, optional
        What the method returns.
    media_type : str
        Of the answer, when it is not JSON.
    status : int
        Of the normal answer.
    writes : bool
        Whether the method gets a unit of work that writes.
    errors : sequence of CarrelError types
        Further failures, for the description.
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., Awaitable[None]]:
        declaration = Declaration(
            summary,
            inspect.cleandoc(method.__doc__ or ""),
            scope,
            anonymous,
            password,
            request,
            query,
            response,
            media_type,
            status,
            writes,
            tuple(errors),
        )

        if inspect.iscoroutinefunction(method):

            @functools.wraps(method)
            async def answer(self: Any, *args: str, **path: str) -> None:
                result = await method(self, *args, **path, **self.read_input(declaration))
                if result is not None:
                    self.write_reply(declaration, result)

        else:

            @functools.wraps(method)
            async def answer(self: Any, *args: str, **path: str) -> None:
                given = self.read_input(declaration)

                def work(uow: UnitOfWork) -> Any:
                    return method(self, uow, *args, **path, **given)

                run = self.hub.pool.write if declaration.writes else self.hub.pool.read
                self.write_reply(declaration, await run(work))

        answer.declaration = declaration  # type: ignore[attr-defined]
        return answer

    return decorate


def declaration_of(handler: type[Any], verb: str) -> Declaration | None:
    """Return the declaration of a verb of *handler*, None when it has none."""
    declaration = getattr(getattr(handler, verb.lower(), None), "declaration", None)
    return declaration if isinstance(declaration, Declaration) else None
