"""Search over a real conda channel and a real PyPI index, both served by a hub that is used as any other server would be."""

from __future__ import annotations

import asyncio
import time

import pytest

from carrel.client import HubClient
from carrel.core.errors import CarrelError
from carrel.extension.search.conda import CondaChannels
from carrel.testing.artifacts import build_conda, build_wheel


@pytest.fixture(scope="module")
def served(hub):
    token = hub.create_user("sources")
    with HubClient(hub.url, token) as client:
        for name, version, depends in (
            ("opencv", "4.9", ()),
            ("numpy-like", "1.0", ("python >=3.9",)),
            ("numpy-like", "2.0", ("python >=4",)),
            ("numpy-extra", "1.0", ()),
        ):
            file = build_conda(name, version, noarch="generic", depends=depends)
            client.upload_file("sources", file.data, file.filename, visibility="public")
        wheel = build_wheel("numpy-like", "1.5", summary="Like numpy")
        client.upload_file("sources", wheel.data, wheel.filename, visibility="public")
    return hub


@pytest.fixture
def extension_settings(extension_settings, served):
    channels, indexes = [f"{served.url}/conda/sources"], [f"{served.url}/pypi/sources/simple/"]
    return {**extension_settings, "channels": channels, "indexes": indexes, "search_seconds": 20.0}


async def test_one_row_per_package_with_the_other_sources_beside_it(fetch_json):
    _, status = await fetch_json("GET", "status")
    conda, pypi = (source["id"] for source in status["sources"])
    code, found = await fetch_json("GET", "search", params={"q": "numpy-like"})
    assert code == 200
    assert all(source["ok"] for source in found["sources"]), found
    first = found["items"][0]
    assert (first["name"], first["source"], first["kind"], first["version"]) == ("numpy-like", conda, "conda", "2.0")
    assert len(found["sources"]) == 2
    assert first["alternatives"] == [{"source": pypi, "version": "1.5"}]
    assert first["summary"] == "Like numpy"
    _, prefix = await fetch_json("GET", "search", params={"q": "numpy"})
    assert {item["name"] for item in prefix["items"]} == {"numpy-like", "numpy-extra"}
    _, module = await fetch_json("GET", "search", params={"q": "cv2"})
    assert (module["items"][0]["name"], module["items"][0]["import_names"]) == ("opencv", ["cv2"])
    _, only = await fetch_json("GET", "search", params=[("q", "numpy-like"), ("source", pypi)])
    assert [(item["source"], item["version"]) for item in only["items"]] == [(pypi, "1.5")]
    _, misspelt = await fetch_json("GET", "search", params={"q": "nunpy-lik"})
    assert misspelt["items"] or misspelt["suggestion"] == "numpy-like"
    code, details = await fetch_json("GET", "packages", conda, "numpy-like")
    assert [version["version"] for version in details["versions"]] == ["2.0", "1.0"]


def test_a_channel_that_does_not_answer_is_reported_in_time(tmp_path):
    channels = CondaChannels(tmp_path)
    started = time.monotonic()
    with pytest.raises(CarrelError):
        channels.names("http://127.0.0.1:9/conda/x", "linux-64", wait=0.2)
    assert time.monotonic() - started < 2


def test_names_are_kept_on_disk(tmp_path, served, carrel_folders):
    url = f"{served.url}/conda/sources"
    names = CondaChannels(tmp_path).names(url, "linux-64", wait=60)
    assert set(names) == {"opencv", "numpy-like", "numpy-extra"}
    again = CondaChannels(tmp_path)
    again._ask = None  # nothing is asked
    assert again.names(url, "linux-64", wait=0) == names


class TestSlowIndex:
    @pytest.fixture
    def extension_settings(self, extension_settings, slow_server):
        return {**extension_settings, "indexes": [slow_server], "channels": [], "search_seconds": 0.5}

    @pytest.fixture
    def slow_server(self, jp_asyncio_loop):
        async def never(reader, writer):
            await reader.read()  # until the client has given up
            writer.close()

        server = jp_asyncio_loop.run_until_complete(asyncio.start_server(never, "127.0.0.1", 0))
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/simple/"
        server.close()

    async def test_it_does_not_hold_up_the_search(self, fetch_json):
        started = time.monotonic()
        code, found = await fetch_json("GET", "search", params={"q": "numpy"})
        assert code == 200
        assert time.monotonic() - started < 3
        assert [(source["ok"], bool(source["error"])) for source in found["sources"]] == [(False, True)]
        assert found["items"] == []
