"""Settings of other programs: one module per program, each a function from the old text of a file to the new one.

The functions are pure, keep what they do not concern, comments included, and change nothing when called again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from carrel.cli.settings.source import Change, Source


@dataclass(frozen=True)
class Program:
    """A program whose settings can be changed.

    Attributes
    ----------
    name : str
    commands : tuple of str
        What is on the path where it is installed.
    module : str
        Has ``files(environ, source)``, which returns pairs of a path and a a change.
    """

    name: str
    commands: tuple[str, ...]
    module: str

    def files(self, environ: Mapping[str, str], source: Source) -> list[tuple[Path, Change]]:
        """Return the files to change, and how."""
        found: list[tuple[Path, Change]] = import_module(self.module).files(environ, source)
        return found


PROGRAMS: dict[str, Program] = {
    program.name: program
    for program in (
        Program("conda", ("conda", "mamba", "micromamba"), f"{__name__}.conda"),
        Program("pip", ("pip", "pip3"), f"{__name__}.pip"),
        Program("uv", ("uv",), f"{__name__}.uv"),
        Program("pixi", ("pixi",), f"{__name__}.pixi"),
        Program("r", ("R", "Rscript"), f"{__name__}.r"),
    )
}
