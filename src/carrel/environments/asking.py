"""Asking a running kernel where it lives, without disturbing what it does."""

from __future__ import annotations

import ast
import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

_LONGEST_ANSWER = 20_000
_EXPRESSIONS = {
    "python": {"answer": "__import__('json').dumps([__import__('sys').prefix, __import__('sys').executable])"},
    # kernels that know no expressions leave the answer out; their process tells enough
    "r": {"answer": "R.home()"},
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a kernel says about itself; it may lie.

    Attributes
    ----------
    language : str
        Lower case; empty when it did not answer at all.
    prefix, executable : str
        Empty when it did not say.
    through_subshell : bool
        Whether it was asked beside what it was doing.
    """

    language: str = ""
    prefix: str = ""
    executable: str = ""
    through_subshell: bool = False


def ask_kernel(connection_file: Path, *, timeout: float = 4.0) -> Answer:
    """Ask the kernel of *connection_file*.

    A kernel that has subshells is asked on one of its own, so a running cell neither waits nor lets us wait; another one
    answers when it is idle. Nothing enters its history, its output or its count of executions. A kernel that does not answer
    within *timeout* seconds in all leaves the answer empty.
    """
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    try:
        client.load_connection_file(str(connection_file))
        client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=True)  # noqa: S604 - a channel's name
        conversation = _Conversation(client, time.monotonic() + timeout)
        return _converse(conversation)
    except (OSError, ValueError, KeyError, RuntimeError, Empty, TimeoutError):
        return Answer()
    finally:
        with contextlib.suppress(Exception):
            client.stop_channels()


class _Conversation:
    def __init__(self, client: Any, deadline: float) -> None:
        self._client, self._deadline = client, deadline

    def ask(self, channel: str, kind: str, content: Mapping[str, Any], subshell: str = "") -> dict[str, Any]:
        """Send a request and return the content of its reply.

        Raises
        ------
        TimeoutError
        """
        message = self._client.session.msg(kind, dict(content))
        if subshell:
            message["header"]["subshell_id"] = subshell
        speaker = getattr(self._client, f"{channel}_channel")
        speaker.send(message)
        while (left := self._deadline - time.monotonic()) > 0:
            try:
                reply = speaker.get_msg(timeout=left)
            except Empty:
                break
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                found: dict[str, Any] = reply["content"]
                return found
        raise TimeoutError(kind)

    @contextlib.contextmanager
    def subshell(self) -> Iterator[str]:
        """Give the id of a subshell of our own."""
        made = self.ask("control", "create_subshell_request", {}).get("subshell_id") or ""
        try:
            yield made
        finally:
            if made:
                with contextlib.suppress(TimeoutError):
                    self.ask("control", "delete_subshell_request", {"subshell_id": made})


def _converse(conversation: _Conversation) -> Answer:
    # on the control channel, for the shell may be busy
    information = conversation.ask("control", "kernel_info_request", {})
    language = str((information.get("language_info") or {}).get("name") or "").lower()
    expressions = _EXPRESSIONS.get(language)
    if expressions is None:
        return Answer(language)
    request = {
        "code": "",
        "silent": True,
        "store_history": False,
        "user_expressions": expressions,
        "allow_stdin": False,
        "stop_on_error": False,
    }
    has_subshells = "kernel subshells" in (information.get("supported_features") or [])
    try:
        with conversation.subshell() if has_subshells else contextlib.nullcontext("") as subshell:
            reply = conversation.ask("shell", "execute_request", request, subshell)
    except TimeoutError:
        return Answer(language)
    prefix, executable = _read(language, (reply.get("user_expressions") or {}).get("answer"))
    return Answer(language, prefix, executable, bool(subshell))


def _read(language: str, value: Any) -> tuple[str, str]:
    """Return prefix and executable from the value of the expression, empty where it makes no sense."""
    data = value.get("data") if isinstance(value, Mapping) else None
    text = data.get("text/plain") if isinstance(data, Mapping) else None
    if not isinstance(text, str) or len(text) > _LONGEST_ANSWER:
        return "", ""
    if language == "r":
        home = text.strip().removeprefix("[1]").strip().strip('"')
        return home.removesuffix("/").removesuffix("/lib/R").removesuffix("/lib64/R"), ""
    with contextlib.suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        prefix, executable = json.loads(ast.literal_eval(text))
        if isinstance(prefix, str) and isinstance(executable, str | None):
            return prefix, executable or ""
    return "", ""
