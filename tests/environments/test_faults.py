"""What goes wrong around a change — a kill at any moment, a full disk, a bad source — leaves the state before or after, whole."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from environment_fixtures import PackageIndex, change, contents, differences, package_index
from killing import records, workshop, written

from carrel.core.errors import Cancelled, CarrelError, DigestMismatch, InsufficientStorage, NotFound, UpstreamError
from carrel.environments import Change, Plan, Sources, Spec, apply, files, history, plan, restore, transactions
from carrel.testing.artifacts import build_conda, build_wheel
from carrel.testing.conda_channel import ChannelServer, index, serve

KILLS = 50
HISTORY = "conda-meta/history"


def _many(version: str) -> dict[str, str]:
    files = {f"site-packages/several/m{n}.py": f"N = {n}\nV = {version!r}\n" for n in range(150)}
    return files | {f"share/several/{n}-{version}.txt": version for n in range(150)} | {"site-packages/several/__init__.py": ""}


@pytest.fixture(scope="module")
def small_channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    """A channel of small packages that need nothing."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "noarch").mkdir()
    noise = random.Random(3)
    for artifact in [
        build_conda("several", "1.0", noarch="python", depends=["python"], files=_many("1.0")),
        build_conda("several", "2.0", noarch="python", depends=["python"], files=_many("2.0")),
        build_conda("heavy", "1.0", noarch="generic", files={f"share/heavy/{n}": noise.randbytes(400_000) for n in range(12)}),
        build_conda("light", "1.0", noarch="generic", files={"share/light": "1"}),
        build_conda("light", "2.0", noarch="generic", files={"share/light": "2"}),
    ]:
        (folder / "noarch" / artifact.filename).write_bytes(artifact.data)
    index(folder)
    with serve(folder) as running:
        yield running


@pytest.fixture
def small(small_channel: ChannelServer) -> Sources:
    return Sources(channels=(small_channel.url,))


@pytest.fixture
def bare_env(tmp_path: Path) -> Path:
    """A conda environment without anything, so without Python."""
    prefix = tmp_path / "bare"
    (prefix / "conda-meta").mkdir(parents=True)
    return prefix


@pytest.fixture(scope="module")
def moving_wheels() -> Iterator[PackageIndex]:
    files = {f"moving/part{n}.py": f"N = {n}\n" for n in range(200)}
    with package_index(
        [
            build_wheel("moving", "1.0", files={"moving/__init__.py": "V = 1\n", **files}),
            build_wheel("moving", "2.0", files={"moving/__init__.py": "V = 2\n", "moving/new.py": "", **files}),
        ]
    ) as running:
        yield running


def test_kills_at_random_moments_of_apply_and_undo(
    conda_env: Path, sources: Sources, small: Sources, moving_wheels: PackageIndex, tmp_path: Path
) -> None:
    """One environment goes to and fro between two states; whoever moves it is killed, and sometimes whoever repairs it."""
    both = Sources((*small.channels, *sources.channels), (moving_wheels.url,))
    change(conda_env, both, Spec("several", "1.0"), Spec("beta", "1.0"), Spec("moving", "1.0", source="pypi"))
    base = history(conda_env)[0].number
    wishes = (Spec("several", "2.0"), Spec("light", "2.0"), Spec("moving", "2.0", source="pypi"))
    made = plan(conda_env, Change(add=wishes, remove=("beta",)), both)
    assert made.conda
    assert made.pypi
    moments = random.Random(20261122)
    states = [_state(conda_env)]
    outcomes = {"before": 0, "after": 0, "apply repaired": 0, "restore repaired": 0, "repair killed": 0, "in time": 0}
    with workshop(conda_env, tmp_path) as shop:
        file = written(made, tmp_path / "plan")
        durations = {"apply": shop.time_of("apply", file)}
        states.append(_state(conda_env))
        durations["restore"] = shop.time_of("restore", base)
        assert _same(states[0], _state(conda_env)) == []
        moves: list[tuple[str, object]] = [("apply", file), ("restore", base)]
        at = 0
        for number in range(KILLS):
            if at != number % 2:  # applying and undoing in turn, whatever the last kill left
                durations[moves[at][0]] = shop.time_of(*moves[at])
                at = 1 - at
            command, argument = moves[at]
            began = records(conda_env)
            moment = moments.uniform(0, durations[command] * 1.05)
            code = shop.run(command, argument, kill_after=moment)
            assert code in (0, -signal.SIGKILL), shop.log.read_text()
            if code == 0:  # the machine is not as busy as it was
                durations[command] = min(durations[command], moment)
            outcomes["in time"] += code != 0
            interrupted = transactions.is_interrupted(conda_env)
            if interrupted and number % 3 == 0:
                outcomes["repair killed"] += shop.run("repair", kill_after=moments.uniform(0, 0.12)) != 0
            with transactions.exclusive(conda_env):
                outcomes[f"{command} repaired"] += interrupted
            found = _state(conda_env)
            ended = _reached(found, states, began, at)
            outcomes["before" if ended == at else "after"] += 1
            at = ended
    assert outcomes["before"] + outcomes["after"] == KILLS
    assert outcomes["in time"] > KILLS * 0.6, outcomes
    assert min(outcomes["apply repaired"], outcomes["restore repaired"]) >= 3, outcomes
    assert not _marked_processes(conda_env)


