"""The entry point: the table of commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from carrel import __version__
from carrel.cli.exits import Exit, complain, report
from carrel.cli.invocation import State
from carrel.cli.lazy import Lazy, LazyGroup
from carrel.core.errors import CarrelError

_COMMANDS = "carrel.cli.commands"

COMMANDS: dict[str, Lazy] = {
    "login": Lazy(f"{_COMMANDS}.login", "Sign in to a hub."),
    "logout": Lazy(f"{_COMMANDS}.logout", "Sign out of a hub."),
    "whoami": Lazy(f"{_COMMANDS}.whoami", "Show who is signed in, and where they may upload."),
    "search": Lazy(f"{_COMMANDS}.search", "Search the hub."),
    "show": Lazy(f"{_COMMANDS}.show", "Show a package and the files of one release."),
    "upload": Lazy(f"{_COMMANDS}.upload", "Upload packages, notebooks, environments and data files."),
    "download": Lazy(f"{_COMMANDS}.download", "Download the files of a release, verified."),
    "publish": Lazy(f"{_COMMANDS}.publish", "Publish a notebook with the environment it runs in."),
    "reproduce": Lazy(f"{_COMMANDS}.reproduce", "Rebuild the environment of a publication and open its notebook."),
    "env": Lazy(f"{_COMMANDS}.env", "Look into environments, change, capture and rebuild them."),
    "hub": Lazy(f"{_COMMANDS}.hub", "Run a hub and look after it."),
    "demo": Lazy(f"{_COMMANDS}.demo", "Start a hub and JupyterLab with sample content."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="carrel", message="%(prog)s %(version)s")
def cli() -> None:
    """Notebooks, environments and packages on a hub of your own.

    Sign in once with 'carrel login --hub ADDRESS'. Every command explains itself with --help, and answers in JSON with
    --json.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    state = State(debug=bool(os.environ.get("CARREL_DEBUG")))
    color = False if os.environ.get("NO_COLOR") else None
    try:
        result = cli.main(args=list(arguments), prog_name="carrel", standalone_mode=False, obj=state, color=color)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return Exit.USAGE if isinstance(error, click.UsageError) else Exit.FAILURE
    except (click.Abort, KeyboardInterrupt, EOFError):
        click.echo("Cancelled.", err=True)
        return Exit.CANCELLED
    except BrokenPipeError:
        # Whoever read the output has read enough. Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILURE
    except CarrelError as error:
        _trace(state)
        return report(error, as_json=state.as_json)
    except OSError as error:
        _trace(state)
        where = f": {error.filename}" if error.filename else ""
        complain(f"{error.strerror or error}{where}.")
        return Exit.FAILURE
    except Exception as error:
        _trace(state)
        hint = "" if state.debug else " Run it again with --debug to see where, and report it."
        complain(f"Something unexpected went wrong ({type(error).__name__}: {error}).{hint}")
        return Exit.FAILURE
    return result if isinstance(result, int) else Exit.OK


def _trace(state: State) -> None:
    if state.debug:
        click.echo(traceback.format_exc(), err=True)
