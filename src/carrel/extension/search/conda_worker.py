"""The child process that reads conda channels: one JSON request on standard input, one JSON answer on standard output.

Loading a large channel takes seconds and much memory, and the library may crash when its process ends; neither may
happen to the Jupyter server. Run as ``python -P -m carrel.extension.search.conda_worker``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

_RECORDS_PER_NAME = 400


async def _answer(request: dict[str, Any]) -> Any:
    from rattler import Channel, Gateway

    if request["command"] == "address":
        return Channel(request["channel"]).base_url

    from carrel.environments.conda.network import make_client

    gateway = Gateway(cache_dir=Path(request["cache"]) / "repodata", client=make_client(request.get("headers") or {}))
    sources, platforms = [request["channel"]], request["platforms"]
    if request["command"] == "names":
        found = await gateway.names(sources=sources, platforms=platforms)
        return sorted({_name(name) for name in getattr(found, "names", found)})
    result = await gateway.query(sources=sources, platforms=platforms, specs=request["names"], recursive=False)
    answer: dict[str, list[dict[str, Any]]] = {}
    for records in result:
        for record in records:
            answer.setdefault(record.name.normalized, []).append(_record(record))
    for records_of_name in answer.values():
        records_of_name.sort(key=lambda item: item["timestamp"] or 0, reverse=True)
        del records_of_name[_RECORDS_PER_NAME:]
    return answer


def _name(name: Any) -> str:
    return str(getattr(name, "normalized", name))


def _record(record: Any) -> dict[str, Any]:
    timestamp = record.timestamp
    return {
        "version": str(record.version),
        "build": str(record.build),
        "subdir": str(record.subdir),
        "depends": [str(depend) for depend in record.depends],
        "size": record.size,
        "license": str(record.license) if record.license else None,
        "timestamp": timestamp.timestamp() if hasattr(timestamp, "timestamp") else timestamp,
    }


def main() -> None:
    """Answer one request and leave without the interpreter's usual farewells."""
    stream = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what libraries print is not part of the answer
    request = json.loads(sys.stdin.buffer.readline() or b"{}")
    try:
        answer = json.dumps({"value": asyncio.run(_answer(request))})
    except Exception as error:  # every failure is told to the parent, which has no other way to know
        answer = json.dumps({"error": str(error)[:2000]})
    stream.write(answer + "\n")
    stream.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
