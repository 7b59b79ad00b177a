"""``carrel demo``, also ``python -m carrel.demo``."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from carrel.core.errors import CarrelError
from carrel.core.progress import OnProgress, Progress
from carrel.core.units import format_bytes
from carrel.demo.session import PASSWORD, USER, demonstration, wait_for_interrupt

_console = Console(stderr=True, highlight=False)


@contextmanager
def _stage(title: str) -> Iterator[OnProgress]:
    with _console.status(f"{escape(title)} …") as status:
        yield _reporter(title, status)
    _console.print(f"[green]✓[/green] {escape(title)}")


def _reporter(title: str, status: Status) -> OnProgress:
    def report(progress: Progress) -> None:
        if progress.total:
            amount = (
                f"{format_bytes(progress.done)} of {format_bytes(progress.total)}"
                if progress.unit == "bytes"
                else f"{progress.done} of {progress.total}"
            )
            status.update(f"{escape(title)} … {progress.stage} {amount}")

    return report


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--keep", "folder", type=click.Path(file_okay=False, path_type=Path), help="Keep all data in this folder, and go on with it next time."
)
@click.option("--hub-port", type=click.IntRange(0, 65535), help="Port of the hub (default: a free one).")
@click.option("--lab-port", type=click.IntRange(0, 65535), help="Port of JupyterLab (default: a free one).")
@click.option("--browser/--no-browser", default=False, help="Open JupyterLab in the browser.")
@click.option("--prepare-only", is_flag=True, help="Prepare the data in the folder of --keep, then end.")
def main(folder: Path | None, hub_port: int | None, lab_port: int | None, browser: bool, prepare_only: bool) -> None:
    """Start a hub and JupyterLab with sample content, on this machine alone.

    Ctrl-C ends both and removes everything, unless --keep names a folder.
    """
    if prepare_only and folder is None:
        raise click.UsageError("--prepare-only needs --keep FOLDER.")
    try:
        with demonstration(_stage, folder=folder, hub_port=hub_port, lab_port=lab_port) as running:
            click.echo(f"\n  JupyterLab  {running.lab_url}\n  Hub         {running.hub_url}   (sign in as {USER}, password {PASSWORD})\n")
            if prepare_only:
                return
            click.echo(f"Press Ctrl-C to end{'' if folder is None else f'; the data stays in {running.folder}'}.")
            if browser:
                webbrowser.open(running.lab_url)
            wait_for_interrupt()
            click.echo("Ending …")
    except CarrelError as error:
        raise click.ClickException(error.detail) from error
    except KeyboardInterrupt:
        raise click.Abort from None


if __name__ == "__main__":
    main(prog_name="carrel demo")
