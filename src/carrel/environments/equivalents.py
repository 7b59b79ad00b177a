"""The commands of other tools that ask for the same as a plan."""

from __future__ import annotations

import re
import shlex

from carrel.environments import specs
from carrel.environments.credentials import strip_url
from carrel.environments.models import Change, Environment, Sources
from carrel.environments.wishes import Wishes


def command(environment: Environment, wishes: Wishes, change: Change, sources: Sources) -> str:
    """Return shell commands that ask for the same."""
    lines = []
    prefix = shlex.quote(str(environment.prefix))
    python = shlex.quote(str(environment.python_executable))
    channels = " ".join(f"-c {shlex.quote(strip_url(channel))}" for channel in sources.channels)
    if wishes.conda_add:
        wanted = " ".join(shlex.quote(specs.strip_secrets(_tight(specs.conda_text(spec)))) for spec in wishes.conda_add)
        lines.append(f"conda install -p {prefix} {channels} {wanted}".replace("  ", " "))
    if wishes.pypi_add:
        index = f"--index-url {shlex.quote(strip_url(sources.indexes[-1]))} " if sources.indexes else ""
        extra = "".join(f"--extra-index-url {shlex.quote(strip_url(url))} " for url in sources.indexes[:-1])
        wanted = " ".join(shlex.quote(specs.strip_secrets(specs.requirement(spec))) for spec in wishes.pypi_add)
        lines.append(f"{python} -m pip install {index}{extra}{wanted}")
    for by_conda, by_pip, verb, arguments in (
        (wishes.conda_remove, wishes.pypi_remove, "remove", "uninstall"),
        (wishes.conda_update, wishes.pypi_update, "update", "install --upgrade"),
    ):
        if by_conda:
            lines.append(f"conda {verb} -p {prefix} {channels} {shlex.join(by_conda)}".replace("  ", " "))
        if by_pip:
            lines.append(f"{python} -m pip {arguments} {shlex.join(sorted(by_pip))}")
    return "\n".join(lines)


def _tight(text: str) -> str:
    """Return a match specification as one types it: ``numpy=1.26.*``, ``numpy>=2``, ``numpy=2.1=py311*``."""
    if "[" in text:
        return text
    name, _, rest = text.partition(" ")
    version, _, build = rest.partition(" ")
    if build:
        return f"{name}={version.removeprefix('==')}={build}"
    return name + (version if re.match(r"[=<>!~]", version) else f"={version}" if version else "")
