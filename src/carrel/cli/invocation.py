"""One call of the command: its common options, the hub it speaks with, and how it answers."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

import click

from carrel.client.credentials import CredentialStore, normalize_hub_url
from carrel.client.references import Reference
from carrel.client.targets import Target
from carrel.core.errors import BadRequest, Unauthenticated

if TYPE_CHECKING:
    from carrel.client.hub import HubClient

F = TypeVar("F", bound=Callable[..., Any])
Level = Literal["namespace", "package", "release"]


@dataclass
class State:
    """What has to be known after a command has failed."""

    debug: bool = False
    as_json: bool = False


@dataclass
class Invocation:
    """The common options, and what follows from them.

    Attributes
    ----------
    hub_option : str or None
        The hub named on the command line.
    as_json : bool
        The answer is one JSON document on standard output.
    quiet : bool
        No progress and no remarks.
    """

    hub_option: str | None = None
    as_json: bool = False
    quiet: bool = False
    store: CredentialStore = field(default_factory=CredentialStore)
    _clients: list[HubClient] = field(default_factory=list, repr=False)

    @property
    def hub_url(self) -> str:
        """The hub to speak with: the option, ``CARREL_HUB_URL``, or the one signed in to last."""
        url = self.hub_option or self.store.default_hub()
        if url is None:
            raise click.UsageError("No hub is chosen. Add --hub ADDRESS, set CARREL_HUB_URL, or sign in with 'carrel login --hub ADDRESS'.")
        return url

    def token(self, hub_url: str, *, chosen: bool = True) -> str | None:
        """Return the token for a hub; see :meth:`CredentialStore.get`."""
        credential = self.store.get(hub_url, chosen=chosen)
        return credential.token if credential else None

    def client(self) -> HubClient:
        """Return a client of the hub, signed in if somebody is."""
        from carrel.client.hub import HubClient

        url = self.hub_url
        self._clients.append(HubClient(url, self.token(url)))
        return self._clients[-1]

    def signed_in_client(self) -> HubClient:
        """Return a client that acts for a person.

        Raises
        ------
        carrel.core.errors.Unauthenticated
        """
        return _signed_in(self.client())

    def known_hub(self) -> str | None:
        """Return the hub, None when none is chosen."""
        return self.hub_option or self.store.default_hub()

    def reference(self, text: str) -> Reference:
        """Read ``NAMESPACE/NAME[@VERSION]`` or the address of a page."""
        try:
            return Reference.parse(text, self.known_hub())
        except BadRequest as error:
            raise click.UsageError(error.detail) from error

    def target(self, text: str, level: Level = "namespace") -> Target:
        """Read ``NAMESPACE[/PACKAGE[@VERSION[/FILE]]]`` or the address of a page, as exact as *level* at least."""
        try:
            found = Target.parse(text, self.known_hub())
        except BadRequest as error:
            raise click.UsageError(error.detail) from error
        needed = {"namespace": found.namespace, "package": found.package, "release": found.version}
        if needed[level] is None:
            forms = {"package": "NAMESPACE/NAME", "release": "NAMESPACE/NAME@VERSION"}
            raise click.UsageError(f"{text!r} does not name a {level}: write {forms[level]}.")
        return found

    def namespace(self, client: HubClient, given: str | None) -> str:
        """Return the namespace that is meant: *given*, else the person's own."""
        return given or client.whoami().name

    def client_for(self, reference: Reference | Target) -> HubClient:
        """Return a client of the hub that *reference* names, else of the chosen one.

        A hub that is named in an address only gets a token that was kept for it.
        """
        from carrel.client.hub import HubClient

        url = reference.hub_url
        if url is None or normalize_hub_url(url) == self.known_hub():
            return self.client()
        return HubClient(url, self.token(url, chosen=False))

    def note(self, text: str) -> None:
        """Write a remark to standard error, unless quiet."""
        if not self.quiet:
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Write a warning to standard error, unless quiet."""
        self.note(click.style("Note: ", fg="yellow") + text)

    def answer(self, document: Mapping[str, Any], lines: str | Iterable[str] = ()) -> None:
        """Print the answer to standard output: *document* with ``--json``, else *lines*; and what the hub says of the token."""
        for warning in dict.fromkeys(client.token_warning for client in self._clients if client.token_warning):
            self.warn(warning)
        if self.as_json:
            click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=str))
            return
        for line in [lines] if isinstance(lines, str) else lines:
            click.echo(line)

    def signed_in_client_for(self, target: Target) -> HubClient:
        """Return a client of the hub that *target* names, that acts for a person.

        Raises
        ------
        carrel.core.errors.Unauthenticated
        """
        return _signed_in(self.client_for(target))

    def confirm(self, question: str, *, option: str = "--yes") -> None:
        """Ask; go on when the answer is yes.

        Raises
        ------
        click.Abort
            The answer is no.
        click.UsageError
            Nobody can be asked.
        """
        if not is_interactive():
            raise click.UsageError(f"Nobody can be asked here. Look at it first, then add {option}.")
        click.confirm(question, abort=True, err=True)


def _signed_in(client: HubClient) -> HubClient:
    if not client.authenticated:
        raise Unauthenticated(f"Sign in first: carrel login --hub {client.base_url}")
    return client


def is_interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def namespace_option(function: F) -> F:
    """Add ``--namespace``."""
    option = click.option("-n", "--namespace", metavar="NAME", help="User or organization (default: yourself).")
    return option(function)


def usage(message: str) -> NoReturn:
    """Refuse a command line."""
    raise click.UsageError(message)


class Command(click.Command):
    """A command with the common options.

    Parameters
    ----------
    answer : mapping of str to str
        The members of the JSON answer and what they say; they are documented and never renamed.
    examples : sequence of str
        Lines to copy.
    """

    def __init__(self, *args: Any, answer: Mapping[str, str] | None = None, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.json_answer = dict(answer or {})
        self.examples = tuple(examples)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the text and the examples."""
        super().format_help_text(ctx, formatter)
        if self.examples:
            formatter.write_paragraph()
            for line in self.examples:
                formatter.write(f"    {line}\n")


def _hub_address(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return normalize_hub_url(value)
    except BadRequest as error:
        raise click.BadParameter(error.detail) from error


def subcommand(
    answer: Mapping[str, str], *, name: str | None = None, examples: Sequence[str] = (), hub: bool = True
) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of a function that takes an :class:`Invocation` and its own options.

    Parameters
    ----------
    answer : mapping of str to str
        The members of the JSON answer.
    name : str, optional
        How it is called, where the table of its group does not say so.
    examples : sequence of str
        Lines to copy.
    hub : bool
        Whether it can speak with a hub.
    """

    def decorate(function: Callable[..., Any]) -> Command:
        @functools.wraps(function)
        def run(as_json: bool, quiet: bool, debug: bool, hub_option: str | None = None, **options: Any) -> Any:
            state = click.get_current_context().find_object(State)
            if state is not None:
                state.debug = state.debug or debug
                state.as_json = as_json
            return function(Invocation(hub_option, as_json, quiet), **options)

        made: Command = click.command(name, cls=Command, answer=answer, examples=examples)(run)
        if hub:
            made.params.append(click.Option(["--hub", "hub_option"], metavar="ADDRESS", callback=_hub_address, help="The hub to use."))
        made.params += [
            click.Option(["--json", "as_json"], is_flag=True, help="Answer with JSON on standard output."),
            click.Option(["-q", "--quiet"], is_flag=True, help="No progress and no remarks."),
            click.Option(["--debug"], is_flag=True, help="Show where an error comes from."),
        ]
        return made

    return decorate