def _state(prefix: Path) -> tuple[dict[str, object], dict[str, bytes]]:
    return contents(prefix), records(prefix)


def _same(one: tuple[dict[str, object], dict[str, bytes]], other: tuple[dict[str, object], dict[str, bytes]]) -> list[str]:
    """Return the files and records that differ, but conda's history, in which times are."""
    return [path for path in differences(one[0], other[0]) + differences(one[1], other[1]) if path != HISTORY]


def _reached(
    found: tuple[dict[str, object], dict[str, bytes]],
    states: list[tuple[dict[str, object], dict[str, bytes]]],
    began: dict[str, bytes],
    at: int,
) -> int:
    """Return which state was reached, after making sure that it is exactly that."""
    if found[1] == began:
        assert _same(states[at], found) == []
        return at
    other = 1 - at
    assert _same(states[other], found) == []
    if other == 1:
        # a whole entry more
        assert found[1][HISTORY].startswith(began[HISTORY])
        assert found[1][HISTORY].count(b"==>") == began[HISTORY].count(b"==>") + 1
    else:
        assert found[1] == states[0][1]
    return other


def _marked_processes(prefix: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(prefix) in process.environ().get("CARREL_WORKS_FOR", ""):
                found.append(process)
    return found


_DIES_WITH_A_CHILD_AT_WORK = """
import os, signal, sys, threading, time
from pathlib import Path
from carrel.core.progress import NeverCancelled
from carrel.environments import processes, transactions
prefix = Path(sys.argv[1])
def die(line):
    os.kill(os.getpid(), signal.SIGKILL)
with transactions.exclusive(prefix):
    transactions.begin(prefix, ["light"], [], [])
    code = "import sys, time\\nprint('at work', flush=True)\\nwhile True:\\n    open(sys.argv[1], 'a').write('x')\\n    time.sleep(0.01)"
    command = [sys.executable, "-c", code, prefix / "share" / "written"]
    processes.run(command, cancel=NeverCancelled(), on_stdout=die)
"""


def test_a_program_whose_parent_was_killed_does_not_go_on(bare_env: Path, small: Sources) -> None:
    change(bare_env, small, Spec("light", "1.0"))
    before = records(bare_env)
    finished = subprocess.run([sys.executable, "-c", _DIES_WITH_A_CHILD_AT_WORK, str(bare_env)], check=False, capture_output=True)
    assert finished.returncode == -signal.SIGKILL, finished.stderr
    left = _marked_processes(bare_env)
    assert len(left) == 1
    with transactions.exclusive(bare_env):
        assert not _marked_processes(bare_env)
        size = (bare_env / "share" / "written").stat().st_size
        time.sleep(0.1)
        assert (bare_env / "share" / "written").stat().st_size == size
    assert records(bare_env) == before


@pytest.fixture
def tight_env(tmp_path: Path) -> Iterator[Path]:
    """An environment on a disk of its own of a few megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4500k", "tmpfs", disk], check=False, capture_output=True).returncode != 0:
        pytest.skip("a disk of one's own can only be mounted by the system's administrator")
    prefix = disk / "tight"
    (prefix / "conda-meta").mkdir(parents=True)
    try:
        yield prefix
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_disk_that_fills_up_while_packages_are_linked(tight_env: Path, small: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    change(tight_env, small, Spec("light", "1.0"))
    before = _state(tight_env)
    made = plan(tight_env, Change(add=(Spec("heavy"), Spec("light", "2.0"))), small)
    with pytest.raises(InsufficientStorage, match=r"MB are needed"):
        apply(made)
    # what is free now says nothing of what others write meanwhile
    monkeypatch.setattr(files, "free_bytes", lambda _path: 10**15)
    with pytest.raises(InsufficientStorage, match=r"as it was before"):
        apply(made)
    assert _same(before, _state(tight_env)) == []
    assert before[1] == records(tight_env)
    assert [revision.number for revision in history(tight_env)] == [1, 0]
    change(tight_env, small, Spec("light", "2.0"))
    assert (tight_env / "share" / "light").read_text() == "2"


def test_a_disk_that_is_full_from_the_beginning(tight_env: Path, small: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    change(tight_env, small, Spec("light", "1.0"))
    made = plan(tight_env, Change(add=(Spec("light", "2.0"),)), small)
    before = records(tight_env)
    filler = tight_env.parent / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as handle:
        while True:
            handle.write(bytes(4096))
    monkeypatch.setattr(files, "free_bytes", lambda _path: 10**15)
    with pytest.raises(InsufficientStorage):
        apply(made)
    assert records(tight_env) == before
    filler.unlink()
    apply(made)
    restore(tight_env, 1)
    assert records(tight_env) == before


@pytest.fixture
def planned(
    bare_env: Path, small_channel: ChannelServer, small: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Plan]:
    """A plan whose archives are in no cache."""
    change(bare_env, small, Spec("light", "1.0"))
    monkeypatch.setenv("CARREL_CACHE_DIR", str(tmp_path / "empty-cache"))
    yield plan(bare_env, Change(add=(Spec("light", "2.0"), Spec("heavy"))), small)
    faults = small_channel.faults
    faults.delay = 0
    for table in (faults.cut_after, faults.tampered, faults.status):
        table.clear()


def _unchanged(made: Plan, before: tuple[dict[str, object], dict[str, bytes]]) -> None:
    assert _state(made.prefix) == before
    assert not (made.prefix / ".carrel" / "transaction.json").exists()


def test_a_channel_that_lies(planned: Plan, small_channel: ChannelServer) -> None:
    before = _state(planned.prefix)
    small_channel.faults.tampered["heavy-1.0-0.conda"] = b"something else"
    with pytest.raises(DigestMismatch) as caught:
        apply(planned)
    assert caught.value.fields["filename"] == "heavy-1.0-0.conda"
    _unchanged(planned, before)


def test_a_channel_that_sends_without_end(planned: Plan, small_channel: ChannelServer) -> None:
    before = _state(planned.prefix)
    small_channel.faults.tampered["light-2.0-0.conda"] = bytes(100_000_000)
    small_channel.faults.delay = 0.003
    with pytest.raises(UpstreamError, match=r"light-2\.0-0\.conda could not be fetched: the server sends far more"):
        apply(planned)
    _unchanged(planned, before)


def test_a_channel_that_loses_an_archive(planned: Plan, small_channel: ChannelServer) -> None:
    before = _state(planned.prefix)
    small_channel.faults.status["heavy-1.0-0.conda"] = 404
    with pytest.raises(NotFound, match=r"heavy-1\.0-0\.conda"):
        apply(planned)
    _unchanged(planned, before)


def test_a_channel_that_hangs_up_in_the_middle(planned: Plan, small_channel: ChannelServer) -> None:
    before = _state(planned.prefix)
    small_channel.faults.cut_after["heavy-1.0-0.conda"] = 100_000
    with pytest.raises(UpstreamError, match=r"heavy-1\.0-0\.conda could not be fetched"):
        apply(planned)
    _unchanged(planned, before)


def test_a_silent_channel_is_given_up(planned: Plan, small_channel: ChannelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _state(planned.prefix)
    monkeypatch.setenv("CARREL_NETWORK_TIMEOUT", "1")
    small_channel.faults.delay = 20
    began = time.monotonic()
    with pytest.raises(UpstreamError, match=r"sent nothing"):
        apply(planned)
    assert time.monotonic() - began < 15
    _unchanged(planned, before)


def test_waiting_for_a_silent_channel_can_be_cancelled(planned: Plan, small_channel: ChannelServer) -> None:
    before = _state(planned.prefix)
    small_channel.faults.delay = 20
    cancel = threading.Event()
    threading.Timer(0.7, cancel.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        apply(planned, cancel=cancel)
    assert time.monotonic() - began < 10
    _unchanged(planned, before)


@contextlib.contextmanager
def _silent_server() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/simple/"


def test_a_silent_index_is_given_up_and_can_be_cancelled(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _silent_server() as address:
        cancel = threading.Event()
        threading.Timer(0.5, cancel.set).start()
        with pytest.raises(Cancelled):
            plan(venv, Change(add=(Spec("moving", source="pypi"),)), Sources(indexes=(address,)), cancel=cancel)
        monkeypatch.setenv("CARREL_NETWORK_TIMEOUT", "1")
        began = time.monotonic()
        with pytest.raises(CarrelError, match=r"could not be reached"):
            plan(venv, Change(add=(Spec("moving", source="pypi"),)), Sources(indexes=(address,)))
        assert time.monotonic() - began < 30


def test_an_index_that_lies_or_vanishes(venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with package_index([build_wheel("moving", "1.0"), build_wheel("moving", "2.0")]) as own:
        pypi = Sources(indexes=(own.url,))
        change(venv, pypi, Spec("moving", "1.0", source="pypi"))
        before = contents(venv), _distributions(venv)
        made = plan(venv, Change(update=("moving",)), pypi)
        own.served["moving-2.0-py3-none-any.whl"] = build_wheel("moving", "2.0", files={"evil.py": ""}).data
        with pytest.raises(DigestMismatch) as caught:
            apply(made)
        assert "moving-2.0" in caught.value.fields["filename"]
        del own.served["moving-2.0-py3-none-any.whl"]
        with pytest.raises(CarrelError):
            apply(made)
        assert (contents(venv), _distributions(venv)) == before


def _distributions(prefix: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in prefix.glob("lib/python3*/site-packages/*.dist-info/*")}
