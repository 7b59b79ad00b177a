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

_YOU, _FIND, _PUBLISH = "Signing in", "Finding and fetching", "Uploading and publishing"
_PACKAGES, _TEAM, _CHANNELS, _HERE = "Looking after packages", "People", "Channels", "This machine"

COMMANDS: dict[str, Lazy] = {
    "login": Lazy(f"{_COMMANDS}.login", "Sign in to a hub.", _YOU),
    "logout": Lazy(f"{_COMMANDS}.logout", "Sign out of a hub.", _YOU),
    "whoami": Lazy(f"{_COMMANDS}.whoami", "Show who is signed in, and where they may upload.", _YOU),
    "token": Lazy(f"{_COMMANDS}.token", "Make, list, rotate and revoke tokens.", _YOU),
    "search": Lazy(f"{_COMMANDS}.search", "Search the hub.", _FIND),
    "show": Lazy(f"{_COMMANDS}.show", "Show a namespace, a package, a release or a file.", _FIND),
    "download": Lazy(f"{_COMMANDS}.download", "Download files, verified.", _FIND),
    "upload": Lazy(f"{_COMMANDS}.upload", "Upload packages, notebooks, environments and data files.", _PUBLISH),
    "publish": Lazy(f"{_COMMANDS}.publish", "Publish a notebook with the environment it runs in.", _PUBLISH),
    "reproduce": Lazy(f"{_COMMANDS}.reproduce", "Rebuild the environment of a publication and open its notebook.", _PUBLISH),
    "package": Lazy(f"{_COMMANDS}.package", "Describe packages, and say who may see and change them.", _PACKAGES),
    "label": Lazy(f"{_COMMANDS}.label", "List, give, take, lock and undo labels.", _PACKAGES),
    "copy": Lazy(f"{_COMMANDS}.copy", "Copy files to another label or namespace.", _PACKAGES),
    "move": Lazy(f"{_COMMANDS}.move", "Move files from one label to another.", _PACKAGES),
    "remove": Lazy(f"{_COMMANDS}.remove", "Remove packages, releases or files.", _PACKAGES),
    "yank": Lazy(f"{_COMMANDS}.yank", "Advise against a release or a file without removing it.", _PACKAGES),
    "unyank": Lazy(f"{_COMMANDS}.unyank", "Take a yank back.", _PACKAGES),
    "collection": Lazy(f"{_COMMANDS}.collection", "Put packages, notebooks and environments together under one name.", _PACKAGES),
    "org": Lazy(f"{_COMMANDS}.org", "Create organizations and look after their members.", _TEAM),
    "group": Lazy(f"{_COMMANDS}.group", "Give groups of people a permission on packages.", _TEAM),
    "notice": Lazy(f"{_COMMANDS}.notice", "Tell the users of a channel something.", _CHANNELS),
    "hotfix": Lazy(f"{_COMMANDS}.hotfix", "Correct the records of conda packages without new files.", _CHANNELS),
    "publisher": Lazy(f"{_COMMANDS}.publisher", "Let build services upload without a kept token.", _CHANNELS),
    "configure": Lazy(f"{_COMMANDS}.configure", "Set up conda, pip, uv, pixi and R for a namespace.", _HERE),
    "env": Lazy(f"{_COMMANDS}.env", "Look into environments, create, change, lock and reproduce them.", _HERE),
    "hub": Lazy(f"{_COMMANDS}.hub", "Run a hub and look after it.", _HERE),
    "demo": Lazy(f"{_COMMANDS}.demo", "Start a hub and JupyterLab with sample content.", _HERE),
}

# What users of anaconda-client and of installers type.
ELSEWHERE = {
    "auth": "'carrel token'",
    "authorize": "'carrel token'",
    "tokens": "'carrel token'",
    "groups": "'carrel group'",
    "orgs": "'carrel org'",
    "organization": "'carrel org'",
    "channel": "'carrel label' (labels) or 'carrel notice' (notices)",
    "labels": "'carrel label'",
    "config": "'carrel configure' (other programs) or 'carrel login --hub ADDRESS' (the hub)",
    "update": "'carrel package edit' (descriptions) or 'carrel env update' (environments)",
    "notebook": "'carrel publish'",
    "install": "'carrel env install'",
    "uninstall": "'carrel env remove'",
    "delete": "'carrel remove'",
    "rm": "'carrel remove'",
    "get": "'carrel download'",
    "push": "'carrel upload'",
    "list": "'carrel show NAMESPACE'",
    "info": "'carrel show'",
    "promote": "'carrel move'",
    "register": "'carrel upload', which makes the package as well",
}


@click.group(cls=LazyGroup, lazy=COMMANDS, elsewhere=ELSEWHERE, context_settings={"help_option_names": ["-h", "--help"]})
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
