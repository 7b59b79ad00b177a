"""What must not get in: refused through every interface with its status and a reason, nothing kept, memory flat."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
import requests
from hostile_corpus import CONDA, DOCUMENTS, MEGABYTE, PYPI, Case, R

from carrel.database.engine import Database
from carrel.hub.jobs.sweep import BlobSweep
from carrel.storage.local import LocalBlobStore
from carrel.testing.artifacts import Artifact, build_conda, build_r_package, build_wheel
from carrel.testing.hub import HubProcess

LIMIT = 24 * MEGABYTE
MEMORY = 300 * MEGABYTE


class Answer(NamedTuple):
    """What an interface said, whatever its form."""

    status: int
    code: str
    detail: str
    field: str


class Uploader:
    """Uploads as *user*, through any of the hub's interfaces."""

    def __init__(self, hub: HubProcess, user: str) -> None:
        self.hub, self.user = hub, user
        self.token = hub.create_user(user)
        self.session = requests.Session()

    def send(self, verb: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.session.request(verb, self.hub.url + path, headers=headers, timeout=60, **options)

    def v1(self, made: Artifact, kind: str, **query: str) -> Answer:
        path = f"/api/v1/namespaces/{self.user}/files/{quote(made.filename, safe='')}"
        return said(self.send("PUT", path, data=made.data, params={"kind": kind, **query}))

    def legacy(self, made: Artifact, kind: str, **form: str) -> Answer:
        fields = {":action": "file_upload", "protocol_version": "1", **form}
        return said(self.send("POST", f"/pypi/{self.user}/legacy/", data=fields, files={"content": (made.filename, made.data)}))

    def cran(self, made: Artifact, kind: str, **query: str) -> Answer:
        path = "bin?platform=windows&rversion=4.2" if made.filename.endswith(".zip") else "src"
        return said(self.send("PUT", f"/cran/{self.user}/{path}", data=made.data))

    def quetz(self, made: Artifact, kind: str, **query: str) -> Answer:
        path = f"/api/channels/{self.user}/upload/{quote(made.filename, safe='')}"
        return said(self.send("POST", path, data=made.data, params=query))

    def anaconda(self, made: Artifact, kind: str, package: str = "bad", version: str = "1.0", subdir: str = "", **_query: str) -> Answer:
        """Announce, send, commit; the first refusal is the answer."""
        place = f"{self.user}/{package}/{version}/{quote(f'{subdir}/{made.filename}' if subdir else made.filename)}"
        kind = {"notebook": "file", "environment": "file"}.get(kind, kind)
        staged = self.send("POST", f"/api/stage/{place}", json={"distribution_type": kind, "channels": []})
        if not staged.ok:
            return said(staged)
        form = staged.json()
        sent = requests.post(form["post_url"], data=form["form_data"], files={"file": (made.filename, made.data)}, timeout=60)
        if sent.status_code != 201:
            return said(sent)
        return said(self.send("POST", f"/api/commit/{place}", json={"dist_id": form["dist_id"]}))


def said(response: requests.Response) -> Answer:
    if response.ok:
        return Answer(response.status_code, "", "", "")
    if response.headers["Content-Type"] == "application/xml":
        code, message = re.findall(r"<(?:Code|Message)>(.*?)</", response.text)
        return Answer(response.status_code, code, message, "")
    document = response.json()
    if response.headers["Content-Type"] == "application/problem+json":
        assert {"type", "title", "status", "code", "detail"} <= document.keys()
    return Answer(response.status_code, document["code"], document.get("detail") or document["error"], document.get("field", ""))


@pytest.fixture(scope="module")
def hub(start_hub: Any) -> HubProcess:
    hub: HubProcess = start_hub(f"--max-upload-bytes={LIMIT}", "--temp-grace-seconds=0")
    return hub


@pytest.fixture(scope="module")
def mallory(hub: HubProcess) -> Uploader:
    return Uploader(hub, "mallory")


INTERFACES = {"conda": ("v1", "quetz", "anaconda"), "pypi": ("v1", "legacy", "anaconda"), "r": ("v1", "cran", "anaconda")}


def cases() -> Iterator[Any]:
    for name, group in {"conda": CONDA, "pypi": PYPI, "r": R, "document": DOCUMENTS}.items():
        for title, case in group.items():
            # Headers of tar files take a second to read; once is enough.
            interfaces = INTERFACES.get(name, ("v1",))[: 1 if title == "many members" else None]
            yield pytest.param(case, interfaces, id=f"{name}-{title}".replace(" ", "-"))


@pytest.mark.parametrize(("case", "interfaces"), list(cases()))
def test_refused_with_a_reason(mallory: Uploader, case: Case, interfaces: tuple[str, ...]) -> None:
    made = case.make()
    assert len(made.data) < LIMIT
    for interface in interfaces:
        if interface == "cran" and case.code == "metadata_mismatch":
            continue  # no name is given there that could differ
        answer: Answer = getattr(mallory, interface)(made, case.kind, **case.query)
        assert (answer.status, answer.code) == (case.status, case.code), (interface, answer)
        missing = [word for word in case.words if word not in answer.detail]
        assert not missing, (interface, answer)
        assert len(answer.detail) < 1000
        if case.names:
            assert answer.field == case.names, (interface, answer)


CONDA_FILE = build_conda("fine", subdir="linux-64")
WHEEL = build_wheel("fine")
R_FILE = build_r_package("fine")
FILES = {"conda": CONDA_FILE, "pypi": WHEEL, "r": R_FILE}
WRONG = {
    "package": {"package": "other", "version": "1.0"},
    "version": {"package": "fine", "version": "2.0"},
    "subdir": {"package": "fine", "version": "1.0", "subdir": "osx-64"},
}


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind in FILES for field in WRONG if kind == "conda" or field != "subdir"])
def test_what_the_address_says_must_agree_with_the_bytes(mallory: Uploader, kind: str, field: str) -> None:
    made, query = FILES[kind], dict(WRONG[field])
    answers = [mallory.anaconda(made, kind, **query)]
    subdir = query.pop("subdir", "")
    answers.append(mallory.v1(Artifact(f"{subdir}/{made.filename}", made.data) if subdir else made, kind, **query))
    if subdir:
        answers.append(said(mallory.send("PUT", f"/artifactory/mallory/{subdir}/{made.filename}", data=made.data)))
    if kind == "pypi":
        answers.append(mallory.legacy(made, kind, name=query["package"], version=query["version"]))
    for answer in answers:
        assert (answer.status, answer.code, answer.field) == (400, "metadata_mismatch", field), answer
        assert f"The {field} was given as" in answer.detail


