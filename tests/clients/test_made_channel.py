"""The channel that other tests rely on: what an independent installer makes of it works."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import jupyter_client.kernelspec
import pytest
import requests
from jupyter_client.manager import KernelManager

from carrel.testing.conda_channel import Channel, ChannelServer, Member, Package, build_channel, index, write_package

pytestmark = pytest.mark.slow

INSTALL = """
import asyncio, os, sys
from rattler import Channel, Gateway, VirtualPackage, install, solve

async def main(channel, prefix, cache, subdir, *specs):
    virtual = [package.into_generic() for package in VirtualPackage.detect()]
    gateway = Gateway(cache_dir=cache + "/repodata")
    records = await solve([Channel(channel)], list(specs), gateway=gateway, platforms=[subdir, "noarch"], virtual_packages=virtual)
    await install(records, prefix, cache_dir=cache, show_progress=False)

asyncio.run(main(*sys.argv[1:]))
os._exit(0)  # the library can crash an interpreter that ends at once
"""


def rattler_install(url: str, folder: Path, subdir: str, *specs: str) -> Path:
    prefix = folder / "prefix"
    command = [sys.executable, "-c", INSTALL, url, str(prefix), str(folder / "cache"), subdir, *specs]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return prefix


def output(*command: str | Path) -> str:
    process = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


@pytest.fixture(scope="module")
def prefix(conda_channel: Channel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    return rattler_install(conda_channel.url, folder, conda_channel.subdir, "python", "ipykernel", "numpy", "pip")


def test_the_interpreter_stands_on_its_own(prefix: Path, conda_channel: Channel) -> None:
    code = (
        "import bz2, ctypes, lzma, sqlite3, ssl, sys, sysconfig, zoneinfo, json; ssl.create_default_context();"
        "zoneinfo.ZoneInfo('Europe/Paris'); sqlite3.connect(':memory:').execute('select 1');"
        "print(json.dumps([sys.prefix, '%d.%d.%d' % sys.version_info[:3], sysconfig.get_path('purelib')]))"
    )
    where, version, purelib = json.loads(output(prefix / "bin/python", "-c", code))
    assert where == str(prefix)
    assert version == conda_channel.python_version
    assert Path(purelib).is_relative_to(prefix)


def test_pip_and_venv_work_in_it(prefix: Path, tmp_path: Path) -> None:
    assert "No broken requirements" in output(prefix / "bin/pip", "check")
    output(prefix / "bin/python", "-m", "venv", "--without-pip", tmp_path / "inner")
    assert output(tmp_path / "inner/bin/python", "-c", "import sys; print(sys.base_prefix)") == str(prefix)


def test_a_kernel_starts_and_runs_a_cell(prefix: Path) -> None:
    manager = KernelManager()
    argv = [str(prefix / "bin/python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = jupyter_client.kernelspec.KernelSpec(argv=argv, display_name="made", language="python")
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        said: list[str] = []
        cell = "import numpy, sys; print(int(numpy.arange(4).sum()), sys.prefix)"
        client.execute_interactive(cell, timeout=60, output_hook=lambda message: said.append(message["content"].get("text", "")))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "".join(said).split() == ["6", str(prefix)]


def test_the_same_inputs_are_not_built_again(conda_channel: Channel, tmp_path: Path) -> None:
    copy = build_channel(tmp_path / "copy", ["ipykernel", "numpy"])
    assert copy.packages == conda_channel.packages
    assert copy.archive("numpy").read_bytes() == conda_channel.archive("numpy").read_bytes()
    assert (copy.path / "noarch" / "repodata_shards.msgpack.zst").is_file()


def test_packages_of_ones_own(tmp_path: Path, conda_channel: Channel) -> None:
    channel = tmp_path / "channel"
    hello = Package("hello", "1.0", (Member("share/hello.txt", b"hello"),), noarch="generic")
    names = {write_package(hello, channel, archive).name for archive in ("conda", "tar.bz2")}
    assert names == {f"hello-1.0-{hello.build_string}.conda", f"hello-1.0-{hello.build_string}.tar.bz2"}
    index(channel)
    installed = rattler_install(channel.as_uri(), tmp_path, conda_channel.subdir, "hello")
    assert (installed / "share/hello.txt").read_text() == "hello"


def test_the_server_speaks_http_as_installers_need_it(conda_channel_server: ChannelServer) -> None:
    server = conda_channel_server
    url = f"{server.url}/noarch/repodata.json"
    whole = requests.get(url, timeout=10)
    assert requests.get(url, headers={"If-None-Match": whole.headers["ETag"]}, timeout=10).status_code == 304
    part = requests.get(url, headers={"Range": "bytes=2-5"}, timeout=10)
    assert (part.status_code, part.content) == (206, whole.content[2:6])
    assert requests.get(url, headers={"Range": "bytes=-5"}, timeout=10).content == whole.content[-5:]
    assert requests.get(url, headers={"Range": "bytes=999999999-"}, timeout=10).status_code == 416
    assert requests.head(url, timeout=10).headers["Content-Length"] == str(len(whole.content))
    assert requests.get(f"{server.url}/../secret", timeout=10).status_code == 404
    assert server.requested("repodata.json") == 5


def test_the_server_fails_on_request(conda_channel_server: ChannelServer) -> None:
    server = conda_channel_server
    url = f"{server.url}/noarch/repodata.json"
    server.faults.cut_after["repodata.json"] = 10
    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=10)
    server.faults.cut_after.clear()
    server.faults.tampered["repodata.json"] = b"{}"
    assert requests.get(url, timeout=10).content == b"{}"
    server.faults.status["repodata.json"] = 503
    assert requests.get(url, timeout=10).status_code == 503
    server.faults.status.clear()
    server.token = "ca-secret"
    assert requests.get(url, timeout=10).status_code == 401
    assert requests.get(f"{server.url}/t/ca-secret/noarch/repodata.json", timeout=10).ok
    assert requests.get(url, headers={"Authorization": "token ca-secret"}, timeout=10).ok
    assert requests.get(url, auth=("__token__", "ca-secret"), timeout=10).ok


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="there is no interpreter of the system")
def test_another_interpreter_becomes_a_package_too(tmp_path: Path) -> None:
    """Debian's differs: a static libpython, dist-packages, a frozen site module."""
    system = Path("/usr/bin/python3").resolve()
    if output(system, "-c", "import sys; print(sys.version_info >= (3, 9))") != "True":
        pytest.skip("it is too old")
    channel = build_channel(tmp_path / "channel", [], python=system)
    prefix = rattler_install(channel.url, tmp_path, channel.subdir, "python", "pip")
    assert output(prefix / "bin/python", "-c", "import pip, sys; print(sys.prefix)") == str(prefix)
    assert output(prefix / "bin/pip", "--version").startswith("pip ")


def test_virtual_environments_name_their_base_interpreter(tmp_path: Path) -> None:
    from carrel.testing.conda_channel.interpreter import inspect_interpreter

    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    inner = inspect_interpreter(tmp_path / "venv/bin/python")
    assert inner == inspect_interpreter(Path(sys.executable))
    assert not inner.executable.is_relative_to(tmp_path)
