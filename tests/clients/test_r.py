"""Unmodified R against its repositories: indexes in all forms, installing, tokens, labels, older versions, binaries."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import requests
from hub_uploads import upload

from carrel.testing.artifacts import Artifact, build_r_package
from carrel.testing.hub import HubProcess
from carrel.testing.plugin import missing

# Values come back as JSON without a package for it.
JSON = """
quoted <- function(x) ifelse(is.na(x), "null", paste0('"', x, '"'))
listed <- function(x) paste0("[", paste(quoted(x), collapse = ","), "]")
"""


@pytest.fixture(scope="module")
def rscript() -> str:
    found = shutil.which("Rscript")
    if found is None:
        missing("Rscript was not found; install r-base-core")
    return found


class R:
    """Runs R with a library and a home of its own, as it comes: the hub is told by address alone."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.library = folder / "library"
        self.library.mkdir()

    def run(self, code: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.library.parent), "LC_ALL": "C.UTF-8", "no_proxy": "*"}
        environment["R_LIBS_USER"] = str(self.library)
        command = [self.program, "--no-init-file", "--no-site-file", "-e", f"options(warn = 1)\n{JSON}\n{code}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done

    def value(self, code: str) -> object:
        return json.loads(self.run(code).stdout.splitlines()[-1])

    def install(self, *calls: str) -> list[str]:
        """Install, one call after the other, and return the versions that are there then."""
        self.run("\n".join(calls), check=False)
        found = self.library.glob("*/DESCRIPTION")
        versions = ((path.parent.name, line) for path in found for line in path.read_text().splitlines() if line.startswith("Version: "))
        return sorted(f"{name} {line.removeprefix('Version: ')}" for name, line in versions)


@pytest.fixture
def r(rscript: str, tmp_path: Path) -> R:
    return R(rscript, tmp_path)


def install_packages(names: str, repository: str) -> str:
    return f'install.packages({names}, repos = "{repository}", INSTALL_opts = c("--no-docs", "--no-byte-compile", "--no-test-load"))'


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    token = hub.create_user("alice")
    for version in ("1.0", "1.2", "1.10"):
        upload(hub, token, "alice", build_r_package("tinypkg", version), visibility="public")
    upload(hub, token, "alice", build_r_package("needs", fields={"Imports": "tinypkg (>= 1.10)"}), visibility="public")
    upload(hub, token, "alice", build_r_package("tinypkg", "2.0"), label="team/dev")
    upload(hub, token, "alice", build_r_package("hidden"), visibility="private")
    return token


def test_the_index_is_the_same_in_all_forms(hub: HubProcess, token: str, r: R) -> None:
    contrib = f"{hub.url}/cran/alice/src/contrib"
    text = requests.get(f"{contrib}/PACKAGES", timeout=30)
    assert text.headers["Content-Type"].startswith("text/plain")
    assert gzip.decompress(requests.get(f"{contrib}/PACKAGES.gz", timeout=30).content) == text.content
    assert [line for line in text.text.splitlines() if line.startswith(("Package", "Version"))] == [
        "Package: needs",
        "Version: 1.0",
        "Package: tinypkg",
        "Version: 1.10",
    ]
    assert r.value(f"""
        contrib <- "{contrib}"
        get <- function(name) {{ path <- tempfile(); download.file(file.path(contrib, name), path, quiet = TRUE, mode = "wb"); path }}
        forms <- list(read.dcf(get("PACKAGES")), read.dcf(get("PACKAGES.gz")), readRDS(get("PACKAGES.rds")))
        available <- available.packages(contriburl = contrib, filters = list())
        for (form in forms) {{
            rownames(form) <- unname(form[, "Package"])
            for (column in colnames(form)) stopifnot(identical(form[, column], available[rownames(form), column]))
            stopifnot(identical(unname(rownames(form)), unname(rownames(available))))
        }}
        stopifnot(all(is.na(available[, "File"])), nchar(available[, "MD5sum"]) == 32)
        path <- download.packages("tinypkg", tempdir(), contriburl = contrib, type = "source", quiet = TRUE)[, 2]
        stopifnot(tools::md5sum(path) == available["tinypkg", "MD5sum"])
        cat(listed(available[, "Imports"]))
    """) == ["tinypkg (>= 1.10)", None]


def test_install_with_what_it_needs(hub: HubProcess, token: str, r: R) -> None:
    assert r.install(install_packages('"needs"', f"{hub.url}/cran/alice")) == ["needs 1.0", "tinypkg 1.10"]
    assert r.run("cat(tinypkg::hello())").stdout == "tinypkg 1.10"


def test_private_packages_need_the_token(hub: HubProcess, token: str, r: R) -> None:
    assert r.install(install_packages('"hidden"', f"{hub.url}/cran/alice")) == []
    assert r.install(install_packages('"hidden"', f"{hub.url}/cran/t/{token}/alice")) == ["hidden 1.0"]
    for wrong in ("/cran/alice", "/cran/t/ca-wrong/alice"):
        assert requests.get(f"{hub.url}{wrong}/src/contrib/hidden_1.0.tar.gz", timeout=30).status_code in {401, 404}
    assert b"hidden" in requests.get(f"{hub.url}/t/{token}/cran/alice/src/contrib/PACKAGES", timeout=30).content


def test_a_label(hub: HubProcess, token: str, r: R) -> None:
    assert r.install(install_packages('"tinypkg"', f"{hub.url}/cran/alice/label/team/dev")) == ["tinypkg 2.0"]
    assert requests.get(f"{hub.url}/cran/alice/label/nowhere/src/contrib/PACKAGES", timeout=30).status_code == 404


def test_older_versions(hub: HubProcess, token: str, r: R) -> None:
    repository = f"{hub.url}/cran/alice"
    # What remotes::install_version() does: the list of the archive, then the file by its path there.
    found = r.value(f"""
        archive <- readRDS(gzcon(url("{repository}/src/contrib/Meta/archive.rds", "rb")))
        stopifnot(identical(names(archive), "tinypkg"), is.data.frame(archive$tinypkg), inherits(archive$tinypkg$mtime, "POSIXct"))
        stopifnot(!is.unsorted(archive$tinypkg$mtime), abs(difftime(Sys.time(), archive$tinypkg$mtime, units = "mins")) < 10)
        paths <- row.names(archive$tinypkg)
        address <- file.path("{repository}/src/contrib/Archive", paths[1])
        install.packages(address, repos = NULL, type = "source", INSTALL_opts = c("--no-docs", "--no-byte-compile", "--no-test-load"))
        cat("\\n", listed(paths), sep = "")
    """)
    assert found == ["tinypkg/tinypkg_1.0.tar.gz", "tinypkg/tinypkg_1.2.tar.gz"]
    assert "Version: 1.0\n" in (r.library / "tinypkg" / "DESCRIPTION").read_text()
    for path in ("tinypkg_1.2.tar.gz", "Archive/tinypkg/tinypkg_1.10.tar.gz"):
        assert requests.get(f"{repository}/src/contrib/{path}", timeout=30).ok
    assert requests.get(f"{repository}/src/contrib/Archive/needs/tinypkg_1.2.tar.gz", timeout=30).status_code == 404


def test_a_binary_for_linux(hub: HubProcess, token: str, r: R, tmp_path: Path) -> None:
    source = build_r_package("made", "3.1")
    (tmp_path / source.filename).write_bytes(source.data)
    command = ["R", "CMD", "INSTALL", "--build", "--no-docs", f"--library={r.library}", source.filename]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (built,) = tmp_path.glob("made_3.1_R_*.tar.gz")
    shutil.rmtree(r.library / "made")
    made = upload(hub, token, "alice", Artifact(built.name, built.read_bytes()), visibility="public").json()
    assert made["attributes"]["type"] == "binary"
    system, name, version = made["subdir"].split("/")
    repository = f"{hub.url}/cran/alice/bin/{system}/{name}/{version}"
    assert f"File: {built.name}" in requests.get(f"{repository}/src/contrib/PACKAGES", timeout=30).text
    assert r.install(install_packages('"made"', repository)) == ["made 3.1"]
    answer = requests.put(
        f"{hub.url}/cran/alice/bin?platform=linux/noble&rversion={version}",
        data=built.read_bytes(),
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert (answer.status_code, answer.json()["subdir"]) == (201, f"linux/noble/{version}")
