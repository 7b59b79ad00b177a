"""``carrel env install``."""

from __future__ import annotations

from carrel.cli.commands.env.changing import ANSWER, carry_out, target
from carrel.cli.commands.env.choosing import Choices, change_options
from carrel.cli.commands.env.wishing import Wished, wish_options
from carrel.cli.invocation import Invocation, subcommand

_EXAMPLES = (
    "carrel env install numpy 'pandas>=2' acme/charts",
    "carrel env install 'numpy=1.26[build=py311*]' 'pypi::requests[socks]'",
    "carrel env install scipy --exclude-newer 2026-01-31 --pin 'numpy<2'",
)


@subcommand(ANSWER, examples=_EXAMPLES)
@wish_options(required=True)
@change_options
def command(invocation: Invocation, wished: Wished, choices: Choices) -> None:
    """Install packages.

    PACKAGE is written as for conda ('numpy', 'numpy=1.26', 'numpy>=2,<3', 'conda-forge::numpy 2.1.* py311*', the address of an
    archive) or as for pip ('requests[socks]>=2', 'NAME @ ADDRESS', with markers). What both understand comes from the conda
    channels in a conda environment, and from the PyPI indexes elsewhere; 'pypi::NAME' and 'conda::NAME' say which.
    NAMESPACE/NAME comes from the hub, NAMESPACE/label/LABEL/NAME from one of its labels.
    """
    environment, packages = target(wished.prefix)
    carry_out(invocation, environment, packages, wished.change(invocation, environment, choices), choices)
