"""Jobs and their logs."""

from __future__ import annotations

import asyncio
import json

from tornado import web
from tornado.iostream import StreamClosedError

from carrel.extension.handlers.base import CarrelHandler, authorized

HEARTBEAT_SECONDS = 15.0


class JobsHandler(CarrelHandler):
    """``jobs``."""

    auth_resource = "carrel:jobs"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Return all jobs, newest first."""
        self.reply({"items": [job.to_json() for job in self.services.jobs.list()]})


class JobHandler(CarrelHandler):
    """``jobs/{id}``."""

    auth_resource = "carrel:jobs"

    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        """Return one job."""
        self.reply(self.services.jobs.get(job_id).to_json())

    @web.authenticated
    @authorized
    async def delete(self, job_id: str) -> None:
        """Ask a job to end; its log tells when it has."""
        self.reply(self.services.jobs.cancel(job_id).to_json(), 202)


class JobLogHandler(CarrelHandler):
    """``jobs/{id}/log``: lines of JSON until the job ends, from any point on."""

    auth_resource = "carrel:jobs"

    @web.authenticated
    @authorized
    async def get(self, job_id: str) -> None:
        """Stream the lines after ``after``; blank lines keep the connection open through proxies."""
        job = self.services.jobs.get(job_id)
        after = self.number("after", 0, 2**53)
        self.set_header("Content-Type", "application/x-ndjson")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Accel-Buffering", "no")
        try:
            with job.listening() as event:
                while True:
                    event.clear()
                    ended = job.finished  # asked before the lines are read, so that the last line is not missed
                    for line in job.lines_after(after):
                        after = line["seq"]
                        self.write(json.dumps(line) + "\n")
                        ended = ended or (line["type"] == "state" and job.finished)
                    await self.flush()
                    if ended and not job.lines_after(after):
                        break
                    try:
                        await asyncio.wait_for(event.wait(), HEARTBEAT_SECONDS)
                    except TimeoutError:
                        self.write("\n")
            await self.finish()
        except StreamClosedError:
            pass  # the reader has gone; it may come back with ``after``