def test_wrong_digests(mallory: Uploader) -> None:
    zeros = "0" * 64
    place = f"fine/1.0/linux-64/{CONDA_FILE.filename}"
    staged = mallory.send(
        "POST", f"/api/stage/mallory/{place}", json={"distribution_type": "conda", "channels": [], "sha256": zeros}
    ).json()
    second = mallory.send("POST", f"/api/stage/mallory/{place}", json={"distribution_type": "conda", "channels": []}).json()
    md5 = {"Content-MD5": base64.b64encode(bytes(16)).decode()}
    files = {"file": CONDA_FILE.data}
    for answer in (
        said(
            mallory.send(
                "PUT", f"/api/v1/namespaces/mallory/files/{CONDA_FILE.filename}", data=CONDA_FILE.data, headers={"Carrel-Sha256": zeros}
            )
        ),
        said(mallory.send("PUT", "/cran/mallory/src", data=R_FILE.data, headers={"Carrel-Sha256": zeros})),
        mallory.legacy(WHEEL, "pypi", sha256_digest=zeros),
        mallory.legacy(WHEEL, "pypi", md5_digest="0" * 32),
        mallory.quetz(CONDA_FILE, "conda", sha256=zeros),
        said(
            mallory.send(
                "PUT", f"/artifactory/mallory/linux-64/{CONDA_FILE.filename}", data=CONDA_FILE.data, headers={"X-Checksum-Sha256": zeros}
            )
        ),
        said(requests.post(staged["post_url"], data=staged["form_data"], files=files, timeout=60)),
        said(requests.post(second["post_url"], data={**second["form_data"], **md5}, files=files, timeout=60)),
    ):
        assert answer.status == 400, answer
        assert answer.code in {"digest_mismatch", "InvalidDigest"}, answer
        assert "do not have the announced" in answer.detail
    malformed = mallory.send("PUT", "/api/v1/namespaces/mallory/files/x.csv?package=p&version=1", data=b"x", headers={"Carrel-Sha256": "x"})
    assert (said(malformed).status, said(malformed).code) == (400, "invalid_digest")


