"""All addresses of the extension, below ``<base URL>carrel/``."""

from __future__ import annotations

from typing import Any

from carrel.extension.handlers import copies, environments, hub, jobs, packages, publish, reproduce

_ID = r"(?P<environment_id>[0-9a-f]{16})"
_REVISION = r"(?P<revision>[0-9]{1,9})"
_JOB = r"(?P<job_id>[0-9a-f]{1,32})"

ROUTES: list[tuple[str, Any]] = [
    (r"/carrel/status", hub.StatusHandler),
    (r"/carrel/login", hub.LoginHandler),
    (r"/carrel/login/(?P<flow>[A-Za-z0-9_-]{1,64})", hub.LoginStateHandler),
    (r"/carrel/hub/search", hub.HubSearchHandler),
    (r"/carrel/hub/releases", hub.HubReleasesHandler),
    (r"/carrel/kernels/(?P<kernel_id>[A-Za-z0-9_-]{1,64})/environment", environments.KernelEnvironmentHandler),
    (r"/carrel/environments", environments.EnvironmentsHandler),
    (rf"/carrel/environments/{_ID}", environments.EnvironmentHandler),
    (rf"/carrel/environments/{_ID}/packages", environments.InstalledHandler),
    (rf"/carrel/environments/{_ID}/clone", copies.CloneHandler),
    (rf"/carrel/environments/{_ID}/plan", environments.PlanHandler),
    (rf"/carrel/environments/{_ID}/apply", environments.ApplyHandler),
    (rf"/carrel/environments/{_ID}/revisions", environments.RevisionsHandler),
    (rf"/carrel/environments/{_ID}/revisions/{_REVISION}/restore", environments.RestoreHandler),
    (rf"/carrel/environments/{_ID}/revisions/{_REVISION}/diff", environments.RevisionDifferenceHandler),
    (rf"/carrel/environments/{_ID}/export", environments.ExportHandler),
    (r"/carrel/search", packages.SearchHandler),
    (r"/carrel/packages/(?P<source>[^/]+)/(?P<name>[^/]+)", packages.PackageHandler),
    (r"/carrel/imports", packages.ImportsHandler),
    (r"/carrel/jobs", jobs.JobsHandler),
    (rf"/carrel/jobs/{_JOB}", jobs.JobHandler),
    (rf"/carrel/jobs/{_JOB}/log", jobs.JobLogHandler),
    (r"/carrel/publish/check", publish.PublishCheckHandler),
    (r"/carrel/publish", publish.PublishHandler),
    (r"/carrel/publish/undo", publish.PublishUndoHandler),
    (r"/carrel/reproduce/review", reproduce.ReviewHandler),
    (r"/carrel/reproduce/solve", reproduce.SolveHandler),
    (r"/carrel/reproduce", reproduce.ReproduceHandler),
]
