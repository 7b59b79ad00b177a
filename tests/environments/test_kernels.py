"""Kernelspecs: an activated kernel in a real conda environment."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from environment_fixtures import change

from carrel.core.errors import BadRequest, NotFound
from carrel.environments import Sources, Spec, find_prefix, install_kernelspec, install_kernelspecs, kernels_in, remove_kernelspec

_SHOW = "import json, os, sys; print(json.dumps([dict(os.environ), sys.executable, os.getpid(), sys.argv[1:]]))"


def start(folder: Path, *arguments: str, base: Mapping[str, str] | None = None) -> tuple[dict[str, str], str, int, list[str], int]:
    """Run what the kernelspec says, with *arguments* for the kernel's."""
    spec = json.loads((folder / "kernel.json").read_bytes())
    end = spec["argv"].index("-m")
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": "/somewhere", "KEPT": "yes"}
    environment |= base or {}
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


def add_kernel(prefix: Path, name: str, **spec: object) -> Path:
    folder = prefix / "share" / "jupyter" / "kernels" / name
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    return folder


def test_what_was_active_is_deactivated_first(conda_env: Path, tmp_path: Path) -> None:
    """Jupyter runs in an activated environment of its own, whose variables are not for the kernel."""
    outer = tmp_path / "outer"
    for folder in ("conda-meta", "etc/conda/deactivate.d", "etc/conda/env_vars.d", "bin"):
        (outer / folder).mkdir(parents=True)
    (outer / "conda-meta" / "history").touch()
    (outer / "etc" / "conda" / "env_vars.d" / "proj.json").write_text('{"PROJ_DATA": "/of/outer", "OVERWRITTEN": "outer"}')
    (outer / "etc" / "conda" / "deactivate.d" / "gdal.sh").write_text('unset GDAL_DATA\nexport LEFT="$CONDA_PREFIX"\n')
    (conda_env / "conda-meta" / "state").write_text('{"env_vars": {"OWN": "1"}}')
    active = {
        "CONDA_PREFIX": str(outer),
        "CONDA_SHLVL": "1",
        "GDAL_DATA": "/of/outer",
        "PROJ_DATA": "/of/outer",
        "OVERWRITTEN": "outer",
        "__CONDA_SHLVL_0_OVERWRITTEN": "before",
        "PATH": f"{outer}/bin:/usr/bin:/bin",
    }
    spec = install_kernelspec(conda_env, "analysis", "Analysis", user_data_folder=tmp_path)
    variables = start(spec, "-c", _SHOW, base=active)[0]
    assert not {"GDAL_DATA", "PROJ_DATA"} & variables.keys()
    assert (variables["OVERWRITTEN"], variables["LEFT"], variables["OWN"]) == ("before", str(outer), "1")
    assert variables["PATH"].split(os.pathsep)[0] == str(conda_env / "bin")
    assert str(outer / "bin") not in variables["PATH"].split(os.pathsep)
    assert (variables["CONDA_SHLVL"], variables["CONDA_PREFIX_1"], variables["CONDA_PREFIX"]) == ("2", str(outer), str(conda_env))


def test_kernels_of_all_languages_are_found_in_the_environment(conda_env: Path, tmp_path: Path) -> None:
    program = conda_env / "bin" / "calculator"
    program.write_text(f"#!{conda_env}/bin/python\n")
    program.chmod(0o755)
    folder = add_kernel(
        conda_env,
        "calc",
        argv=["calculator", "--start", "{connection_file}", "{resource_dir}/rules", "{prefix}/share"],
        display_name="Calculator",
        language="calc++",
        interrupt_mode="message",
        env={"RULES": "strict"},
        metadata={"debugger": False, "mine": 1},
    )
    (folder / "logo-64x64.png").write_bytes(b"png")
    (folder / "rules").mkdir()
    (folder / "rules" / "a.txt").write_text("a")
    add_kernel(conda_env, "built-elsewhere", argv=["/opt/build/bin/python3.9", "-m", "bash_kernel"], display_name="Bash", language="bash")
    add_kernel(conda_env, "of-the-machine", argv=["/usr/bin/env", "x"], display_name="Env", language="env")
    (add_kernel(conda_env, "damaged") / "kernel.json").write_text("{")
    found = {kernel.name: kernel for kernel in kernels_in(conda_env)}
    assert set(found) == {"calc", "built-elsewhere"}
    assert (found["built-elsewhere"].program, found["built-elsewhere"].arguments) == ("", ("-m", "bash_kernel"))
    with pytest.raises(BadRequest) as several:
        install_kernelspec(conda_env, "which", "Which", user_data_folder=tmp_path)
    assert several.value.code == "several_kernels"
    with pytest.raises(NotFound) as none:
        install_kernelspec(conda_env, "which", "Which", user_data_folder=tmp_path, language="R")
    assert (none.value.code, none.value.fields["languages"]) == ("no_kernel", ["bash", "calc++"])

    made = install_kernelspec(conda_env, "analysis", "Analysis", user_data_folder=tmp_path, language="Calc++")
    spec = json.loads((made / "kernel.json").read_bytes())
    assert spec["argv"][-5:] == ["bin/calculator", "--start", "{connection_file}", "{resource_dir}/rules", f"{conda_env}/share"]
    assert (spec["interrupt_mode"], spec["env"], spec["language"]) == ("message", {"RULES": "strict"}, "calc++")
    assert (spec["metadata"]["mine"], spec["metadata"]["conda_env_path"]) == (1, str(conda_env))
    assert (made / "logo-64x64.png").read_bytes() == b"png"
    assert (made / "rules" / "a.txt").read_text() == "a"
    folders = install_kernelspecs(conda_env, "both", "Both", user_data_folder=tmp_path)
    assert [one.name for one in folders] == ["both", "both-calcpp"]


def test_a_virtual_environment_starts_its_own_programs(venv: Path, tmp_path: Path) -> None:
    add_kernel(venv, "python3", argv=["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], display_name="P", language="python")
    made = install_kernelspec(venv, "plain", "Plain", user_data_folder=tmp_path)
    spec = json.loads((made / "kernel.json").read_bytes())
    assert spec["argv"] == [str(venv / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    assert spec["metadata"]["virtual_env_path"] == str(venv)


def test_the_launcher_notes_that_the_environment_is_used(conda_env: Path, tmp_path: Path) -> None:
    used = conda_env / ".carrel" / "used"
    used.parent.mkdir(exist_ok=True)
    used.touch()
    os.utime(used, (1, 1))
    start(install_kernelspec(conda_env, "analysis", "Analysis", user_data_folder=tmp_path), "-c", _SHOW)
    assert used.stat().st_mtime > 1_700_000_000
