"""``carrel reproduce``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from carrel.cli.invocation import Invocation, subcommand
from carrel.cli.output import cancellable, count, cut, progress
from carrel.cli.places import configured, hub_headers, source_options
from carrel.client.references import Reference
from carrel.core.units import format_bytes
from carrel.environments import Sources
from carrel.environments.elsewhere import Elsewhere, platform_mismatch
from carrel.environments.locations import current_platform
from carrel.sharing import notebook as notebooks
from carrel.sharing.reproduce import Publication, describe_kind, fetch, lock_packages, reproduce, solve_here, target_prefix
from carrel.sharing.trust import TrustStore, new_sources

_ANSWER = {
    "reference": "The exact release, `NAMESPACE/NAME@VERSION`.",
    "review": "What it is: an object with `title`, `published_by`, `published_at`, `visibility`, `message`, `url`, `notebook` and "
    "`environment` (`kind`, `platform`, `matches_platform`, `python_version`, `packages`, `sources`, `new_sources`, `download_bytes`, "
    "`already_built`, `problems`).",
    "path": "The notebook's copy, or null.",
    "kernel": "Name of the kernel, or null.",
    "prefix": "Folder of the environment, or null.",
    "built": "Whether the environment was built now; false when it was there.",
    "command": "The command that opens the notebook, or null.",
    "kernels": "Names of all kernels that were set up: one for each language of the environment.",
    "solved": "What differs from what was published, when it was solved anew for this platform: an object with `platform`, "
    "`captured_on`, `solved_as_of`, `packages`, `download_bytes`, `versions`, `builds`, `missing`, `extra` and `problems`; otherwise null.",
    "warnings": "What to know about the environment, as sentences.",
}


@subcommand(_ANSWER)
@click.argument("reference", metavar="REF")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder of the copy (default: this one).")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking, also from places that are new to this machine.")
@click.option("--solve", is_flag=True, help="Published for other platforms: solve it anew for this one, as of when it was captured.")
@click.option("--review", "only_review", is_flag=True, help="Show what would be done and end.")
@source_options
def command(
    invocation: Invocation,
    reference: str,
    into: Path,
    yes: bool,
    solve: bool,
    only_review: bool,
    channels: tuple[str, ...],
    indexes: tuple[str, ...],
) -> None:
    """Rebuild the environment of a publication and open its notebook.

    REF is NAMESPACE/NAME, NAMESPACE/NAME@VERSION, or the address of the page. Exactly the locked files are installed, each
    compared with its locked digest. Nothing is solved again unless --solve says so, and no code of the notebook runs.
    """
    ref = invocation.reference(reference)
    client = invocation.client_for(ref)
    publication = fetch(client, ref)
    trust = TrustStore()
    known = known_sources(invocation, channels, indexes)
    review = review_json(publication, client.base_url, known, trust)
    exact = publication.reference
    document: dict[str, Any] = {"reference": str(exact), "review": review}
    mismatch = publication.locks is not None and not publication.fits
    if mismatch and not solve and not only_review and publication.locks is not None:
        raise platform_mismatch(f"The environment of {exact}", publication.locks.platforms)
    sources = Sources(*configured(channels, indexes), hub_headers(invocation, client.base_url))
    solved: Elsewhere | None = None
    if mismatch and solve:
        with cancellable() as cancel, progress(invocation) as show:
            solved = solve_here(publication, sources, show, cancel)
    if only_review or not yes:
        lines = review_lines(exact, review)
        lines += [f"  For {current_platform()}:", *(f"    {line}" for line in solved.lines())] if solved else []
        if only_review:
            nothing = dict.fromkeys(("path", "kernel", "prefix", "built", "command"))
            document |= {**nothing, "kernels": [], "solved": solved.to_json() if solved else None, "warnings": []}
            invocation.answer(document, lines)
            return
        for line in lines:
            click.echo(line, err=True)
        environment = review["environment"]
        if environment is None or not environment["already_built"]:
            invocation.confirm("Go on?")
    with cancellable() as cancel, progress(invocation) as show:
        made = reproduce(
            client,
            exact,
            into,
            known_sources=known,
            trust_sources=True,
            sources=sources,
            on_progress=show,
            cancel=cancel,
            trust=trust,
            allow_solve=solve,
            program="carrel reproduce",
        )
    opening = f"jupyter lab {shlex.quote(str(made.path))}" if made.path else None
    document |= {
        "path": str(made.path) if made.path else None,
        "kernel": made.kernel_name,
        "prefix": str(made.prefix) if made.prefix else None,
        "built": made.built,
        "command": opening,
        "kernels": list(made.kernels),
        "solved": made.solved.to_json() if made.solved else None,
        "warnings": list(made.warnings),
    }
    for text in made.warnings:
        invocation.warn(text)
    told = [
        *([f"Notebook     {made.path}"] if made.path else []),
        *([f"Environment  {made.prefix}" + ("" if made.built else "  (was there)")] if made.prefix else []),
        *(f"Kernel       {name}" for name in made.kernels),
        *([f"Open it with {opening}"] if opening else []),
    ]
    invocation.answer(document, told)


def known_sources(invocation: Invocation, channels: Sequence[str], indexes: Sequence[str]) -> list[str]:
    """Return the addresses that need no agreement: the configured channels and indexes, and the chosen hub."""
    from rattler import Channel

    chosen_channels, chosen_indexes = configured(channels, indexes)
    addresses = [str(Channel(channel).base_url) for channel in chosen_channels]
    hub = invocation.known_hub()
    return [*addresses, *chosen_indexes, *([hub] if hub else [])]


def review_json(publication: Publication, hub_url: str, known: Sequence[str], trust: TrustStore) -> dict[str, Any]:
    """Return what a person should know before anything is installed."""
    release, lock = publication.release, publication.lock
    environment = None
    if lock is not None:
        built = target_prefix(lock)[1]
        environment = {
            "kind": describe_kind(lock),
            "platform": lock.platform,
            "matches_platform": publication.fits,
            "python_version": lock.python_version or None,
            "packages": lock_packages(lock),
            "sources": list(publication.sources),
            "new_sources": [] if built else list(new_sources(publication, known, trust)),
            "download_bytes": 0 if built else lock.download_bytes,
            "already_built": built,
            "problems": [{"code": problem.code, "message": problem.message} for problem in lock.problems],
        }
    notebook = None
    title = None
    if publication.notebook is not None and publication.notebook_file is not None:
        file = publication.notebook_file
        notebook = {"filename": file.filename, "size": file.size, "cells": len(publication.notebook["cells"])}
        title = notebooks.title(publication.notebook, file.filename)
    return {
        "title": title,
        "published_by": release.published_by,
        "published_at": release.published_at,
        "visibility": publication.package.visibility,
        "message": release.message or None,
        "url": release.url or publication.reference.page(hub_url),
        "notebook": notebook,
        "environment": environment,
    }


def review_lines(reference: Reference, review: dict[str, Any]) -> list[str]:
    """Return the review as text."""
    by = f", published by {review['published_by']}" if review["published_by"] else ""
    lines = [f"{reference}{by}, {review['visibility']}", f"  {review['url']}"]
    if review["title"]:
        lines.insert(1, f"  {cut(review['title'])}")
    if review["message"]:
        lines.append(f"  {cut(review['message'])}")
    environment = review["environment"]
    if environment is None:
        return [*lines, "  It was published without its environment; the notebook opens with a kernel of yours."]
    packages = environment["packages"]
    python = f", Python {environment['python_version']}" if environment["python_version"] else ""
    lines.append(f"  Environment: {environment['kind']}{python}, {count(len(packages), 'package')} for {environment['platform']}")
    if environment["already_built"]:
        lines.append("  It is on this machine already.")
    else:
        named = [f"{package['name']} {package['version']}" for package in packages]
        lines.append(f"  {', '.join(named[:12])}" + (f" and {len(named) - 12} more" if len(named) > 12 else ""))
        if environment["download_bytes"]:
            lines.append(f"  At most {format_bytes(environment['download_bytes'])} are downloaded.")
    if not environment["matches_platform"]:
        lines.append(f"  It was captured on {environment['platform']}; this machine is {current_platform()}.")
    lines += [f"  {problem['message']}" for problem in environment["problems"]]
    if environment["new_sources"]:
        lines += ["  Packages come from places that this machine has not used before:", *(f"    {s}" for s in environment["new_sources"])]
    return lines
