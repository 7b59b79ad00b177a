"""Real conda packages made on the spot, a channel of them, and a server for it.

The running interpreter becomes the ``python`` package and wheels become the rest, so nothing binary is kept in the
repository and whatever installs from the channel gets an environment that works: kernels start in it, ``pip`` and
``venv`` too. Packages are for the machine that made them (the interpreter keeps using its system libraries).

Examples
--------
>>> from carrel.testing.conda_channel import build_channel, serve  # doctest: +SKIP
>>> channel = build_channel(requirements=["ipykernel", "numpy"])  # doctest: +SKIP
>>> with serve(channel.path) as server:  # doctest: +SKIP
...     print(server.url)
"""

from __future__ import annotations

from carrel.testing.conda_channel.build import DEFAULT_REQUIREMENTS, Channel, build_channel
from carrel.testing.conda_channel.indexing import index
from carrel.testing.conda_channel.packages import Member, Package, write_package
from carrel.testing.conda_channel.server import ChannelServer, serve

__all__ = [
    "DEFAULT_REQUIREMENTS",
    "Channel",
    "ChannelServer",
    "Member",
    "Package",
    "build_channel",
    "index",
    "serve",
    "write_package",
]
