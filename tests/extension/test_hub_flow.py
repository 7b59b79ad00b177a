"""The whole path of the extension against a real hub: sign in, find, install, undo, publish, reproduce."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import planted_secrets as corpus
import pytest

from carrel.client import HubClient
from carrel.client.credentials import CredentialStore
from carrel.core import clock
from carrel.core.errors import NotFound
from carrel.environments.locations import current_platform
from carrel.formats.environment import dump_lock
from carrel.formats.environment.lock import Lock, LockedConda
from carrel.sharing.secrets.notebook import strings
from carrel.sharing.secrets.text import strip_ansi, strip_tags
from carrel.testing.artifacts import build_conda, build_wheel


@pytest.fixture(scope="module")
def ada(hub):
    token = hub.create_user("ada")
    with HubClient(hub.url, token) as client:
        for version in ("1.0", "1.1"):
            wheel = build_wheel("tiny-stats", version, summary="Small statistics", files={"tinystats.py": f"__version__ = '{version}'\n"})
            client.upload_file("ada", wheel.data, wheel.filename, visibility="public")
        future = build_wheel("tiny-stats", "2.0", requires_python=">=4", files={"tinystats.py": ""})
        client.upload_file("ada", future.data, future.filename)
        conda = build_conda("tiny-only-conda", "1.0", noarch="generic")
        client.upload_file("ada", conda.data, conda.filename, visibility="public")
        yield token


@pytest.fixture
def extension_settings(extension_settings, hub):
    return {**extension_settings, "hub_url": hub.url, "search_seconds": 8.0}


@pytest.fixture
def venv(tmp_path):
    """A virtual environment of this test alone, known to the server by its kernelspec."""
    prefix = tmp_path / "envs" / "work"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    return prefix


@pytest.fixture
def environment(venv, jp_data_dir, jp_asyncio_loop, fetch_json):
    folder = Path(jp_data_dir) / "kernels" / "work"
    folder.mkdir(parents=True)
    spec = {"argv": [str(venv / "bin" / "python"), "-m", "ipykernel_launcher"], "display_name": "Work", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    _, body = jp_asyncio_loop.run_until_complete(fetch_json("GET", "environments"))
    return next(item["id"] for item in body["items"] if item["prefix"] == str(venv))


@pytest.fixture
def run_job(fetch_json):
    """Start a job and return how it ended."""

    async def run(*path, body):
        code, job = await fetch_json("POST", *path, body=body)
        assert code == 202, job
        for _ in range(1200):
            _, job = await fetch_json("GET", "jobs", job["id"])
            if job["state"] in ("done", "failed", "cancelled"):
                return job
            await asyncio.sleep(0.05)
        raise AssertionError(job)

    return run


@pytest.fixture
def signed_in(ada, jp_asyncio_loop, fetch_json):
    code, answer = jp_asyncio_loop.run_until_complete(fetch_json("POST", "login", body={"token": ada}))
    assert (code, answer["state"]) == (200, "done"), answer
    return ada


async def test_signing_in_and_out(ada, hub, fetch_json):
    _, status = await fetch_json("GET", "status")
    assert status["hub"]["reachable"] is True
    assert status["hub"]["user"] is None
    code, answer = await fetch_json("POST", "login", body={"token": "ca-" + "a" * 32})
    assert (code, answer["code"]) == (401, "invalid_token")
    mine = hub.create_token("ada")
    code, answer = await fetch_json("POST", "login", body={"token": mine})
    assert answer["user"]["name"] == "ada"
    assert mine not in json.dumps(answer)
    _, status = await fetch_json("GET", "status")
    assert status["hub"]["user"]["name"] == "ada"
    assert [(n["name"], n["role"]) for n in status["hub"]["namespaces"]] == [("ada", "owner")]
    assert [source["id"] for source in status["sources"]] == ["hub:ada", "hub"]
    code, _ = await fetch_json("DELETE", "login")
    assert code == 204
    assert CredentialStore().get(hub.url) is None
    assert (await fetch_json("GET", "status"))[1]["hub"]["user"] is None


async def test_another_hub_than_the_configured_one_is_refused(fetch_json):
    code, answer = await fetch_json("POST", "login", body={"hub_url": "https://other.invalid"})
    assert (code, answer["code"]) == (403, "hub_fixed")


async def test_device_sign_in_is_pending_until_confirmed(hub, fetch_json):
    code, flow = await fetch_json("POST", "login", body={})
    assert code == 201, flow
    assert flow["verification_uri_complete"].startswith(hub.url)
    assert flow["user_code"] in flow["verification_uri_complete"]
    assert "device_code" not in flow
    assert (await fetch_json("GET", "login", flow["flow"]))[1] == {"state": "pending"}


async def test_search_judges_for_the_environment(signed_in, environment, fetch_json):
    code, found = await fetch_json("GET", "search", params={"q": "tiny", "environment": environment})
    assert code == 200
    assert [source["ok"] for source in found["sources"]] == [True], found
    items = {item["name"]: item for item in found["items"]}
    stats = items["tiny-stats"]
    assert (stats["version"], stats["state"], stats["source"], stats["kind"]) == ("1.1", "available", "hub:ada", "pypi")
    assert stats["summary"] == "Small statistics"
    conda = items["tiny-only-conda"]
    assert conda["state"] == "incompatible"
    assert "conda environment" in conda["reason"]
    _, by_module = await fetch_json("GET", "search", params={"q": "tinystats", "environment": environment})
    assert by_module["items"][0]["name"] == "tiny-stats"


async def test_details_tell_why_a_version_does_not_fit(signed_in, environment, fetch_json):
    code, details = await fetch_json("GET", "packages", "hub:ada", "tiny-stats", params={"environment": environment})
    assert code == 200, details
    versions = {item["version"]: item for item in details["versions"]}
    assert list(versions) == ["2.0", "1.1", "1.0"]
    assert versions["1.1"]["installable"] is True
    assert versions["2.0"]["reason"].startswith("Not for Python")
    code, missing = await fetch_json("GET", "packages", "hub:ada", "nothing")
    assert (code, missing["status"]) == (404, 404)


async def test_plan_apply_and_undo(signed_in, environment, venv, run_job, fetch_json):
    wish = {"add": [{"name": "tiny-stats", "version": "1.0", "source": "hub:ada"}]}
    plan = await run_job("environments", environment, "plan", body=wish)
    assert plan["state"] == "done", plan
    assert [(p["name"], p["to_version"]) for p in plan["result"]["added"]] == [("tiny-stats", "1.0")]
    assert plan["result"]["needs_confirmation"] is False, plan["result"]
    assert signed_in not in json.dumps(plan)
    done = await run_job("environments", environment, "apply", body={"plan": plan["result"]["id"]})
    assert done["state"] == "done", done
    assert list((venv / "lib").rglob("tinystats.py"))
    _, body = await fetch_json("GET", "environments", environment, "packages")
    assert [(item["name"], item["version"]) for item in body["items"]] == [("tiny-stats", "1.0")]

    _, found = await fetch_json("GET", "search", params={"q": "tiny-stats", "environment": environment})
    assert (found["items"][0]["state"], found["items"][0]["installed_version"]) == ("update", "1.0")
    _, imports = await fetch_json("POST", "imports", body={"environment": environment, "modules": ["tinystats"]})
    assert imports["items"][0] == {"module": "tinystats", "state": "installed", "package": "tiny-stats", "version": "1.0", "source": "pypi"}

    code, answer = await fetch_json("POST", "environments", environment, "apply", body={"plan": plan["result"]["id"]})
    assert (code, answer["code"]) == (404, "plan_not_found")
    _, revisions = await fetch_json("GET", "environments", environment, "revisions")
    newest, found = revisions["items"]
    assert (newest["number"], newest["kind"], newest["program"], found["kind"]) == (
        done["result"]["revision"],
        "change",
        "jupyter",
        "found",
    )
    assert newest["request"] == ["install tiny-stats 1.0 (PyPI)"]
    _, changed = await fetch_json("GET", "environments", environment, "revisions", str(found["number"]), "diff")
    assert [line["name"] for line in changed["added"]] == ["tiny-stats"]
    undone = await run_job("environments", environment, "revisions", str(found["number"]), "restore", body={})
    assert undone["state"] == "done", undone
    assert [p["name"] for p in undone["result"]["removed"]] == ["tiny-stats"]
    assert (await fetch_json("GET", "environments", environment, "packages"))[1]["items"] == []


async def test_a_missing_module_is_found_in_the_own_namespace(signed_in, environment, fetch_json):
    _, answer = await fetch_json("POST", "imports", body={"environment": environment, "modules": ["tinystats", "nowhere_at_all"]})
    assert answer["items"][0]["package"] == "tiny-stats"
    assert answer["items"][0]["source"] == "hub:ada"
    assert answer["items"][1]["package"] is None


def python_says(prefix, code):
    return subprocess.run([prefix / "bin" / "python", "-I", "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def everything(content):
    for _, text in strings(json.loads(content)):
        plain = strip_ansi(text)
        yield from (text, plain, strip_tags(plain))
        with contextlib.suppress(ValueError):
            yield base64.b64decode(text, validate=True).decode("latin-1")


async def test_no_secret_reaches_the_hub(signed_in, hub, run_job, fetch_json, jp_root_dir):
    notebook = corpus.notebook()
    (jp_root_dir / "keys.csv").write_text(f"name,key\nada,{corpus.GITLAB}\n")
    notebook["cells"][2]["source"] = "[keys](keys.csv)"
    check_body = {"path": "leaky.ipynb", "notebook": notebook, "environment": None}
    code, check = await fetch_json("POST", "publish/check", body=check_body)
    assert code == 200, check
    assert check["defaults"] == {
        "namespace": "ada", "name": "leaky", "visibility": "private", "version_note": None, "is_update": False, "latest_version": None,
    }  # fmt: skip
    assert check["data_files"] == [{"path": "keys.csv", "size": (jp_root_dir / "keys.csv").stat().st_size}]
    shown = json.dumps(check["findings"])
    assert not any(secret in shown for secret in [*corpus.PLANTED, corpus.GITLAB])

    publish = {
        "path": "leaky.ipynb", "notebook": notebook, "environment": None, "namespace": "ada", "name": "leaky", "visibility": "private",
        "message": "", "summary": "", "outputs": "keep", "decisions": {}, "data_files": ["keys.csv"],
    }  # fmt: skip
    refused = await run_job("publish", body=publish)
    assert (refused["state"], refused["error"]["code"]) == ("failed", "secrets_undecided")
    assert not any(secret in json.dumps(refused) for secret in corpus.PLANTED)
    client = HubClient(hub.url, signed_in)
    with pytest.raises(NotFound):
        client.release("ada", "leaky")

    publish["decisions"] = {finding["id"]: "redact" for finding in check["findings"]}
    done = await run_job("publish", body=publish)
    assert done["state"] == "done", done
    release = client.release("ada", "leaky")
    assert {file.filename for file in release.files} == {"leaky.ipynb", "keys.csv"}
    for file in release.files:
        content = client.read(file)
        views = list(everything(content)) if file.filename.endswith(".ipynb") else [content.decode()]
        for secret in [*corpus.PLANTED, corpus.GITLAB]:
            assert not any(secret in view for view in views), (file.filename, secret[:5])


async def test_publish_and_reproduce(signed_in, hub, environment, venv, run_job, fetch_json, jp_root_dir, carrel_folders):
    wish = {"add": [{"name": "tiny-stats", "version": "1.1", "source": "hub:ada"}]}
    plan = await run_job("environments", environment, "plan", body=wish)
    assert (await run_job("environments", environment, "apply", body={"plan": plan["result"]["id"]}))["state"] == "done"
    (jp_root_dir / "data").mkdir()
    (jp_root_dir / "data" / "points.csv").write_text("1,2\n")
    notebook = {
        "nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "work", "display_name": "Work", "language": "python"}},
        "cells": [
            {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Tide tables\n\nHow high the water comes. <script>x</script>"},
            {"cell_type": "code", "id": "b", "metadata": {"trusted": True}, "source": "import tinystats\nopen('data/points.csv')",
             "execution_count": 1, "outputs": [{"output_type": "stream", "name": "stdout", "text": "ok\n"}]},
        ],
    }  # fmt: skip
    _, check = await fetch_json("POST", "publish/check", body={"path": "tides.ipynb", "notebook": notebook, "environment": environment})
    assert check["findings"] == []
    assert check["environment"]["pypi_count"] == 1
    publish = {
        "path": "tides.ipynb", "notebook": notebook, "environment": environment, "namespace": "ada", "name": check["defaults"]["name"],
        "visibility": "public", "message": "First", "summary": "", "outputs": "keep", "decisions": {}, "data_files": ["data/points.csv"],
    }  # fmt: skip
    done = await run_job("publish", body=publish)
    assert done["state"] == "done", done
    result = done["result"]
    assert (result["namespace"], result["name"], result["version"], result["unchanged"]) == ("ada", "tide-tables", "1", False)
    assert result["metadata"]["hub"] == hub.url
    client = HubClient(hub.url, signed_in)
    files = {file.filename: file for file in client.release("ada", "tide-tables").files}
    assert set(files) == {"tides.ipynb", "pylock.toml", "environment.yml", "points.csv"}
    published = json.loads(client.read(files["tides.ipynb"]))
    assert published["metadata"]["carrel"] == result["metadata"]
    assert "trusted" not in published["cells"][1]["metadata"]

    again = await run_job("publish", body=publish)
    assert again["result"]["unchanged"] is True, again
    assert len(client.releases("ada", "tide-tables")) == 1
    notebook["cells"][0]["source"] = "# Tide tables\n\nNew text."
    second = await run_job("publish", body={**publish, "message": "Second"})
    assert (second["result"]["version"], second["result"]["unchanged"]) == ("2", False)
    code, _ = await fetch_json("POST", "publish/undo", body={"namespace": "ada", "name": "tide-tables", "version": "2"})
    assert code == 204
    _, releases = await fetch_json("GET", "hub/releases", params={"reference": "ada/tide-tables"})
    assert [item["version"] for item in releases["items"]] == ["1"]
    _, shared = await fetch_json("GET", "hub/search", params={"q": "tide"})
    assert [item["name"] for item in shared["items"]] == ["tide-tables"]

    code, review = await fetch_json("POST", "reproduce/review", body={"reference": f"{hub.url}/ada/tide-tables"})
    assert code == 200, review
    assert (review["title"], review["version"], review["notebook"]["cells"]) == ("Tide tables", "1", 2)
    assert "<script" not in review["preview_html"]
    assert "How high the water comes" in review["preview_html"]
    shown = review["environment"]
    assert [(p["name"], p["version"], p["source"]) for p in shown["packages"]] == [("tiny-stats", "1.1", "pypi")]
    assert (shown["matches_platform"], shown["already_built"], shown["new_channels"]) == (True, False, [])

    (jp_root_dir / "shared").mkdir()
    (jp_root_dir / "shared" / "tides.ipynb").write_text("mine")
    body = {"reference": "ada/tide-tables@1", "directory": "shared", "trust_channels": False}
    reproduced = await run_job("reproduce", body=body)
    assert reproduced["state"] == "done", reproduced["error"]
    result = reproduced["result"]
    assert result["path"] == "shared/tides-1.ipynb"
    assert (jp_root_dir / "shared" / "tides.ipynb").read_text() == "mine"
    assert (jp_root_dir / "shared" / "data" / "points.csv").read_text() == "1,2\n"
    copy = json.loads((jp_root_dir / result["path"]).read_text())
    assert copy["metadata"]["kernelspec"]["name"] == result["kernel_name"]
    assert copy["metadata"]["kernelspec"]["display_name"] == "tide-tables (ada/tide-tables v1)"
    prefix = Path(result["prefix"])
    assert prefix.parent == carrel_folders / "carrel-data" / "envs"
    assert python_says(prefix, "import tinystats; print(tinystats.__version__)") == "1.1"
    _, environments = await fetch_json("GET", "environments")
    assert result["environment"] in {item["id"] for item in environments["items"]}

    once_more = await run_job("reproduce", body=body)
    assert once_more["result"]["path"] == "shared/tides-2.ipynb"
    assert once_more["result"]["prefix"] == str(prefix)


async def test_a_failed_publication_leaves_no_draft(signed_in, hub, run_job, monkeypatch):
    import carrel.sharing.publish as publishing
    from carrel.core.errors import Cancelled

    def cut_off(*arguments, **options):
        raise Cancelled("Cancelled. The upload was given up.")

    monkeypatch.setattr(publishing, "_upload_all", cut_off)
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
    body = {
        "path": "a.ipynb", "notebook": notebook, "environment": None, "namespace": "ada", "name": "given-up", "visibility": "private",
        "message": "", "summary": "", "outputs": "keep", "decisions": {}, "data_files": [],
    }  # fmt: skip
    job = await run_job("publish", body=body)
    assert job["state"] == "cancelled"
    client = HubClient(hub.url, signed_in)
    with contextlib.suppress(NotFound):
        assert client.releases("ada", "given-up") == ()


async def test_a_way_out_is_planned_as_it_was_tried(signed_in, environment, run_job, fetch_json):
    wish = {"add": [{"name": "tiny-stats", "version": "9", "source": "hub:ada"}]}
    failed = await run_job("environments", environment, "plan", body=wish)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "unsolvable")
    way = failed["error"]["ways_out"][0]
    assert way["text"] == "take tiny-stats in another version than 9: tiny-stats 1.1"
    assert signed_in not in json.dumps(failed)
    plan = await run_job("environments", environment, "plan", body={"way_out": way["id"]})
    assert plan["title"] == f"Plan: {way['text']}"
    assert [(p["name"], p["to_version"]) for p in plan["result"]["added"]] == [("tiny-stats", "1.1")], plan["error"]
    code, answer = await fetch_json("POST", "environments", environment, "plan", body={"way_out": "0123456789abcdef"})
    assert (code, answer["code"]) == (404, "way_out_not_found")


async def test_lines_at_risk_say_why(signed_in, environment, run_job):
    async def planned(version, **more):
        wish = {"add": [{"name": "tiny-stats", "version": version, "source": "hub:ada"}], **more}
        return (await run_job("environments", environment, "plan", body=wish))["result"]

    newest = await planned("1.1")
    assert newest["added"][0]["risks"] == []
    assert (await run_job("environments", environment, "apply", body={"plan": newest["id"]}))["state"] == "done"
    older = await planned("1.0", loaded=["tinystats.series", "json"])
    (line,) = older["changed"]
    assert line["risks"] == ["downgrade", "loaded"]
    assert line["explanations"] == [
        "tiny-stats goes back from 1.1 to 1.0.",
        "A running kernel has loaded tinystats, and tiny-stats changes: restart that kernel afterwards.",
    ]
    assert (older["needs_confirmation"], older["warnings"], older["reasons"]) == (True, [], [])


async def test_publishing_needs_somebody(ada, fetch_json):
    body = {"path": "a.ipynb", "notebook": {"cells": []}, "namespace": "ada", "name": "x"}
    code, answer = await fetch_json("POST", "publish", body=body)
    assert (code, answer["code"]) == (401, "unauthenticated")


async def test_a_private_publication_is_unknown_to_others(signed_in, hub, fetch_json):
    hub.create_user("eve")
    code, answer = await fetch_json("POST", "reproduce/review", body={"reference": "eve/nothing"})
    assert (code, answer["status"]) == (404, 404)


async def test_a_conda_package_of_the_hub_in_a_conda_environment(signed_in, carrel_folders, run_job, fetch_json):
    prefix = carrel_folders / "carrel-data" / "envs" / "plain"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").write_text("")
    _, body = await fetch_json("GET", "environments")
    environment = next(item for item in body["items"] if item["prefix"] == str(prefix))
    assert environment["kind"] == "conda"
    _, found = await fetch_json("GET", "search", params={"q": "tiny-only-conda", "environment": environment["id"]})
    assert (found["items"][0]["state"], found["items"][0]["kind"]) == ("available", "conda")
    wish = {"add": [{"name": "tiny-only-conda", "source": "hub:ada"}]}
    plan = await run_job("environments", environment["id"], "plan", body=wish)
    assert plan["state"] == "done", plan["error"]
    assert [(p["name"], p["source"]) for p in plan["result"]["added"]] == [("tiny-only-conda", "conda")]
    done = await run_job("environments", environment["id"], "apply", body={"plan": plan["result"]["id"]})
    assert done["state"] == "done", done["error"]
    _, body = await fetch_json("GET", "environments", environment["id"], "packages")
    assert [(item["name"], item["source"]) for item in body["items"]] == [("tiny-only-conda", "conda")]


async def test_what_was_published_for_another_platform_is_solved_after_agreement(signed_in, hub, run_job, fetch_json, carrel_folders):
    other = "osx-arm64" if current_platform() != "osx-arm64" else "linux-64"
    archive = build_conda("tiny-only-conda", "1.0", noarch="generic")
    channel = f"{hub.url}/conda/ada"
    package = LockedConda(
        "tiny-only-conda",
        "1.0",
        "0",
        f"{channel}/noarch/{archive.filename}",
        hashlib.sha256(archive.data).hexdigest(),
        subdir="noarch",
        channel=channel,
    )
    lock = Lock(other, requested=("tiny-only-conda",), channels=(channel,), conda=(package,), captured_at=clock.now())
    filename, content = dump_lock(lock)
    with HubClient(hub.url, signed_in) as client:
        client.upload_file("ada", content, filename, package="far-away", version="1", kind="environment")
    _, review = await fetch_json("POST", "reproduce/review", body={"reference": "ada/far-away"})
    assert (review["environment"]["matches_platform"], review["environment"]["solvable"]) == (False, True)
    body = {"reference": "ada/far-away", "directory": "", "trust_channels": True}
    refused = await run_job("reproduce", body=body)
    assert (refused["state"], refused["error"]["code"]) == ("failed", "platform_mismatch")
    assert (refused["error"]["solvable"], refused["error"]["platforms"]) == (True, [other])
    shown = await run_job("reproduce/solve", body={"reference": "ada/far-away"})
    assert shown["state"] == "done", shown["error"]
    assert (shown["result"]["captured_on"], shown["result"]["packages"], shown["result"]["versions"]) == (other, 1, [])
    assert list((carrel_folders / "carrel-data" / "envs").glob("[0-9a-f]*")) == []
    done = await run_job("reproduce", body={**body, "solve": True})
    assert done["state"] == "done", done["error"]
    assert done["result"]["solved"] == shown["result"]
    assert (Path(done["result"]["prefix"]) / "conda-meta").is_dir()
    assert (done["result"]["kernel_name"], len(done["result"]["warnings"])) == (None, 1)
