"""The child process in which all conda work happens: JSON requests on standard input, JSON lines on standard output.

Run as ``python -P -m carrel.environments.conda.worker``. It is a process of its own because an installation under way
cannot be stopped from inside (cancelling is killing), because a crash of the native library must not take the server with
it, and because interpreters that loaded the library may crash while they exit, which ``os._exit`` avoids.

Standard input, a socket where there are sockets, stays open as a life line: when it ends, the parent is gone and the worker ends
at once. An empty line brings open files, which are held until the request that follows has been served: the locks of the work.

Lines out, for each request: ``{"type": "progress", …}`` any number of times, then one ``{"type": "result", "value": …}`` or
``{"type": "error", "kind": …, "message": …, …}``.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any

from carrel.environments.conda.failure import Failure

_CHUNK = 1 << 20


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


class Input:
    """Reads requests as they come, and ends the process when there will be no more."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[tuple[dict[str, Any], list[int]]] = queue.SimpleQueue()
        threading.Thread(target=self._follow, daemon=True).start()

    def next(self) -> tuple[dict[str, Any], list[int]]:
        """Return the next request and the open files that came with it."""
        return self._requests.get()

    def _follow(self) -> None:
        descriptors: list[int] = []
        line = bytearray()
        try:
            for data, files in _pieces():
                descriptors += files
                *ended, rest = data.split(b"\n")
                for piece in ended:
                    text = bytes(line) + piece
                    line.clear()
                    if text:
                        self._requests.put((json.loads(text), descriptors))
                        descriptors = []
                line += rest
        finally:
            os._exit(3)


def _pieces() -> Iterator[tuple[bytes, list[int]]]:
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        for line in sys.stdin.buffer:
            yield line, []
        return
    with socket.socket(fileno=0) as stream:
        while True:
            data, files, _, _ = socket.recv_fds(stream, _CHUNK, 8)
            if not data:
                return
            yield data, files


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
    """Serve requests until there are no more."""
    # the real standard output is for lines alone: whatever libraries print goes to standard error
    stream = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    output, requests = Output(stream), Input()
    while True:
        request, files = requests.next()
        answer = _answer(request, output)
        # before it is told: who hears it may want the locks for somebody else
        for file in files:
            os.close(file)
        sys.stderr.flush()
        output.send(answer)


def _answer(request: dict[str, Any], output: Output) -> dict[str, Any]:
    try:
        return {"type": "result", "value": asyncio.run(_run(request, output))}
    except Failure as failure:
        return {"type": "error", "kind": failure.kind, "message": str(failure), **failure.fields}
    except Exception as error:
        return {"type": "error", "kind": "internal", "message": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
