"""Commands that readers copy from the pages."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from carrel.core.kinds import Kind


@dataclass(frozen=True, slots=True)
class Command:
    """A command to copy, under the name of the tool or the purpose."""

    text: str
    label: str = ""
    wrap: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where packages come from: a namespace, one label of it or a collection.

    Attributes
    ----------
    base : str
        Address of the hub, no slash at the end.
    path : str
        What follows the protocol: ``NAMESPACE``, ``NAMESPACE/label/LABEL``, ``NAMESPACE/collection/NAME``.
    with_token : bool
        Whether the addresses show where a token goes, for clients that know no other way.
    """

    base: str
    path: str
    with_token: bool = False

    @classmethod
    def of_label(cls, base: str, namespace: str, label: str = "main", *, with_token: bool = False) -> Source:
        """Return the source of a namespace's label."""
        return cls(base, namespace if label == "main" else f"{namespace}/label/{label}", with_token)

    @classmethod
    def of_collection(cls, base: str, namespace: str, name: str, *, with_token: bool = False) -> Source:
        """Return the source of a collection."""
        return cls(base, f"{namespace}/collection/{name}", with_token)

    def _address(self, protocol: str) -> str:
        return f"{self.base}/{protocol}/{'t/TOKEN/' if self.with_token else ''}{self.path}"

    @property
    def conda(self) -> str:
        """The conda channel."""
        return self._address("conda")

    @property
    def pypi(self) -> str:
        """The Python index."""
        return f"{self._address('pypi')}/simple/"

    @property
    def cran(self) -> str:
        """The R repository."""
        return self._address("cran")


@dataclass(frozen=True, slots=True)
class Installs:
    """How to install something: the usual tools, and the others."""

    usual: Sequence[Command]
    others: Sequence[Command]


def conda_channel(base: str, namespace: str) -> str:
    """Return the channel address of *namespace* on the hub at *base*."""
    return Source.of_label(base, namespace).conda


def simple_index(base: str, namespace: str) -> str:
    """Return the Python index address of *namespace* on the hub at *base*."""
    return Source.of_label(base, namespace).pypi


def install(source: Source, namespace: str, package: str, version: str, kinds: Iterable[str], *, is_latest: bool) -> Installs:
    """Return how to install a release of *package*, by each tool that can.

    Parameters
    ----------
    source : Source
    is_latest : bool
        Whether no version needs to be named.
    """
    held = set(kinds)
    usual: list[Command] = []
    others: list[Command] = []
    if Kind.CONDA in held:
        spec = package if is_latest else f"{package}={version}"
        pixi = shlex.quote(package if is_latest else f"{package}=={version}")
        usual += [
            Command(f"conda install -c {source.conda} {spec}", "conda"),
            Command(f"pixi workspace channel add {source.conda}\npixi add {pixi}", "pixi"),
        ]
        others.append(Command(f"mamba install -c {source.conda} {spec}", "mamba"))
    if Kind.PYPI in held:
        requirement = package if is_latest else f"{package}=={version}"
        usual += [
            Command(f"pip install --index-url {source.pypi} {requirement}", "pip"),
            Command(f"uv pip install --index {source.pypi} {requirement}", "uv"),
        ]
    if Kind.R in held:
        if is_latest:
            usual.append(Command(f'install.packages("{package}", repos = "{source.cran}")', "R"))
        else:
            usual.append(
                Command(f'remotes::install_version("{package}", "{version}", repos = "{source.cran}")', "R, with the package remotes")
            )
    fetch = Command(f"carrel download {reference(namespace, package, version)}", "carrel: all files")
    if not usual or held - {Kind.CONDA, Kind.PYPI, Kind.R}:
        usual.append(fetch)
    else:
        others.append(fetch)
    place = package if is_latest else f"{package}/{version}"
    others.append(Command(f"anaconda config --set url {source.base}/api\nanaconda download {namespace}/{place}", "anaconda: all files"))
    return Installs(usual, others)


def use_collection(source: Source, kinds: Iterable[str]) -> list[Command]:
    """Return how to make a collection a source of packages, for the tools that install what it holds."""
    held = set(kinds)
    shown: list[Command] = []
    if Kind.CONDA in held:
        shown.append(Command(f"conda install -c {source.conda} PACKAGE", "conda", wrap=True))
    if Kind.PYPI in held:
        shown.append(Command(f"pip install --index-url {source.pypi} PACKAGE", "pip", wrap=True))
        shown.append(Command(f"uv pip install --index {source.pypi} PACKAGE", "uv", wrap=True))
    if Kind.R in held:
        shown.append(Command(f'install.packages("PACKAGE", repos = "{source.cran}")', "R", wrap=True))
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
    # requirements with digests are exact for pip and uv, which look up where the files are
    exact = locked and form != "requirements"
    shown = [Command(f"carrel reproduce {reference(namespace, package, version)}", "Carrel")] if exact else []
    tool = {
        "pylock": ("pylock.toml", "uv pip sync pylock.toml", "uv"),
        "conda-lock": ("conda-lock.yml", f"conda-lock install -n {package} conda-lock.yml", "conda-lock"),
        "environment.yml": ("environment.yml", f"conda env create -n {package} -f environment.yml", "conda"),
        "explicit": ("explicit.txt", f"conda create -n {package} --file explicit.txt", "conda"),
        "conda-list": ("packages.txt", f"conda create -n {package} --file packages.txt", "conda"),
        "pixi.toml": ("pixi.toml", "pixi install", "pixi"),
        "pyproject.toml": ("pyproject.toml", "uv pip install -r pyproject.toml", "uv"),
        "requirements": ("requirements.txt", "pip install -r requirements.txt", "pip"),
        "script": ("script.py", "uv run script.py", "uv"),
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
        Command(f"carrel configure --hub {base} {namespace}", "conda, pip, uv, pixi and R at once", wrap=True),
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
        Command(Source.of_label(base, namespace or user, with_token=True).conda, "conda: in the channel address"),
    ]
