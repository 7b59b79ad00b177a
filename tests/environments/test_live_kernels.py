"""Where running kernels live: what they say, checked against their processes; and the environment of a notebook."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from carrel.core.errors import BadRequest, NotFound
from carrel.environments import environment_of_notebook, kernel_environment
from carrel.environments.asking import ask_kernel
from carrel.environments.kernel_processes import contains, process_interpreter


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of Jupyter with nothing in it."""
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(folder / "data"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("JUPYTER_CONFIG_DIR", str(folder / "config"))
        (folder / "runtime").mkdir()
        yield folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv that sees the kernel of the Python that runs the tests."""
    prefix = tmp_path_factory.mktemp("home") / "analysis"
    base = Path(getattr(sys, "_base_executable", sys.executable))
    subprocess.run([base, "-m", "venv", "--without-pip", prefix], check=True)
    (site,) = prefix.glob("lib/python3*/site-packages")
    import ipykernel

    (site / "kernel.pth").write_text(f"{Path(ipykernel.__file__).parents[1]}\n")
    return prefix


@pytest.fixture(scope="module")
def spec(jupyter: Path, home: Path) -> str:
    write_spec(jupyter, "analysis", argv=[str(home / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    return "analysis"


@pytest.fixture(scope="module")
def kernel(jupyter: Path, spec: str) -> Iterator[KernelManager]:
    """A running kernel of *home*."""
    manager = KernelManager(
        kernel_name=spec,
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(jupyter / "data" / "kernels")]),
        connection_file=str(jupyter / "runtime" / "kernel-one.json"),
    )
    manager.start_kernel()
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=90)
        client.stop_channels()
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


@pytest.fixture
def client(kernel: KernelManager) -> Iterator[BlockingKernelClient]:
    made = kernel.blocking_client()
    made.start_channels()
    try:
        yield made
    finally:
        made.stop_channels()


def write_spec(jupyter: Path, name: str, **members: object) -> None:
    folder = jupyter / "data" / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.json").write_text(json.dumps({"display_name": name, "language": "python", **members}))


def write_notebook(path: Path, kernel: str | None) -> Path:
    metadata = {"kernelspec": {"name": kernel, "display_name": "x"}} if kernel else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": [], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
    return path


def run(client: BlockingKernelClient, code: str) -> None:
    client.execute(code, silent=True, reply=True, timeout=30)


def test_an_idle_kernel_is_asked_by_file_and_by_id(kernel: KernelManager, home: Path) -> None:
    for named in (kernel.connection_file, "one"):
        found = kernel_environment(named)
        assert (found.where, found.prefix, found.by, found.language, found.kernel_name) == ("local", home, "kernel", "python", "analysis")
        assert found.pid == kernel.provisioner.pid
        assert found.program == home / "bin" / "python"
    assert found.reason == ""


@pytest.mark.parametrize("busy", ["import time; time.sleep(60)", "while True: pass"])
def test_a_busy_kernel_is_asked_beside_what_it_does(kernel: KernelManager, client: BlockingKernelClient, home: Path, busy: str) -> None:
    running = client.execute(busy, silent=True)
    time.sleep(0.3)
    answer = ask_kernel(Path(kernel.connection_file), timeout=20)
    assert answer.through_subshell
    assert answer.prefix == str(home)
    assert kernel_environment(kernel.connection_file, timeout=20).by == "kernel"
    with pytest.raises(Empty):  # what it was doing goes on
        client.get_shell_msg(timeout=0.1)
    kernel.interrupt_kernel()
    reply = client.get_shell_msg(timeout=30)
    assert (reply["parent_header"]["msg_id"], reply["content"]["ename"]) == (running, "KeyboardInterrupt")


def test_asking_leaves_no_trace(kernel: KernelManager, client: BlockingKernelClient) -> None:
    code = "__import__('json').dumps([get_ipython().execution_count, sorted(k for k in globals() if k[:1] != '_')])"

    def traces() -> str:
        reply = client.execute("", silent=True, store_history=False, user_expressions={"all": code}, reply=True, timeout=30)
        return str(reply["content"]["user_expressions"]["all"]["data"]["text/plain"])

    before = traces()
    kernel_environment(kernel.connection_file)
    assert traces() == before
    listed = client.session.msg("list_subshell_request", {})
    client.control_channel.send(listed)
    assert client.get_control_msg(timeout=10)["content"]["subshell_id"] == []


def test_a_kernel_that_lies_is_not_believed(kernel: KernelManager, client: BlockingKernelClient, home: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    run(client, "import sys; true = sys.prefix")
    try:
        for lie in (str(tmp_path), sys.prefix, "/", "relative", "", 3, "x" * 100_000, [1]):
            run(client, f"sys.prefix = {lie!r}")
            found = kernel_environment(kernel.connection_file)
            assert (found.prefix, found.by) == (home, "process"), lie
    finally:
        run(client, "sys.prefix = true")


def test_a_kernel_that_does_not_answer(kernel: KernelManager, home: Path) -> None:
    pid = kernel.provisioner.pid
    os.kill(pid, 19)
    try:
        started = time.monotonic()
        found = kernel_environment(kernel.connection_file, timeout=0.5)
        assert time.monotonic() - started < 3
        assert (found.prefix, found.by, found.told_prefix) == (home, "process", "")
    finally:
        os.kill(pid, 18)


def test_a_kernel_of_r_is_judged_by_its_process(jupyter: Path) -> None:
    program = shutil.which("R")
    if program is None or subprocess.run([program, "--slave", "-e", "library(IRkernel)"], check=False, capture_output=True).returncode != 0:
        pytest.skip("R has no kernel here")
    argv = [program, "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"]
    write_spec(jupyter, "statistics", argv=argv, language="R")
    manager = KernelManager(
        kernel_name="statistics",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(jupyter / "data" / "kernels")]),
        connection_file=str(jupyter / "runtime" / "kernel-r.json"),
    )
    manager.start_kernel()
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=90)
        idle = kernel_environment("r", timeout=10)
        client.execute("Sys.sleep(60)", silent=True)
        busy = kernel_environment("r", timeout=1)
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
    for found in (idle, busy):
        assert (found.where, found.prefix, found.language) == ("local", Path(program).parents[1], "r")
        assert found.program == Path(program)
        assert found.by in ("kernel", "process")


def test_a_process_cannot_pass_for_another(home: Path) -> None:
    process = subprocess.Popen([str(home / "bin" / "python")], executable="/bin/cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        program = process_interpreter(process.pid)
        assert program is not None
        assert not contains(home, program)
    finally:
        process.kill()
        process.communicate()


def test_kernels_that_do_not_run_here(jupyter: Path, home: Path, spec: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = jupyter / "runtime" / "kernel-gone.json"
    common = {"shell_port": port, "transport": "tcp", "signature_scheme": "hmac-sha256", "key": "x", "kernel_name": spec}
    file.write_text(json.dumps({**common, "ip": "127.0.0.1"}))
    found = kernel_environment("gone")
    assert (found.where, found.prefix, found.by, found.pid) == ("local", home, "kernelspec", None)
    file.write_text(json.dumps({**common, "ip": "203.0.113.7"}))
    elsewhere = kernel_environment(file)
    assert (elsewhere.where, elsewhere.prefix, elsewhere.reason) == ("remote", None, "The kernel runs on another machine.")
    for content in ("[]", "{", ""):
        file.write_text(content)
        with pytest.raises(NotFound):
            kernel_environment(file)
    for name in ("none", "../gone", "x/y"):
        with pytest.raises(NotFound):
            kernel_environment(name)


def test_the_kernel_that_a_notebook_names(jupyter: Path, home: Path, spec: str, tmp_path: Path) -> None:
    found = environment_of_notebook(write_notebook(tmp_path / "a.ipynb", spec))
    assert (found.prefix, found.by, found.kernel_name) == (home, "kernelspec", spec)
    write_spec(jupyter, "gone", argv=[str(tmp_path / "gone" / "bin" / "python")], metadata={"conda_env_path": str(tmp_path / "gone")})
    write_spec(jupyter, "cluster", argv=["x"], metadata={"kernel_provisioner": {"provisioner_name": "slurm"}})
    write_spec(jupyter, "silent", argv=["no-such-program-here"])
    for kernel, code in [
        (None, "no_kernel_named"),
        ("unknown", "kernel_not_found"),
        ("../analysis", "kernel_not_found"),
        ("gone", "environment_missing"),
        ("cluster", "kernel_is_remote"),
        ("silent", "environment_unknown"),
    ]:
        with pytest.raises(NotFound) as error:
            environment_of_notebook(write_notebook(tmp_path / "b.ipynb", kernel))
        assert error.value.code == code
        assert "b.ipynb" in error.value.detail
    with pytest.raises(NotFound, match="no notebook"):
        environment_of_notebook(tmp_path / "none.ipynb")
    for content in ("", "[]", "{}", "\0"):
        (tmp_path / "c.ipynb").write_text(content)
        with pytest.raises(BadRequest) as refused:
            environment_of_notebook(tmp_path / "c.ipynb")
        assert refused.value.code == "not_a_notebook"


@pytest.fixture(scope="module")
def server(jupyter: Path, spec: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """A Jupyter server: its address, its token, its folder."""
    root = tmp_path_factory.mktemp("work")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={root}",
        "--ServerApp.jpserver_extensions={}",
        "--no-browser",
        "--allow-root",
    ]
    environ = {**os.environ, "JUPYTER_TOKEN": "secret-of-the-test", "JUPYTER_PREFER_ENV_PATH": "0"}
    process = subprocess.Popen([sys.executable, "-m", "jupyter_server", *options], env=environ, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not list((jupyter / "runtime").glob("jpserver-*.json")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", "secret-of-the-test", root
    finally:
        process.terminate()
        process.wait(30)


def test_the_running_kernel_of_a_notebook_comes_first(server: tuple[str, str, Path], jupyter: Path, home: Path, spec: str) -> None:
    import requests

    url, token, root = server
    notebook = write_notebook(root / "deep folder" / "tides.ipynb", "unknown")
    with pytest.raises(NotFound):
        environment_of_notebook(notebook)
    session = {"path": "deep folder/tides.ipynb", "name": "tides.ipynb", "type": "notebook", "kernel": {"name": spec}}
    headers = {"Authorization": f"token {token}"}
    deadline = time.monotonic() + 30
    while True:
        answer = requests.post(f"{url}/api/sessions", json=session, headers=headers, timeout=30)
        if answer.status_code == 201 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    found = environment_of_notebook(notebook, timeout=20)
    assert (found.where, found.prefix, found.by, found.kernel_name) == ("local", home, "kernel", spec)
    # a server that lets nobody ask: the kernel itself was told its notebook
    (told,) = (jupyter / "runtime").glob("jpserver-*.json")
    before = told.read_text()
    told.write_text(json.dumps({**json.loads(before), "token": "wrong"}))
    try:
        assert environment_of_notebook(notebook, timeout=20).prefix == home
    finally:
        told.write_text(before)
    requests.delete(f"{url}/api/sessions/{made['id']}", headers=headers, timeout=30)
    with pytest.raises(NotFound):
        environment_of_notebook(notebook)
