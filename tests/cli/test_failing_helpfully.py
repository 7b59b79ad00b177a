"""Every command without a hub, without a sign-in, and with names that nobody has: what is told, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from cli_process import Answer, QuickCarrel

from carrel.cli.invocation import Command
from carrel.cli.main import cli
from carrel.client import HubClient
from carrel.client.transport import Transport
from carrel.testing.artifacts import build_notebook
from carrel.testing.hub import HubProcess

NOBODY = "http://127.0.0.1:9"
ANYBODY = "anybody"  # works without a sign-in
OWN = "own"  # names nothing that could be wrong
UNKNOWN_ADDRESS = "There is nothing at this address"  # of an endpoint that the hub does not have

# Words of the command -> arguments with names that nobody has, and what is particular about it.
CASES: dict[str, tuple[list[str], set[str]]] = {
    "login": (["--token"], {ANYBODY}),
    "logout": ([], {ANYBODY, OWN}),
    "whoami": ([], {OWN}),
    "token list": ([], {OWN}),
    "token create": (["ci", "--namespace", "nobody"], set()),
    "token rotate": (["4711"], set()),
    "token revoke": (["4711", "--yes"], set()),
    "token scopes": ([], {ANYBODY, OWN}),
    "search": (["nothing-like-it"], {ANYBODY, OWN}),
    "show": (["nobody/nothing"], {ANYBODY}),
    "download": (["nobody/nothing"], {ANYBODY}),
    "upload": (["a.csv", "--namespace", "nobody"], set()),
    "publish": (["a.ipynb", "--no-environment", "--namespace", "nobody"], set()),
    "reproduce": (["nobody/nothing"], {ANYBODY}),
    "package edit": (["nobody/nothing", "--summary", "x"], set()),
    "package visibility": (["nobody/nothing", "public"], set()),
    "package collaborators": (["nobody/nothing", "--add", "somebody"], set()),
    "package status": (["nobody/nothing", "archived"], set()),
    "label list": (["nobody"], {ANYBODY}),
    "label show": (["dev", "--namespace", "nobody"], {ANYBODY}),
    "label add": (["dev", "nobody/nothing"], set()),
    "label copy": (["dev", "main", "--namespace", "nobody"], set()),
    "label move": (["dev", "main", "--namespace", "nobody"], set()),
    "label remove": (["dev", "nobody/nothing"], set()),
    "label lock": (["dev", "--namespace", "nobody"], set()),
    "label unlock": (["dev", "--namespace", "nobody"], set()),
    "label rename": (["dev", "next", "--namespace", "nobody"], set()),
    "label relate": (["dev", "--namespace", "nobody"], set()),
    "label history": (["nobody"], set()),
    "label undo": (["4711", "--namespace", "nobody"], set()),
    "copy": (["nobody/nothing", "--to-label", "main"], set()),
    "move": (["nobody/nothing", "--from-label", "dev"], set()),
    "remove": (["nobody/nothing", "--yes"], set()),
    "yank": (["nobody/nothing@1"], set()),
    "unyank": (["nobody/nothing@1"], set()),
    "collection list": (["nobody"], {ANYBODY}),
    "collection show": (["nobody/course"], {ANYBODY}),
    "collection create": (["nobody/course"], set()),
    "collection edit": (["nobody/course", "--title", "x"], set()),
    "collection add": (["nobody/course", "nobody/nothing"], set()),
    "collection remove": (["nobody/course", "nobody/nothing"], set()),
    "collection delete": (["nobody/course", "--yes"], set()),
    "org list": ([], {OWN}),
    "org create": (["acme"], {OWN}),
    "org edit": (["nobody", "--description", "x"], set()),
    "org members": (["nobody"], set()),
    "org add": (["nobody", "somebody"], set()),
    "org role": (["nobody", "somebody", "owner"], set()),
    "org audit": (["nobody"], set()),
    "org remove": (["nobody", "somebody", "--yes"], set()),
    "group list": (["nobody"], set()),
    "group show": (["nobody/crew"], set()),
    "group create": (["nobody/crew"], set()),
    "group permission": (["nobody/crew", "write"], set()),
    "group remove": (["nobody/crew", "--yes"], set()),
    "group add-member": (["nobody/crew", "somebody"], set()),
    "group remove-member": (["nobody/crew", "somebody"], set()),
    "group add-package": (["nobody/crew", "nothing"], set()),
    "group remove-package": (["nobody/crew", "nothing"], set()),
    "notice list": (["nobody"], set()),
    "notice create": (["Hello", "--namespace", "nobody"], set()),
    "notice edit": (["4711", "--message", "x", "--namespace", "nobody"], set()),
    "notice publish": (["4711", "--namespace", "nobody"], set()),
    "notice archive": (["4711", "--namespace", "nobody"], set()),
    "notice remove": (["4711", "--namespace", "nobody", "--yes"], set()),
    "hotfix get": (["noarch", "--namespace", "nobody"], set()),
    "hotfix put": (["noarch", "patch.json", "--namespace", "nobody"], set()),
    "hotfix remove": (["noarch", "--namespace", "nobody", "--yes"], set()),
    "publisher list": (["nobody"], set()),
    "publisher add": (["--namespace", "nobody", "--github", "a/b"], set()),
    "publisher remove": (["4711", "--namespace", "nobody", "--yes"], set()),
    "configure": (["nobody", "pip", "--yes"], {ANYBODY}),
}


def speaking(group: click.Group = cli, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the words of every command that speaks with a hub; those on environments are tested with real environments."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group) and name != "env":
            yield from speaking(command, (*words, name))
        elif isinstance(command, Command) and any(option.name == "hub_option" for option in command.params):
            yield " ".join((*words, name))


def test_every_command_has_a_case() -> None:
    assert set(speaking()) == set(CASES)


@pytest.fixture(scope="module")
def owner(hub: HubProcess) -> str:
    """The token of the owner of the organization ``acme``, which has a package."""
    token = hub.create_user("owner")
    hub.create_organization("acme", token, {})
    with HubClient(hub.url, token) as client:
        client.upload_file("acme", b"1\n", "a.csv", package="charts", version="1", labels=["dev"])
        client.collections.create("acme", "course")
    return token


@pytest.fixture
def at_home(quick: QuickCarrel, monkeypatch: pytest.MonkeyPatch) -> QuickCarrel:
    monkeypatch.setattr(Transport, "_wait", lambda *_arguments: None)
    (quick.home / "a.csv").write_text("1\n")
    (quick.home / "a.ipynb").write_bytes(build_notebook().data)
    (quick.home / "patch.json").write_text("{}")
    quick.variables["PIP_CONFIG_FILE"] = str(quick.home / "pip.conf")
    return quick


def told(answer: Answer) -> str:
    """Return the sentence that says what went wrong."""
    assert "Traceback" not in answer.err, answer
    assert answer.out == "", answer
    line = answer.err.splitlines()[-1]
    assert line.startswith("Error: "), answer
    assert "unexpected" not in line
    assert UNKNOWN_ADDRESS not in line
    assert len(line) > 20, answer
    return line


@pytest.mark.parametrize("words", CASES)
def test_an_unreachable_hub(at_home: QuickCarrel, words: str) -> None:
    arguments, _ = CASES[words]
    env = {"CARREL_TOKEN": "ca-" + "a2" * 16}
    answer = at_home(*words.split(), *arguments, "--hub", NOBODY, env=env, stdin="ca-" + "a2" * 16 + "\n")
    if words == "logout":
        assert (answer.code, "CARREL_TOKEN" in answer.err) == (0, True)
        return
    assert answer.code == 1, answer
    assert "127.0.0.1:9 cannot be reached" in told(answer)


@pytest.mark.parametrize("words", CASES)
def test_nobody_signed_in(at_home: QuickCarrel, hub: HubProcess, words: str) -> None:
    arguments, traits = CASES[words]
    answer = at_home(*words.split(), *arguments, "--hub", hub.url, stdin="ca-" + "a2" * 16 + "\n")
    if ANYBODY not in traits:
        assert answer.code == 4, answer
        assert f"carrel login --hub {hub.url}" in told(answer)
    elif OWN in traits:
        assert answer.code == 0, answer
    else:
        assert answer.code == (4 if words == "login" else 3), answer
        told(answer)


@pytest.mark.parametrize("words", [words for words, (_, traits) in CASES.items() if OWN not in traits and words != "login"])
def test_names_that_nobody_has(at_home: QuickCarrel, hub: HubProcess, owner: str, words: str) -> None:
    at_home.variables |= {"CARREL_HUB_URL": hub.url, "CARREL_TOKEN": owner}
    answer = at_home(*words.split(), *CASES[words][0])
    assert answer.code == 3, answer
    told(answer)
    assert not (at_home.home / "pip.conf").exists()


def test_no_hub_at_all(at_home: QuickCarrel) -> None:
    answer = at_home("label", "list", "acme")
    assert answer.code == 2
    assert "carrel login --hub ADDRESS" in answer.err


@pytest.mark.parametrize(
    "words",
    [
        "remove acme/charts",
        "label remove dev -n acme",
        "token revoke tests",
        "org remove acme owner",
        "collection delete acme/course",
        "configure acme pip",
    ],
)
def test_what_removes_or_writes_is_asked_about(at_home: QuickCarrel, hub: HubProcess, owner: str, words: str) -> None:
    at_home.variables |= {"CARREL_HUB_URL": hub.url, "CARREL_TOKEN": owner}
    answer = at_home(*words.split())
    assert (answer.code, answer.out) == (2, ""), answer
    assert "add --yes" in answer.err
    assert at_home.json("show", "acme/charts@1/a.csv")["file"]["labels"] == ["dev"]
    assert not (at_home.home / "pip.conf").exists()
