"""The child process in which all conda work happens: one JSON request on standard input, JSON lines on standard output.

Run as ``python -P -m carrel.environments.conda.worker``. It is a process of its own because an installation under way
cannot be stopped from inside (cancelling is killing), because a crash of the native library must not take the server with
it, and because interpreters that loaded the library may crash while they exit, which ``os._exit`` avoids.

Standard input stays open as a life line: when it ends, the parent is gone and the worker ends at once.

Lines out: ``{"type": "progress", …}`` any number of times, then one ``{"type": "result", "value": …}`` or
``{"type": "error", "kind": …, "message": …, …}``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import IO, Any

from carrel.environments.conda.failure import Failure


class Output:
    """Writes lines to the parent; nothing else may write to its standard output."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, line: dict[str, Any]) -> None:
        """Send one line. When nobody listens any more, end."""
        text = json.dumps(line, ensure_ascii=True)
        with self._lock:
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except OSError:
                os._exit(3)

    def progress(self, stage: str, done: int, total: int, unit: str, message: str = "") -> None:
        """Report progress."""
        self.send({"type": "progress", "stage": stage, "done": done, "total": total, "unit": unit, "message": message})


def _follow_parent() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(3)


async def _run(request: dict[str, Any], output: Output) -> Any:
    # imported here: a solve needs no linking, and the native library is only loaded after the life line is watched
    match request["command"]:
        case "solve":
            from carrel.environments.conda import solving

            return await solving.solve(request, output.progress)
        case "solve_each":
            from carrel.environments.conda import solving

            return await solving.solve_each(request, output.progress)
        case "ask":
            from carrel.environments.conda import asking

            return await asking.ask(request, output.progress)
        case "fetch":
            from carrel.environments.conda import fetching

            return await fetching.fetch(request, output.progress)
        case "link":
            from carrel.environments.conda import linking

            return await linking.link(request, output.progress)
        case "lock":
            from carrel.environments.conda import lock_solving

            return await lock_solving.lock(request, output.progress)
        case "find":
            from carrel.environments.conda import lock_solving

            return await lock_solving.find(request, output.progress)
        case unknown:
            raise Failure("request", f"unknown command {unknown!r}")


def main() -> None:
    """Serve one request and leave without the interpreter's usual farewells."""
    # the real standard output is for lines alone: whatever libraries print goes to standard error
    stream = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    output = Output(stream)
    request = json.loads(sys.stdin.buffer.readline() or b"{}")
    threading.Thread(target=_follow_parent, daemon=True).start()
    code = 0
    try:
        output.send({"type": "result", "value": asyncio.run(_run(request, output))})
    except Failure as failure:
        output.send({"type": "error", "kind": failure.kind, "message": str(failure), **failure.fields})
        code = 1
    except Exception as error:
        output.send({"type": "error", "kind": "internal", "message": f"{type(error).__name__}: {error}"})
        code = 1
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
