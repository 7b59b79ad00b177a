"""Running the sample notebooks, so that what is published has outputs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from carrel.demo import samples


def place(folder: Path, *names: str) -> None:
    """Write sample files into *folder*; what is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (folder / name).exists():
            (folder / name).write_bytes(samples.read(name))


def execute(path: Path, jupyter_data: Path) -> None:
    """Run all cells of the notebook at *path* with the kernel it names and keep the outputs in it.

    Parameters
    ----------
    jupyter_data : Path
        Jupyter data folder with the kernelspec.
    """
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    name = notebook.metadata.kernelspec.name
    specs = KernelSpecManager(kernel_dirs=[str(jupyter_data / "kernels")])
    manager = AsyncKernelManager(kernel_name=name, kernel_spec_manager=specs)
    # nbclient names the folder by a resource, and the kernel inherits the rest of the environment.
    client = NotebookClient(notebook, km=manager, timeout=120, resources={"metadata": {"path": str(path.parent)}})
    try:
        # Kernels warn on their standard error that they talk over TCP; what a cell writes there comes as a message, not this way.
        client.execute(env={**os.environ, "IPYTHONDIR": str(jupyter_data / "ipython")}, stderr=subprocess.DEVNULL)
    finally:
        # nbclient leaves a manager that it was given alone.
        run_sync(manager.shutdown_kernel)(now=True)
    nbformat.write(notebook, path)
