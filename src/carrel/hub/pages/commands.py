"""Commands that readers copy from the pages."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from carrel.core.kinds import Kind


@dataclass(frozen=True, slots=True)
class Command:
    """A command to copy, under the name of the tool or the purpose."""

    text: str
    label: str = ""
    wrap: bool = False


def conda_channel(base: str, namespace: str) -> str:
    """Return the channel address of *namespace* on the hub at *base*."""
    return f"{base}/conda/{namespace}"


def simple_index(base: str, namespace: str) -> str:
    """Return the Python index address of *namespace* on the hub at *base*."""
    return f"{base}/pypi/{namespace}/simple/"


def with_token_hint(base: str, protocol: str, namespace: str) -> str:
    """Return an address that shows where a token goes, for clients that know no other way."""
    path = f"{namespace}/simple/" if protocol == "pypi" else namespace
    return f"{base}/{protocol}/t/TOKEN/{path}"


def install(base: str, namespace: str, package: str, version: str, kinds: Iterable[str], *, is_latest: bool) -> list[Command]:
    """Return how to install a release of *package*, by each tool that can.

    Parameters
    ----------
    base : str
        Address of the hub, no slash at the end.
    is_latest : bool
        Whether no version needs to be named.
    """
    held = set(kinds)
    shown: list[Command] = []
    if Kind.CONDA in held:
        channel = conda_channel(base, namespace)
        conda = package if is_latest else f"{package}={version}"
        shown += [
            Command(f"conda install -c {channel} {conda}", "conda"),
            Command(
                f"pixi workspace channel add {channel}\npixi add {shlex.quote(package if is_latest else f'{package}=={version}')}", "pixi"
            ),
        ]
    if Kind.PYPI in held:
        index = simple_index(base, namespace)
        requirement = package if is_latest else f"{package}=={version}"
        shown += [
            Command(f"pip install --index-url {index} {requirement}", "pip"),
            Command(f"uv pip install --index {index} {requirement}", "uv"),
        ]
    if not shown or held - {Kind.CONDA, Kind.PYPI}:
        shown.append(Command(f"carrel download {reference(namespace, package, version)}", "All files"))
    return shown


def rebuild(namespace: str, package: str, version: str, address: str, form: str, *, locked: bool) -> list[Command]:
    """Return how to rebuild a published environment: by this project's command, and by the tools that read its file.

    Parameters
    ----------
    address : str
        Where the environment file is.
    form : str
        Its format, as ``carrel.formats.environment.description`` names it.
    locked : bool
        Whether it is exact.
    """
    shown = [Command(f"carrel reproduce {reference(namespace, package, version)}", "Carrel")] if locked else []
    tool = {
        "pylock": ("pylock.toml", "uv pip sync pylock.toml", "uv"),
        "conda-lock": ("conda-lock.yml", f"conda-lock install -n {package} conda-lock.yml", "conda-lock"),
        "environment.yml": ("environment.yml", f"conda env create -n {package} -f environment.yml", "conda"),
        "explicit": ("explicit.txt", f"conda create -n {package} --file explicit.txt", "conda"),
        "requirements": ("requirements.txt", "pip install -r requirements.txt", "pip"),
    }.get(form)
    if tool is not None:
        shown.append(Command(f"curl -Lo {tool[0]} {address}\n{tool[1]}", tool[2]))
    return shown or download(namespace, package, version)


def reproduce(namespace: str, package: str, version: str) -> tuple[str, str]:
    """Return how to reproduce a notebook: the command, and what goes after the address of a JupyterLab."""
    name = reference(namespace, package, version)
    return f"carrel reproduce {name}", f"/lab?hub={name}"


def reference(namespace: str, package: str, version: str) -> str:
    """Return ``NAMESPACE/PACKAGE@VERSION``."""
    return f"{namespace}/{package}@{version}"


def download(namespace: str, package: str, version: str) -> list[Command]:
    """Return how to fetch all files of a release."""
    return [Command(f"carrel download {reference(namespace, package, version)}", "Carrel")]


def use_namespace(base: str, namespace: str) -> list[Command]:
    """Return how to make a namespace a source of packages."""
    return [
        Command(f"conda config --add channels {conda_channel(base, namespace)}", "conda", wrap=True),
        Command(f"pip install --index-url {simple_index(base, namespace)} PACKAGE", "pip", wrap=True),
    ]


def publish_to(base: str, namespace: str) -> list[Command]:
    """Return how to put things into a namespace."""
    return [
        Command(f"carrel login --hub {base}", "Sign in once", wrap=True),
        Command(f"carrel upload --namespace {namespace} dist/*", "Upload packages or files", wrap=True),
        Command(f"carrel publish --namespace {namespace} analysis.ipynb", "Publish a notebook", wrap=True),
    ]


def start(base: str) -> list[Command]:
    """Return the first steps of somebody new."""
    return [Command(f"carrel login --hub {base}", "Sign in once"), Command("carrel publish analysis.ipynb", "Publish a notebook")]


def use_token(base: str, user: str, namespace: str) -> list[Command]:
    """Return how to hand a new token to the tools."""
    host = urlsplit(base).netloc
    return [
        Command(f"export CARREL_HUB_URL={base}\nexport CARREL_TOKEN=…", "Carrel, also on build servers"),
        Command(f"machine {host.partition(':')[0]} login __token__ password …", "pip, uv and curl: in ~/.netrc"),
        Command(with_token_hint(base, "conda", namespace or user), "conda: in the channel address"),
    ]