def test_names_and_labels_that_break_their_grammar(mallory: Uploader) -> None:
    def sent(filename: str, query: str) -> Answer:
        return said(mallory.send("PUT", f"/api/v1/namespaces/mallory/files/{filename}?{query}", data=b"x"))

    hints = "package=p&version=1"
    for filename in ("a%00b.csv", "a%0Ab.csv", "%2E%2E", "a%5Cb.csv", "x" * 256):
        assert sent(filename, hints).code in {"invalid_filename", "not_found"}, filename
    for query, field in {
        "package=../p&version=1": "package",
        f"package={'p' * 129}&version=1": "package",
        "package=p%00&version=1": "package",
        "package=p&version=latest": "version",
        "package=p&version=1%00": "version",
        f"{hints}&label=..": "label",
        f"{hints}&label=a//b": "label",
        f"{hints}&visibility=all": "visibility",
        f"{hints}&kind=virus": "kind",
    }.items():
        answer = sent("x.csv", query)
        assert answer.status in {400, 422}, (query, answer)
        assert field in f"{answer.field} {answer.detail}", (query, answer)


def test_empty_bodies(mallory: Uploader) -> None:
    for interface, made in (("v1", CONDA_FILE), ("quetz", CONDA_FILE), ("anaconda", CONDA_FILE), ("legacy", WHEEL), ("cran", R_FILE)):
        kind = next(kind for kind, file in FILES.items() if file is made)
        options = {"package": "fine", "version": "1.0"} if interface == "anaconda" else {}
        answer = getattr(mallory, interface)(Artifact(made.filename, b""), kind, **options)
        assert (answer.status, answer.code) == (400, "empty_file"), (interface, answer)
        assert "empty" in answer.detail


def test_expired_and_unknown_tokens(hub: HubProcess, mallory: Uploader) -> None:
    expired = hub.create_token("mallory", expires_in=1)
    time.sleep(1.2)
    for token in (expired, "ca-" + "a" * 40, "\xff", "x" * 5000):
        for verb, path, status in (
            ("PUT", f"/api/v1/namespaces/mallory/files/{CONDA_FILE.filename}", 401),
            ("PUT", "/cran/mallory/src", 401),
            ("POST", "/pypi/mallory/legacy/", 403),
            ("POST", f"/api/channels/mallory/upload/{CONDA_FILE.filename}", 401),
            ("POST", f"/api/stage/mallory/fine/1.0/{CONDA_FILE.filename}", 401),
        ):
            headers = {"Authorization": f"Bearer {token}"}
            if path.endswith("/legacy/"):
                headers["Content-Type"] = "multipart/form-data; boundary=x"
            answer = requests.request(verb, hub.url + path, headers=headers, data=b"x", timeout=30)
            assert answer.status_code == status, (path, token[:10], answer.text)
            assert token not in answer.text
    assert expired not in hub.log


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536 + 1):
        yield b"x" * 65_536


