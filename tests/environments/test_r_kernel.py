"""R, alone and beside Python: solved, locked, rebuilt in another folder and executed through our kernelspecs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from environment_fixtures import change

from carrel.environments import Sources, Spec, capture, environment_file, install_kernelspec, rebuild
from carrel.environments.kernels import install_kernelspecs, kernels_in
from carrel.formats.environment import load_lock
from carrel.testing.conda_channel import serve

_R_CELLS = (
    "cat(R.version.string)",
    'suppressMessages(library(jsonlite)); cat(find.package("jsonlite"), R.home(), sep = "\\n")',
    'cat(Sys.getenv("RSTUDIO_WHICH_R"), Sys.getenv("CONDA_PREFIX"), Sys.getenv("FROM_PACKAGE"), sep = "\\n")',
)


@pytest.fixture(scope="module")
def r_sources(r_channel: Path) -> Iterator[Sources]:
    with serve(r_channel) as server:
        yield Sources((server.url,))


def rebuilt(folder: Path, sources: Sources, *specs: str) -> Path:
    """Solve, lock, write the lock, read it again and rebuild it elsewhere; return the rebuilt environment."""
    prefix = folder / "made"
    (prefix / "conda-meta").mkdir(parents=True)
    change(prefix, sources, *(Spec(name) for name in specs))
    lock = capture(prefix, sources)
    assert lock.problems == ()
    filename, data = environment_file(lock)
    again = folder / "elsewhere" / "again"
    rebuild(load_lock(filename, data), again)
    assert capture(again, sources).digest == lock.digest
    prefix.rename(folder / "gone")  # nothing of the first one can answer
    return again


def execute(folder: Path, kernel: str, *cells: str) -> list[str]:
    """Run a notebook with *cells* in *kernel* from Jupyter's data folder *folder*; return what each printed."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    found = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    manager = AsyncKernelManager(kernel_name=kernel, kernel_spec_manager=found)
    NotebookClient(notebook, km=manager, timeout=60, startup_timeout=90).execute()
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]


def spec_in(folder: Path) -> Any:
    return json.loads((folder / "kernel.json").read_bytes())


def test_an_r_notebook_runs_where_there_is_no_python(r_sources: Sources, tmp_path: Path) -> None:
    prefix = rebuilt(tmp_path, r_sources, "r-irkernel")
    assert not (prefix / "bin" / "python").exists()
    assert [(kernel.name, kernel.language, kernel.program) for kernel in kernels_in(prefix)] == [("ir", "R", "lib/R/bin/R")]
    (prefix / "etc" / "conda" / "env_vars.d").mkdir()
    (prefix / "etc" / "conda" / "env_vars.d" / "package.json").write_text('{"FROM_PACKAGE": "yes"}')
    folder = install_kernelspec(prefix, "statistics", "Statistics", user_data_folder=tmp_path, metadata={"ref": "acme/statistics@2"})
    spec = spec_in(folder)
    assert (spec["language"], spec["display_name"]) == ("R", "Statistics")
    assert spec["argv"][0] == "python3"  # Jupyter's own: the environment has none, and Carrel may be gone
    assert spec["metadata"]["conda_env_path"] == str(prefix)
    assert {path.name for path in folder.iterdir()} >= {"logo-svg.svg", "logo-64x64.png", "kernel.js", "kernel.json"}
    version, places, variables = execute(tmp_path, "statistics", *_R_CELLS)
    assert version.startswith("R version ")
    assert places.split() == [f"{prefix}/lib/R/library/jsonlite", f"{prefix}/lib/R"]
    assert variables.split() == [f"{prefix}/bin/R", str(prefix), "yes"]


def test_python_and_r_in_one_environment(r_sources: Sources, tmp_path: Path) -> None:
    prefix = rebuilt(tmp_path, r_sources, "python", "ipykernel", "r-irkernel")
    folders = install_kernelspecs(prefix, "both", "Both", user_data_folder=tmp_path)
    assert [(folder.name, spec_in(folder)["display_name"]) for folder in folders] == [("both", "Both"), ("both-r", "Both (R)")]
    (said,) = execute(tmp_path, "both", "import os, sys; print(sys.prefix, os.environ['RSTUDIO_WHICH_R'])")
    assert said.split() == [str(prefix), f"{prefix}/bin/R"]
    assert spec_in(folders[1])["argv"][0] == str(prefix / "bin" / "python")
    _, places, variables = execute(tmp_path, "both-r", *_R_CELLS)
    assert places.split() == [f"{prefix}/lib/R/library/jsonlite", f"{prefix}/lib/R"]
    assert variables.split()[:2] == [f"{prefix}/bin/R", str(prefix)]
    assert spec_in(install_kernelspec(prefix, "r", "R", user_data_folder=tmp_path, language="r"))["language"] == "R"
