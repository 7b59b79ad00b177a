from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from pathlib import Path

import pytest

from carrel.environments.kernel_processes import contains
from carrel.environments.kernels import prefix_of_spec
from carrel.extension.environments import KernelFacts


async def start(jp_fetch, name):
    import json

    response = await jp_fetch("api", "kernels", method="POST", body=json.dumps({"name": name}))
    return json.loads(response.body)["id"]


@pytest.fixture
def kernel(jp_fetch, venv_kernelspec, jp_asyncio_loop, jp_serverapp):
    kernel_id = jp_asyncio_loop.run_until_complete(start(jp_fetch, venv_kernelspec))
    yield kernel_id
    jp_asyncio_loop.run_until_complete(jp_serverapp.kernel_manager.shutdown_kernel(kernel_id, now=True))


async def test_the_environment_of_a_kernel_is_its_venv_not_the_base(kernel, kernel_venv, fetch_json):
    code, environment = await fetch_json("GET", "kernels", kernel, "environment")
    assert code == 200
    assert environment["prefix"] == str(kernel_venv)
    assert environment["id"] == hashlib.sha256(os.fsencode(kernel_venv)).hexdigest()[:16]
    assert environment["kind"] == "venv"
    assert environment["name"] == "analysis"
    assert environment["python_version"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert environment["language"] == "python"
    assert environment["writable"] is True
    assert environment["is_server_environment"] is False
    assert environment["package_count"] == 1


async def test_it_is_found_while_the_kernel_is_busy(kernel, jp_serverapp, kernel_venv, fetch_json):
    client = jp_serverapp.kernel_manager.get_kernel(kernel).client()
    client.start_channels()
    client.execute("import time; time.sleep(5)")
    await asyncio.sleep(0.3)
    started = asyncio.get_running_loop().time()
    _, environment = await fetch_json("GET", "kernels", kernel, "environment")
    assert environment["prefix"] == str(kernel_venv)
    assert asyncio.get_running_loop().time() - started < 3
    client.stop_channels()


async def test_a_kernel_cannot_lie_about_its_prefix(kernel, kernel_venv, tmp_path, fetch_json):
    for lie in (str(tmp_path), sys.prefix, "/", str(kernel_venv.parent), "relative", "/nonexistent"):
        _, environment = await fetch_json("POST", "kernels", kernel, "environment", body={"prefix": lie})
        assert environment["prefix"] == str(kernel_venv), lie
    _, environment = await fetch_json("POST", "kernels", kernel, "environment", body={"prefix": str(kernel_venv)})
    assert environment["prefix"] == str(kernel_venv)


async def test_installed_packages_and_their_entity_tag(kernel, kernel_venv, jp_fetch, fetch_json):
    _, environment = await fetch_json("GET", "kernels", kernel, "environment")
    response = await jp_fetch("carrel", "environments", environment["id"], "packages")
    code, body = await fetch_json("GET", "environments", environment["id"], "packages")
    (tiny,) = body["items"]
    assert (tiny["name"], tiny["version"], tiny["source"], tiny["import_names"]) == ("tiny", "1.5", "pypi", ["tiny"])
    assert tiny["requested"] is True
    tag = response.headers["ETag"]
    code, _ = await fetch_json("GET", "environments", environment["id"], "packages", headers={"If-None-Match": tag})
    assert code == 304
    added = next(kernel_venv.glob("lib/python3*/site-packages")) / "more-2.dist-info"
    added.mkdir()
    try:
        (added / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 2\n")
        code, body = await fetch_json("GET", "environments", environment["id"], "packages", headers={"If-None-Match": tag})
        assert code == 200
        assert {item["name"] for item in body["items"]} == {"tiny", "more"}
    finally:
        (added / "METADATA").unlink()
        added.rmdir()


async def test_known_environments(kernel, kernel_venv, fetch_json):
    _, body = await fetch_json("GET", "environments")
    by_prefix = {item["prefix"]: item for item in body["items"]}
    assert str(kernel_venv) in by_prefix
    assert by_prefix[sys.prefix]["is_server_environment"]
    _, one = await fetch_json("GET", "environments", by_prefix[str(kernel_venv)]["id"])
    assert one == by_prefix[str(kernel_venv)]


async def test_imports(kernel, kernel_venv, fetch_json, jp_root_dir):
    (jp_root_dir / "helpers.py").write_text("")
    _, environment = await fetch_json("GET", "kernels", kernel, "environment")
    body = {"environment": environment["id"], "modules": ["os", "tiny", "tiny.sub", "nowhere", "helpers"], "path": "a.ipynb"}
    _, answer = await fetch_json("POST", "imports", body=body)
    states = {item["module"]: item["state"] for item in answer["items"]}
    assert states == {"os": "stdlib", "tiny": "installed", "nowhere": "missing", "helpers": "local"}


async def test_a_removed_environment_is_missing(jp_fetch, jp_data_dir, fetch_json, kernel, jp_serverapp, monkeypatch, tmp_path):
    from carrel.environments import live

    gone = tmp_path / "gone"
    monkeypatch.setattr(live, "process_interpreter", lambda pid: gone / "bin" / "python")
    monkeypatch.setattr(live, "prefix_of_program", lambda program: gone)
    _, environment = await fetch_json("GET", "kernels", kernel, "environment")
    assert environment["kind"] == "missing"
    assert environment["writable"] is False
    assert environment["reason_read_only"]


async def test_a_read_only_environment_refuses_plans(kernel, fetch_json, monkeypatch):
    _, environment = await fetch_json("GET", "kernels", kernel, "environment")
    code, answer = await fetch_json("POST", "environments", environment["id"], "apply", body={"plan": "unknown"})
    assert (code, answer["code"]) == (404, "plan_not_found")


def test_facts_from_kernelspecs(tmp_path):
    assert prefix_of_spec({"argv": ["python", "-m", "x"]}) == Path(sys.prefix)
    assert prefix_of_spec({"argv": ["x"], "metadata": {"conda_env_path": "/envs/a"}}) == Path("/envs/a")
    assert prefix_of_spec({"argv": ["x"], "metadata": {"carrel": {"prefix": "/envs/b"}}}) == Path("/envs/b")
    assert prefix_of_spec({"argv": ["no-such-program-here"]}) is None
    assert prefix_of_spec({}) is None
    assert prefix_of_spec({"argv": "no-such-program-here", "metadata": ["x"], "env": ["PATH"]}) is None
    assert KernelFacts("a", None, "r", {"language": "R"}).language == "r"


def test_contains_does_not_follow_the_interpreter(tmp_path):
    real = tmp_path / "real"
    (real / "bin").mkdir(parents=True)
    (real / "bin" / "python").symlink_to(sys.executable)
    link = tmp_path / "link"
    link.symlink_to(real)
    assert contains(real, real / "bin" / "python")
    assert contains(real, link / "bin" / "python")
    assert contains(link, real / "bin" / "python")
    assert not contains(Path(sys.executable).parent.parent, real / "bin" / "python")