def test_oversize_bodies(hub: HubProcess, mallory: Uploader) -> None:
    data = "/api/v1/namespaces/mallory/files/x.csv?package=p&version=1"
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    part = b'--x\r\nContent-Disposition: form-data; name="content"; filename="fine-1.0-py3-none-any.whl"\r\n\r\n'
    announced = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=30)
    for verb, path in (("PUT", data), ("PUT", "/cran/mallory/src"), ("POST", f"/api/channels/mallory/upload/{CONDA_FILE.filename}")):
        announced.putrequest(verb, path)
        announced.putheader("Authorization", f"Bearer {mallory.token}")
        announced.putheader("Content-Length", str(10**12))
        announced.endheaders()
        answer = announced.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large"), path
        announced.close()
        assert said(mallory.send(verb, path, data=chunks(LIMIT + MEGABYTE)))[:2] == (413, "too_large"), path

    def posted() -> Iterator[bytes]:
        yield part
        yield from chunks(LIMIT + MEGABYTE)

    assert said(mallory.send("POST", "/pypi/mallory/legacy/", data=posted(), headers=form))[:2] == (413, "too_large")


def test_oversize_json(hub: HubProcess, mallory: Uploader) -> None:
    """Bodies that are held in memory: announced ones are refused at once, others as soon as they are too long."""
    body = b'{"name": "' + b"x" * (3 * MEGABYTE) + b'"}'
    for data in (body, iter([body[:MEGABYTE], body[MEGABYTE:]])):
        answer = mallory.send("POST", "/api/v1/organizations", data=data)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert said(answer)[:2] == (413, "too_large")
        assert "at most" in said(answer).detail
    small = mallory.send("POST", "/api/v1/organizations", data=iter([b'{"name": ', b"5}"]))
    assert said(small)[:2] == (422, "invalid_input")
    # Only the first chunk is sent: the answer does not wait for the rest, and the connection is good for no more.
    with closing(http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=30)) as connection:
        connection.request(
            "POST", "/api/v1/tokens", body=iter([b"x" * (3 * MEGABYTE)]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
        )
        assert connection.getresponse().status == 413
    deep = mallory.send("POST", "/api/v1/organizations", data=b"[" * 1_000_000)
    assert said(deep)[:2] == (400, "invalid_json")


def rows(hub: HubProcess) -> dict[str, int]:
    tables = ("package", "release", "file", "companion", "property", "import_name", "retired_file")
    with closing(sqlite3.connect(f"file:{hub.data_dir / 'hub.db'}?mode=ro", uri=True)) as connection:
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def kept(hub: HubProcess) -> list[Path]:
    return [path for path in (hub.data_dir / "files").rglob("*") if path.is_file()]


def test_nothing_is_kept(hub: HubProcess, mallory: Uploader) -> None:
    assert set(rows(hub).values()) == {0}
    deadline = time.monotonic() + 10
    while list((hub.data_dir / "files" / "uploads").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list((hub.data_dir / "files" / "uploads").iterdir()) == []
    # Bytes whose file was refused at the very end are left to the sweep; here without its grace.
    database = Database(f"sqlite:///{hub.data_dir / 'hub.db'}")
    BlobSweep(database, LocalBlobStore(hub.data_dir / "files"), 0, 0).run()
    database.dispose()
    assert kept(hub) == []


def test_other_bytes_under_a_taken_name(hub: HubProcess, mallory: Uploader) -> None:
    others = {
        "conda": build_conda("fine", subdir="linux-64", files={"x": "y"}),
        "pypi": build_wheel("fine", files={"x.py": "y"}),
        "r": build_r_package("fine", files={"x": "y"}),
    }
    for kind, made in FILES.items():
        assert mallory.v1(made, kind).status == 201
        before = rows(hub)
        for interface in INTERFACES[kind]:
            options = {"subdir": "linux-64" if kind == "conda" else "", "package": "fine"} if interface == "anaconda" else {}
            answer = getattr(mallory, interface)(others[kind], kind, **options)
            status = 400 if interface == "legacy" else 409
            assert (answer.status, answer.code) == (status, "file_exists"), (interface, answer)
            assert made.filename in answer.detail
        assert rows(hub) == before
        digest = hashlib.sha256(made.data).hexdigest()
        assert (hub.data_dir / "files" / "blobs" / digest[:2] / digest).read_bytes() == made.data


def test_memory_stayed_flat(hub: HubProcess, mallory: Uploader) -> None:
    status = Path(f"/proc/{hub.pid}/status").read_text()
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    assert int(peak) * 1024 < MEMORY
    assert "Traceback" not in hub.log
