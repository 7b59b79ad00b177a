"""The entry point: what is imported, how errors end, what the groups list."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from carrel import __version__
from carrel.cli import main as entry
from carrel.cli.exits import MEANINGS, Exit, exit_code
from carrel.cli.lazy import Lazy, LazyGroup
from carrel.core import errors

HEAVY = {"rattler", "tornado", "requests", "rich", "sqlalchemy", "jupyter_server", "jupyter_core", "detect_secrets", "pydantic", "nbformat"}


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["hub"],
        ["env", "--help"],
        ["label", "--help"],
        ["token", "create", "--help"],
        ["upload", "--help"],
        ["nonsense"],
    ],
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"import sys; from carrel.cli.main import main; main({words!r}); print('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.partition("LOADED")[2].split())
    assert "carrel.cli.main" in loaded
    assert loaded & HEAVY == set()
    assert not any(
        name.startswith(("carrel.hub", "carrel.demo", "carrel.environments", "carrel.sharing", "carrel.formats")) for name in loaded
    )


def walk(group: click.Group) -> Iterator[tuple[click.Group, str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield group, name, command
        if isinstance(command, click.Group):
            yield from walk(command)


def test_the_tables_say_what_the_commands_say() -> None:
    for group, name, command in walk(entry.cli):
        first = (command.help or "").partition("\n\n")[0].replace("\n", " ")
        assert first, name
        assert not isinstance(group, LazyGroup) or group.lazy[name].summary == first, name


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["uplaod"], "'carrel upload'"),
        (["auth"], "'carrel token'"),
        (["channel"], "'carrel label'"),
        (["groups", "show", "acme"], "'carrel group'"),
        (["label", "--list"], "'carrel label list'"),
        (["label", "--lock", "dev"], "'carrel label lock'"),
        (["package", "--add-collaborator", "ada", "acme/charts"], "collaborators NAMESPACE/NAME --add USER"),
        (["group", "add_member", "acme/data", "ada"], "'carrel group add-member'"),
        (["token", "lst"], "'carrel token list'"),
        (["qqqq"], "carrel --help"),
    ],
)
def test_words_of_other_programs_and_slips_are_understood(capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert entry.main(words) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make ``carrel fail`` raise an error."""

    def install(error: BaseException) -> None:
        module = type(sys)("failing_command")

        @click.command()
        @click.option("--json", "as_json", is_flag=True)
        @click.pass_obj
        def command(state: entry.State, as_json: bool) -> None:
            state.as_json = as_json
            raise error

        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "failing_command", module)
        monkeypatch.setitem(entry.cli.lazy, "fail", Lazy("failing_command", "Fails."))  # type: ignore[attr-defined]

    return install


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BadRequest("No."), Exit.FAILURE),
        (errors.Unsolvable("No."), Exit.FAILURE),
        (errors.UpstreamError("No."), Exit.FAILURE),
        (errors.NotFound("No."), Exit.NOT_FOUND),
        (errors.Unauthenticated("No."), Exit.SIGN_IN),
        (errors.Forbidden("No."), Exit.SIGN_IN),
        (errors.FileExists("No."), Exit.CONFLICT),
        (errors.PreconditionFailed("No."), Exit.CONFLICT),
        (errors.Locked("No."), Exit.CONFLICT),
        (errors.Cancelled("No."), Exit.CANCELLED),
        (click.UsageError("No."), Exit.USAGE),
        (click.ClickException("No."), Exit.FAILURE),
        (OSError(28, "No", "disk"), Exit.FAILURE),
        (RuntimeError("No."), Exit.FAILURE),
    ],
)
def test_errors_become_one_sentence_and_a_code(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], error: BaseException, code: Exit
) -> None:
    failing(error)
    assert entry.main(["fail"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "No" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort(), EOFError()])
def test_ctrl_c_is_quiet(failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], error: BaseException) -> None:
    failing(error)
    assert entry.main(["fail"]) == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "Cancelled.")


def test_errors_as_json_keep_their_fields(failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]) -> None:
    failing(errors.FileExists("It is taken.", filename="a.csv"))
    assert entry.main(["fail", "--json"]) == 5
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": {"filename": "a.csv", "status": 409, "code": "file_exists", "detail": "It is taken."}}
    assert err == "Error: It is taken.\n"


def test_debug_shows_where(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(RuntimeError("deep"))
    monkeypatch.setenv("CARREL_DEBUG", "1")
    assert entry.main(["fail"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_every_code_is_explained() -> None:
    assert set(MEANINGS) == set(Exit)
    assert exit_code(errors.RateLimited("No.")) is Exit.FAILURE


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["--version"]) == 0
    assert capsys.readouterr().out == f"carrel {__version__}\n"


def test_a_reader_that_has_seen_enough() -> None:
    command = f"set -o pipefail; {sys.executable} -m carrel.cli --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_completion_knows_the_commands() -> None:
    environ = {"_CARREL_COMPLETE": "bash_complete", "COMP_WORDS": "carrel env re", "COMP_CWORD": "2", "PATH": ""}
    code = "import sys; from carrel.cli.main import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert [line.partition(",")[2] for line in done.stdout.split()] == ["remove", "reproduce"]


@pytest.mark.parametrize("module", ["carrel.hub", "carrel.demo"])
def test_handing_over_passes_everything_on(module: str, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the folder was imported')")
    word = module.rpartition(".")[2]
    words = [word, "serve", "--help"] if word == "hub" else [word, "--help"]
    done = subprocess.run([sys.executable, "-P", "-m", "carrel.cli", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("--Serve.port" in done.stdout or "--port" in done.stdout) if word == "hub" else "--keep" in done.stdout


def test_a_demonstration_needs_jupyterlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from carrel.cli.commands import demo

    monkeypatch.setattr(demo, "find_spec", lambda name: None if name == "jupyterlab" else object())
    assert entry.main(["demo"]) == 1
    assert "pip install 'carrel[lab]'" in capsys.readouterr().err
