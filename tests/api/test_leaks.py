"""Uploads that hold a token of this hub; tokens in logs and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
from api_world import Api, World, problem

from carrel.core.tokens import mint
from carrel.testing.artifacts import build_conda, build_notebook, build_r_package, build_sdist, build_wheel

CSV = b"a,b\n1,2\n"


@pytest.fixture(scope="module")
def leaked(world: World) -> tuple[int, str]:
    made = world.owner.post("tokens", {"name": "of a laptop"}).json()
    return made["id"], made["token"]


def uploads(token: str) -> Iterator[tuple[str, str, bytes, dict[str, str], str]]:
    """Yield a title, a file name, its bytes, the query, and where the token is."""
    plain = {"package": "leaky", "version": "1"}
    yield "plain", "data.csv", CSV + token.encode(), plain, "data.csv"
    yield "glued", "data.csv", b"x" * 300_000 + token.encode() + b"aaaa" + b"y" * 300_000, plain, "data.csv"
    yield (
        "environment",
        "environment.yml",
        f"dependencies: [a]\nchannels: [https://h/conda/t/{token}/x]\n".encode(),
        plain,
        "environment.yml",
    )
    notebook = build_notebook(["# Title", f"token = '{token}'"])
    yield "notebook", "n.ipynb", notebook.data, plain, "n.ipynb: source of cell 2"
    output = {"output_type": "stream", "name": "stdout", "text": ["a\n", f"{token}\n"]}
    cell = {"cell_type": "code", "source": "run()", "outputs": [output], "execution_count": 1}
    yield "output", "n.ipynb", build_notebook([cell]).data, plain, "n.ipynb: outputs of cell 1"
    about = {"channels": [f"https://h/t/{token}/conda/x"], "home": "https://example.org"}
    for fmt in ("conda", "tar.bz2"):
        package = build_conda("leaky-conda", noarch="generic", about=about, fmt=fmt)
        yield f"about.json of {fmt}", package.filename, package.data, {}, "info/about.json"
    recipe = build_conda("leaky-conda", noarch="generic", info={"recipe/meta.yaml": f"url: https://{token}@h/"})
    yield "recipe", recipe.filename, recipe.data, {}, "info/recipe/meta.yaml"
    wheel = build_wheel("leaky-wheel", description=f"Use {token}")
    yield "wheel metadata", wheel.filename, wheel.data, {}, "leaky_wheel-1.0.dist-info/METADATA"
    wheel = build_wheel("leaky-wheel", files={"leaky/config.py": f"T = '{token}'"})
    yield "wheel source", wheel.filename, wheel.data, {}, "leaky/config.py"
    sdist = build_sdist("leaky-sdist", files={"pip.conf": f"index-url = https://h/pypi/t/{token}/x/simple"})
    yield "sdist", sdist.filename, sdist.data, {}, "pip.conf"
    source = build_r_package("leakyR", files={"R/secret.R": f"token <- '{token}'"})
    yield "R", source.filename, source.data, {}, "R/secret.R"


def send(api: Api, namespace: str, filename: str, data: bytes, query: dict[str, str]) -> requests.Response:
    return api.upload(namespace, filename, data, **query)


def test_a_live_token_in_an_upload_is_refused_wherever_it_hides(world: World, leaked: tuple[int, str]) -> None:
    key, token = leaked
    api, org = world.owner, world.organization
    blobs = world.hub.data_dir / "files"
    for title, filename, data, query, member in uploads(token):
        before = sorted(path.name for path in blobs.rglob("*") if path.is_file())
        answer = send(api, org, filename, data, query)
        assert answer.status_code == 400, (title, answer.text)
        refusal = problem(answer)
        assert refusal["code"] == "token_in_upload", (title, refusal)
        assert refusal["member"].endswith(member), (title, refusal)
        assert token not in answer.text
        assert sorted(path.name for path in blobs.rglob("*") if path.is_file()) == before, title
    assert api.get(f"namespaces/{org}/packages").json()["items"] == []
    flagged = {item["id"]: item for item in api.get("tokens").json()["items"]}[key]
    assert flagged["flagged_at"]
    assert "data.csv" in flagged["flag_reason"]
    assert Api(world.hub.url, token).get("user").status_code == 200  # its owner decides
    actions = Api(world.hub.url, token).get(f"namespaces/{org}/audit").json()["items"]
    assert token not in json.dumps(actions)


def test_what_only_looks_like_a_token_and_dead_ones_do_not_matter(world: World) -> None:
    api, org = world.owner, world.organization
    dead = api.post("tokens", {"name": "dead"}).json()
    assert api.delete(f"tokens/{dead['id']}").status_code == 204
    over = api.post("tokens", {"name": "over"}).json()
    assert api.post(f"tokens/{over['id']}/rotate", {"overlap": 0}).status_code == 201
    lines = [dead["token"], over["token"], *(mint().secret for _ in range(1200))]
    assert api.upload(org, "tokens.csv", "\n".join(lines).encode(), package="fine", version="1").status_code == 201
    # One that works among very many others.
    again = Api(world.hub.url, api.post("tokens", {"name": "live"}).json()["token"])
    answer = api.upload(org, "more.csv", "\n".join([*lines, again.token, *lines]).encode(), package="fine", version="1")
    assert problem(answer)["code"] == "token_in_upload"


def test_tokens_are_in_no_log_and_no_answer(world: World, leaked: tuple[int, str]) -> None:
    secrets = [api.token for api in world.people.values() if api.token]
    token, url, org = world.owner.token, world.hub.url, world.organization
    world.owner.upload(org, "x.csv", CSV, package="shown", version="1")
    addresses = [
        f"{url}/t/{token}/conda/{org}/noarch/repodata.json",
        f"{url}/conda/t/{token}/{org}/noarch/nothing.conda",
        f"{url}/pypi/t/{token}/{org}/simple",
        f"{url}/pypi/t/{token}/{org}/simple/Some.Name/",
        f"{url}/cran/t/{token}/{org}/src/contrib/PACKAGES",
        f"{url}/api/t/{token}/v1/tokens",
        f"{url}/api/t/{token}/v1/packages/{org}/shown",
        f"{url}/t/{token}/{org}",
        f"{url}/t/{token}/{org}/shown",
        f"{url}/t/{token}/-/settings/tokens",
        f"{url}/t/{token}/no/such/{token}",
        f"{url}/api/v1/search?q={token}",
        f"{url}/api/v1/packages/{org}/{token}",
        f"{url}/api/v1/namespaces/{org}/packages?cursor={token}",
        f"{url}/conda/{org}/label/{token}/noarch/repodata.json",
        f"{url}/search?q={token}",
        f"{url}/no-such/{token}/x",
    ]
    for address in addresses:
        for headers in ({}, {"Authorization": f"Bearer {token}"}, {"Authorization": f"Digest {token}"}):
            answer = requests.get(address, headers=headers, allow_redirects=False, timeout=30)
            assert answer.status_code < 500, address
            said = answer.text.replace("&#39;", "'") + json.dumps(dict(answer.headers))
            assert token not in said, (address, answer.status_code)
    log = world.hub.log
    assert "GET /conda/" in log or world.hub.url
    for secret in secrets:
        assert secret not in log
