"""Kernelspecs: an activated kernel in a real conda environment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from environment_fixtures import change

from carrel.core.errors import BadRequest
from carrel.environments import Sources, Spec, find_prefix, install_kernelspec, remove_kernelspec

_SHOW = "import json, os, sys; print(json.dumps([dict(os.environ), sys.executable, os.getpid(), sys.argv[1:]]))"


def start(folder: Path, *arguments: str) -> tuple[dict[str, str], str, int, list[str], int]:
    """Run what the kernelspec says, with *arguments* for the kernel's."""
    spec = json.loads((folder / "kernel.json").read_bytes())
    end = spec["argv"].index("-m")
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": "/somewhere", "KEPT": "yes"}
    process = subprocess.Popen([*spec["argv"][:end], *arguments], stdout=subprocess.PIPE, text=True, env=environment)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    variables, executable, pid, rest = json.loads(output)
    return variables, executable, pid, rest, process.pid


def test_the_kernel_is_activated(conda_env: Path, tmp_path: Path) -> None:
    folder = conda_env / "etc" / "conda"
    (folder / "env_vars.d").mkdir(parents=True)
    (folder / "env_vars.d" / "gdal.json").write_text('{"GDAL_DATA": "/of/the/package"}')
    (folder / "activate.d").mkdir()
    (folder / "activate.d" / "a b'c.sh").write_text(
        'echo noise\nexport FROM_SCRIPT="$CONDA_PREFIX/x"\nexport GDAL_DATA="$GDAL_DATA/more"\n'
    )
    (conda_env / "conda-meta" / "state").write_text('{"env_vars": {"OWN": "1", "KEPT": "***unset***"}}')
    spec = install_kernelspec(conda_env, "analysis", "Analysis", user_data_folder=tmp_path, metadata={"ref": "acme/analysis@7"})
    variables, executable, pid, rest, started = start(spec, "-c", _SHOW, "-f", "a file")
    assert variables["CONDA_PREFIX"] == str(conda_env)
    assert variables["PATH"].split(os.pathsep)[0] == str(conda_env / "bin")
    assert variables["OWN"] == "1"
    assert variables["FROM_SCRIPT"] == f"{conda_env}/x"
    assert variables["GDAL_DATA"] == "/of/the/package/more"
    assert "KEPT" not in variables
    assert "PYTHONPATH" not in variables
    assert executable == str(conda_env / "bin" / "python")
    assert pid == started  # signals of Jupyter reach the kernel itself
    assert rest == ["-f", "a file"]


def test_a_broken_script_does_not_keep_the_kernel_from_starting(conda_env: Path, tmp_path: Path) -> None:
    scripts = conda_env / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (scripts / "bad.sh").write_text("exit 3\n")
    spec = install_kernelspec(conda_env, "analysis", "Analysis", user_data_folder=tmp_path)
    assert start(spec, "-c", _SHOW)[0]["CONDA_PREFIX"] == str(conda_env)


def test_the_kernelspec_says_where_it_belongs(conda_env: Path, tmp_path: Path) -> None:
    folder = install_kernelspec(conda_env, "analysis", "Analysis", user_data_folder=tmp_path, metadata={"ref": "acme/analysis@7"})
    spec = json.loads((folder / "kernel.json").read_bytes())
    assert spec["metadata"]["carrel"] == {"ref": "acme/analysis@7", "prefix": str(conda_env)}
    assert find_prefix(spec["argv"][0]) == conda_env
    install_kernelspec(conda_env, "analysis", "Analysis 2", user_data_folder=tmp_path)
    assert json.loads((folder / "kernel.json").read_bytes())["display_name"] == "Analysis 2"
    assert [path.name for path in folder.parent.iterdir()] == ["analysis"]
    with pytest.raises(BadRequest):
        install_kernelspec(conda_env, "../evil", "Evil", user_data_folder=tmp_path)
    assert remove_kernelspec("analysis", user_data_folder=tmp_path)
    assert not remove_kernelspec("analysis", user_data_folder=tmp_path)


def test_a_cell_runs(conda_env: Path, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import KernelManager

    change(conda_env, sources, Spec("ipykernel"))
    install_kernelspec(conda_env, "analysis", "Analysis", user_data_folder=tmp_path)
    found = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")])
    manager = KernelManager(kernel_name="analysis", kernel_spec_manager=found)
    manager.start_kernel()
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=90)
        reply = client.execute_interactive(
            "", user_expressions={"prefix": "__import__('os').environ['CONDA_PREFIX']"}, timeout=60, output_hook=lambda message: None
        )
        assert reply["content"]["user_expressions"]["prefix"]["data"]["text/plain"] == repr(str(conda_env))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
