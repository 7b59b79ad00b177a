"""Long work of the extension: one queue per environment, progress that can be followed and resumed, an end that is kept.

A job's log is a list of lines numbered from 1. The file of a job holds the same lines, so a page that is loaded again and
a server that was started again both see how the work ended.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from carrel.core.clock import now, to_rfc3339
from carrel.core.errors import Cancelled, CarrelError, NotFound
from carrel.core.progress import Progress
from carrel.core.tokens import redact

FINAL = frozenset({"done", "failed", "cancelled"})
_REPORT_SECONDS = 0.1
_KEPT_JOBS = 100
_KEPT_LINES = 5000


class JobContext:
    """What the work of a job may call, from its thread."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.cancel = threading.Event()
        self._last: tuple[str, float] = ("", 0.0)

    def progress(self, progress: Progress) -> None:
        """Report progress; reports that follow each other too quickly are dropped unless they end a stage or say something."""
        job = self._job
        moment = time.monotonic()
        stage, at = self._last
        with job.lock:
            job.stage, job.done, job.total, job.unit = progress.stage, progress.done, progress.total, progress.unit
        ends = bool(progress.total) and progress.done >= progress.total
        if progress.stage == stage and moment - at < _REPORT_SECONDS and not ends and not progress.message:
            return
        self._last = (progress.stage, moment)
        job.append(
            {
                "type": "progress",
                "stage": progress.stage,
                "done": progress.done,
                "total": progress.total,
                "unit": progress.unit,
                "message": redact(progress.message),
            }
        )

    def log(self, message: str) -> None:
        """Add a line of text to the log."""
        self._job.append({"type": "log", "message": redact(message)})


@dataclass
class Job:
    """One piece of long work."""

    id: str
    kind: str
    title: str
    environment: str | None
    file: Path | None
    state: str = "queued"
    stage: str | None = None
    done: int = 0
    total: int = 0
    unit: str = ""
    created_at: str = field(default_factory=lambda: to_rfc3339(now()))
    finished_at: str | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _sequence: int = 0
    _listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=set, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the job as the API shows it."""
        with self.lock:
            return {
                "id": self.id,
                "kind": self.kind,
                "title": self.title,
                "environment": self.environment,
                "state": self.state,
                "stage": self.stage,
                "done": self.done,
                "total": self.total,
                "unit": self.unit,
                "created_at": self.created_at,
                "finished_at": self.finished_at,
                "result": self.result,
                "error": self.error,
            }

    @property
    def finished(self) -> bool:
        """Whether the job will not change any more."""
        return self.state in FINAL

    def append(self, line: dict[str, Any]) -> None:
        """Add a line to the log and wake those who follow it."""
        with self.lock:
            self._sequence += 1
            line = {"seq": self._sequence, **line}
            self.lines.append(line)
            if len(self.lines) > _KEPT_LINES:
                del self.lines[: _KEPT_LINES // 10]
            listeners = list(self._listeners)
            self._keep(line)
        for loop, event in listeners:
            with contextlib.suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(event.set)

    def change_state(self, state: str, *, result: Any = None, error: dict[str, Any] | None = None) -> None:
        """Enter *state*."""
        with self.lock:
            self.state, self.result, self.error = state, result, error
            if state in FINAL:
                self.finished_at = to_rfc3339(now())
        if state in FINAL:
            with self.lock:
                summary = {"type": "job", "state": state, "finished_at": self.finished_at, "stage": self.stage}
                self._keep(summary)
        self.append({"type": "state", "state": state, "result": result, "error": error})

    def _keep(self, line: dict[str, Any]) -> None:
        if self.file is not None:
            with contextlib.suppress(OSError), self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def lines_after(self, sequence: int) -> list[dict[str, Any]]:
        """Return the lines with greater numbers than *sequence*."""
        with self.lock:
            return [line for line in self.lines if line["seq"] > sequence]

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever a line is added."""
        event = asyncio.Event()
        entry = (asyncio.get_running_loop(), event)
        with self.lock:
            self._listeners.add(entry)
        try:
            yield event
        finally:
            with self.lock:
                self._listeners.discard(entry)


Work = Callable[[JobContext], Any]


