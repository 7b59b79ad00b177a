from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import ipykernel
import pytest

from carrel.environments import environment_id, install_kernelspec


@pytest.fixture
def shared(kernel_venv, tmp_path, jp_data_dir, monkeypatch):
    """An environment with a kernel in which this person may change nothing, known to the server by its kernelspec."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(jp_data_dir))
    prefix = tmp_path / "shared"
    shutil.copytree(kernel_venv, prefix, symlinks=True)
    site_packages, package = next(prefix.glob("lib/python3*/site-packages")), Path(ipykernel.__file__).parent
    (site_packages / "ipykernel").symlink_to(package)
    shutil.copyfile(package.parent / "ipykernel_launcher.py", site_packages / "ipykernel_launcher.py")
    install_kernelspec(prefix, "shared", "Shared", user_data_folder=jp_data_dir)
    return prefix


async def finished(fetch_json, job):
    for _ in range(600):
        _, job = await fetch_json("GET", "jobs", job["id"])
        if job["state"] in ("done", "failed", "cancelled"):
            return job
        await asyncio.sleep(0.05)
    raise AssertionError(job)


async def test_a_copy_of_ones_own_with_a_kernel(fetch_json, shared, jp_data_dir, carrel_folders):
    code, job = await fetch_json("POST", "environments", environment_id(shared), "clone")
    assert code == 202, job
    job = await finished(fetch_json, job)
    assert job["state"] == "done", job["error"]
    made, prefix = job["result"]["environment"], carrel_folders / "carrel-data" / "envs" / "shared-copy"
    assert (made["prefix"], made["writable"], made["kind"]) == (str(prefix), True, "venv")
    assert (await fetch_json("GET", "environments", made["id"]))[0] == 200
    spec = json.loads((jp_data_dir / "kernels" / job["result"]["kernel_name"] / "kernel.json").read_bytes())
    assert spec["argv"][0] == str(prefix / "bin" / "python")
    assert await (await asyncio.create_subprocess_exec(spec["argv"][0], "-c", "import tiny, ipykernel")).wait() == 0
    # a second one has another place and another kernel
    job = await finished(fetch_json, (await fetch_json("POST", "environments", environment_id(shared), "clone"))[1])
    assert (job["result"]["environment"]["prefix"], job["result"]["kernel_name"]) == (f"{prefix}-2", "shared-copy-2")


async def test_a_name_is_checked_and_never_taken_twice(fetch_json, shared):
    code, body = await fetch_json("POST", "environments", environment_id(shared), "clone", body={"name": "../outside"})
    assert (code, body["code"]) == (400, "invalid_name")
    for state in ("done", "failed"):
        job = await finished(
            fetch_json, (await fetch_json("POST", "environments", environment_id(shared), "clone", body={"name": "mine"}))[1]
        )
        assert job["state"] == state
    assert job["error"]["code"] == "prefix_taken"


@pytest.mark.parametrize("name", ["python3", "everyones"])
async def test_a_copy_does_not_take_the_kernel_name_of_others(fetch_json, shared, jp_data_dir, jp_env_jupyter_path, name):
    """Notebooks with a kernel of the machine would start in the copy."""
    install_kernelspec(shared, "everyones", "Everyone's", user_data_folder=jp_env_jupyter_path)
    path = ("environments", environment_id(shared), "clone")
    job = await finished(fetch_json, (await fetch_json("POST", *path, body={"name": name}))[1])
    assert (job["state"], job["result"]["kernel_name"]) == ("done", f"{name}-2")
    assert not (jp_data_dir / "kernels" / name).exists()


@pytest.mark.parametrize("wrong", [{"add": 5}, {"remove": {"a": 1}}, {"update": "six"}])
async def test_a_plan_of_nonsense_says_what_is_wrong(fetch_json, shared, wrong):
    code, job = await fetch_json("POST", "environments", environment_id(shared), "plan", body=wrong)
    assert code == 202, job
    job = await finished(fetch_json, job)
    assert (job["state"], job["error"]["code"]) == ("failed", "bad_request")