class JobManager:
    """Runs jobs in threads.

    Parameters
    ----------
    folder : pathlib.Path or None
        Where logs are kept; None keeps nothing.
    max_jobs : int
        How many jobs run at a time. Jobs with one key never do.
    """

    def __init__(self, folder: Path | None, max_jobs: int, log: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self._folder = folder
        self._log = log
        self._pool = ThreadPoolExecutor(max_jobs, thread_name_prefix="carrel-job")
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._contexts: dict[str, JobContext] = {}
        self._waiting: dict[str, collections.deque[tuple[Job, Work]]] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._load(folder)

    def submit(self, kind: str, title: str, work: Work, *, environment: str | None = None, key: str | None = None) -> Job:
        """Queue *work* and return its job. Work with the same *key* runs one after the other, in order."""
        job_id = secrets.token_hex(8)
        job = Job(job_id, kind, title, environment, self._folder / f"{job_id}.jsonl" if self._folder else None)
        self._write_header(job)
        key = key or job_id
        with self._lock:
            self._forget_oldest()
            self._jobs[job_id] = job
            self._contexts[job_id] = JobContext(job)
            busy = key in self._waiting
            queue = self._waiting.setdefault(key, collections.deque())
            if busy:
                queue.append((job, work))
        job.append({"type": "state", "state": "queued", "result": None, "error": None})
        if not busy:
            self._pool.submit(self._run_queue, key, job, work)
        return job

    def list(self) -> list[Job]:
        """Return all jobs, newest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: job.created_at, reverse=True)

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises
        ------
        carrel.core.errors.NotFound
        """
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise NotFound("There is no such job. It may be too long ago.", code="job_not_found")
        return job

    def cancel(self, job_id: str) -> Job:
        """Ask a job to end. One that is still queued ends at once."""
        job = self.get(job_id)
        with self._lock:
            context = self._contexts.get(job_id)
            queued = False
            for queue in self._waiting.values():
                for entry in queue:
                    if entry[0] is job:
                        queue.remove(entry)
                        queued = True
                        break
        if context is not None:
            context.cancel.set()
        if queued:
            job.change_state("cancelled")
        return job

    def shutdown(self) -> None:
        """Ask every job to end and let the threads go."""
        with self._lock:
            contexts = list(self._contexts.values())
            for queue in self._waiting.values():
                queue.clear()
        for context in contexts:
            context.cancel.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run_queue(self, key: str, job: Job, work: Work) -> None:
        self._run(job, work)
        with self._lock:
            queue = self._waiting[key]
            if not queue:
                del self._waiting[key]
                return
            following = queue.popleft()
        with contextlib.suppress(RuntimeError):  # shutting down
            self._pool.submit(self._run_queue, key, *following)

    def _run(self, job: Job, work: Work) -> None:
        context = self._contexts[job.id]
        try:
            if context.cancel.is_set():
                raise Cancelled("Cancelled before it began.")
            job.change_state("running")
            result = work(context)
        except Cancelled as error:
            job.change_state("cancelled", error=_error(error))
        except CarrelError as error:
            job.change_state("failed", error=_error(error))
        except BaseException as error:
            self._log.exception("The job %s failed unexpectedly", job.title)
            detail = f"Something unexpected happened ({type(error).__name__}). The log of the Jupyter server tells more."
            job.change_state("failed", error={"code": "internal_error", "message": detail, "detail": detail})
        else:
            job.change_state("done", result=result)
        finally:
            with self._lock:
                self._contexts.pop(job.id, None)

    def _forget_oldest(self) -> None:
        """Make room for one more job; those that are not over stay. The lock must be held."""
        finished = sorted((job for job in self._jobs.values() if job.finished), key=lambda job: job.created_at)
        for job in finished[: max(0, len(self._jobs) + 1 - _KEPT_JOBS)]:
            del self._jobs[job.id]
            if job.file is not None:
                with contextlib.suppress(OSError):
                    job.file.unlink(missing_ok=True)

    def _write_header(self, job: Job) -> None:
        if job.file is None:
            return
        process = psutil.Process()
        header = {
            "type": "header",
            "id": job.id,
            "kind": job.kind,
            "title": job.title,
            "environment": job.environment,
            "created_at": job.created_at,
            "pid": process.pid,
            "started": process.create_time(),
        }
        with contextlib.suppress(OSError), open(os.open(job.file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            file.write(json.dumps(header) + "\n")

    def _load(self, folder: Path) -> None:
        files = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[_KEPT_JOBS:]:
            path.unlink(missing_ok=True)
        for path in files[:_KEPT_JOBS]:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                if job := _read(path):
                    self._jobs[job.id] = job


def _error(error: CarrelError) -> dict[str, Any]:
    return {**error.fields, "code": error.code, "message": error.detail, "detail": error.detail}


def _read(path: Path) -> Job | None:
    with path.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    header = lines[0]
    job = Job(header["id"], header["kind"], header["title"], header["environment"], path, created_at=header["created_at"])
    for line in lines[1:]:
        if line["type"] == "job":
            job.finished_at, job.stage = line["finished_at"], line["stage"]
            continue
        job.lines.append(line)
        job._sequence = max(job._sequence, line["seq"])
        if line["type"] == "state":
            job.state, job.result, job.error = line["state"], line["result"], line["error"]
        elif line["type"] == "progress":
            job.stage, job.done, job.total, job.unit = line["stage"], line["done"], line["total"], line["unit"]
    if job.finished:
        return job
    with contextlib.suppress(psutil.Error):
        if psutil.Process(header["pid"]).create_time() == header["started"]:
            return None  # another server of this person is at it
    detail = "The Jupyter server ended before this was done. An environment that was being changed is repaired when it is changed next."
    job.change_state("failed", error={"code": "interrupted", "message": detail, "detail": detail})
    return job
