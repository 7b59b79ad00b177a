"""uv.lock and pylock.toml: what is for one machine of what is for all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from carrel.core.errors import BadRequest, InvalidFile
from carrel.formats.environment import pylock, uv_lock
from carrel.formats.environment.targets import Target, python_for

A, B, C = "a" * 64, "b" * 64, "c" * 64
INDEX = "https://index.example/simple"
REGISTRY = f'registry = "{INDEX}"'


def wheel(name: str, tag: str = "py3-none-any", digest: str = A) -> str:
    return f'{{ url = "https://files.example/{name}-{tag}.whl", hash = "sha256:{digest}", size = 7 }}'


def package(name: str, version: str, body: str = "", tables: str = "", *, wheels: str | None = None, source: str = REGISTRY) -> str:
    files = wheel(f"{name}-{version}") if wheels is None else wheels
    listed = f"wheels = [\n    {files},\n]\n" if files else ""
    return f'\n[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ {source} }}\n{body}{listed}{tables}'


NATIVE = ",\n    ".join(
    wheel("fast-2.0", tag, digest)
    for tag, digest in [
        ("cp311-cp311-manylinux_2_35_x86_64", B),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", A),
        ("cp311-cp311-musllinux_1_2_x86_64", B),
        ("cp311-cp311-win_amd64", B),
        ("cp311-cp311-macosx_11_0_arm64", C),
        ("cp312-cp312-manylinux_2_35_x86_64", C),
        ("pp310-pypy310_pp73-manylinux_2_17_x86_64", B),
    ]
)
APP = f"""dependencies = [
    {{ name = "fast" }},
    {{ name = "plugin" }},
    {{ name = "winonly", marker = "sys_platform == 'win32'" }},
    {{ name = "forked", version = "1.0", source = {{ {REGISTRY} }}, marker = "python_full_version < '3.12'" }},
    {{ name = "forked", version = "2.0", source = {{ {REGISTRY} }}, marker = "python_full_version >= '3.12'" }},
]
"""
TABLES = """
[package.optional-dependencies]
web = [
    { name = "server", extra = ["tls"] },
]

[package.dev-dependencies]
dev = [
    { name = "tester" },
]
docs = [
    { name = "writer" },
]

[package.metadata]
requires-dist = [{ name = "fast" }]
"""
CRYPTO = f'sdist = {{ url = "https://files.example/crypto-4.0.tar.gz", hash = "sha256:{C}", size = 9 }}\n'
TLS = '\n[package.optional-dependencies]\ntls = [\n    { name = "crypto" },\n]\n'
UV = (
    """version = 1
revision = 3
requires-python = ">=3.10"
resolution-markers = [
    "python_full_version >= '3.12'",
    "python_full_version < '3.12'",
]

[options]
exclude-newer = "2025-03-01T00:00:00Z"

[manifest]
members = [
    "app",
    "plugin",
]
"""
    + package("app", "0.1.0", APP, TABLES, wheels="", source='editable = "."')
    + package("crypto", "4.0", CRYPTO, wheels="")
    + package("deep", "1.0", wheels="", source='git = "https://code.example/deep.git?rev=v1#0123abc"')
    + package("fast", "2.0", wheels=NATIVE)
    + package("forked", "1.0", "resolution-markers = [\"python_full_version < '3.12'\"]\n")
    + package("forked", "2.0", 'resolution-markers = ["python_full_version >= \'3.12\'"]\ndependencies = [{ name = "deep" }]\n')
    + package("plugin", "0.2.0", 'dependencies = [{ name = "deep" }]\n', wheels="", source='editable = "packages/plugin"')
    + package("server", "3.0", 'dependencies = [{ name = "winonly" }]\n', TLS)
    + package("tester", "1.0", wheels=f'{{ path = "tester-1.0-py3-none-any.whl", hash = "sha256:{A}" }}', source='registry = "../wheels"')
    + package("winonly", "1.0")
    + package(
        "writer",
        "1.0",
        wheels=f'{{ filename = "writer-1.0-py3-none-any.whl", hash = "sha256:{A}" }}',
        source='url = "https://elsewhere.example/writer-1.0-py3-none-any.whl"',
    )
)


def names(lock: object) -> set[str]:
    return {item.filename for item in lock.pypi}  # type: ignore[attr-defined]


def test_the_projects_and_what_they_need_here() -> None:
    lock = uv_lock.read(UV.encode(), platform="linux-64", python_version="3.11.4", groups=())
    assert names(lock) == {"fast-2.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "forked-1.0-py3-none-any.whl"}
    assert lock.requested == ("deep", "fast", "forked")
    assert [(item.code, item.name, item.remedy) for item in lock.problems] == [("from_repository", "deep", "build_wheel")]
    assert (lock.platform, lock.python_version, lock.kind) == ("linux-64", "3.11.4", "venv")
    assert lock.exclude_newer == datetime(2025, 3, 1, tzinfo=UTC)
    assert {(item.index, item.size, item.sha256) for item in lock.pypi} == {(INDEX, 7, A)}


def test_another_machine_gets_other_files() -> None:
    windows = uv_lock.read(UV.encode(), platform="win-64", python_version="3.11", groups=())
    assert names(windows) == {"fast-2.0-cp311-cp311-win_amd64.whl", "forked-1.0-py3-none-any.whl", "winonly-1.0-py3-none-any.whl"}
    mac = uv_lock.read(UV.encode(), platform="osx-arm64", python_version="3.11", groups=())
    assert "fast-2.0-cp311-cp311-macosx_11_0_arm64.whl" in names(mac)
    newer = uv_lock.read(UV.encode(), platform="linux-64", python_version="3.12", groups=())
    # the only wheel wants a newer glibc: better than none, and the machine will tell
    assert names(newer) == {"fast-2.0-cp312-cp312-manylinux_2_35_x86_64.whl", "forked-2.0-py3-none-any.whl"}


def test_extras_and_groups() -> None:
    def read(**chosen: object) -> set[str]:
        return {item.name for item in uv_lock.read(UV.encode(), platform="linux-64", python_version="3.11", **chosen).pypi}  # type: ignore[arg-type]

    assert read(extras=["web"], groups=()) == {"fast", "forked", "server", "winonly", "crypto"}
    assert read(extras=["*"], groups=()) == read(extras=["web"], groups=())
    assert read(groups=["docs"]) == {"fast", "forked", "writer"}
    by_default = uv_lock.read(UV.encode(), platform="linux-64", python_version="3.11")
    assert ("local_wheel", "tester") in {(item.code, item.name) for item in by_default.problems}


def test_a_direct_address_is_one_to_fetch_from() -> None:
    lock = uv_lock.read(UV.encode(), platform="linux-64", python_version="3.11", groups=["docs"])
    writer = next(item for item in lock.pypi if item.name == "writer")
    assert (writer.url, writer.index) == ("https://elsewhere.example/writer-1.0-py3-none-any.whl", "")


@pytest.mark.parametrize("revision", ["", "revision = 1\n", "revision = 2\n", "revision = 9\n"])
def test_the_lock_of_one_project_or_of_a_script(revision: str) -> None:
    project = f'version = 1\n{revision}requires-python = ">=3.9"\n' + package(
        "app", "0", 'dependencies = [{ name = "six" }]\n', wheels="", source='virtual = "."'
    )
    script = f'version = 1\n{revision}requires-python = ">=3.9"\n[manifest]\nrequirements = [{{ name = "six", specifier = ">=1" }}]\n'
    for text in (project, script):
        lock = uv_lock.read((text + package("six", "1.17.0")).encode(), platform="linux-64")
        assert [(item.name, item.version) for item in lock.pypi] == [("six", "1.17.0")]
        assert lock.requested == ("six",)


@pytest.mark.parametrize(
    ("old", "new", "member", "code"),
    [
        ("version = 1\n", "version = 2\n", "version = 2", "invalid_file"),
        ('requires-python = ">=3.10"', 'requires-python = ">=3.12"', "requires-python", "wrong_platform"),
        ('requires-python = ">=3.10"', 'requires-python = "sure"', "requires-python", "invalid_file"),
        ('{ name = "fast" },', '{ name = "slow" },', '{ name = "slow" }', "invalid_file"),
        ("sys_platform == 'win32'", "sys_platform is 'win32'", "sys_platform is", "invalid_file"),
        (
            f'manylinux2014_x86_64.whl", hash = "sha256:{A}"',
            'manylinux2014_x86_64.whl", hash = "sha256:12"',
            'name = "fast"',
            "invalid_file",
        ),
        ("https://files.example/fast-2.0-cp311-cp311-win", "https://files.example/fast-win", "fast-win", "invalid_file"),
        ("https://files.example/forked-1.0", "https://me:secret@files.example/forked-1.0", 'name = "forked"', "credentials_in_file"),
        ('version = "2.0"\nsource = { registry', "version = [2]\nsource = { registry", 'name = "fast"', "invalid_file"),
        ('members = [\n    "app"', "members = [\n    3", "3,", "invalid_file"),
    ],
)
def test_rejections_of_uv_locks_name_the_line(old: str, new: str, member: str, code: str) -> None:
    assert old in UV
    text = UV.replace(old, new, 1)
    with pytest.raises(InvalidFile) as caught:
        uv_lock.read(text.encode(), platform="linux-64", python_version="3.11")
    assert caught.value.code == code
    assert "secret" not in caught.value.detail
    line = caught.value.fields["line"]
    lines = text.splitlines()
    assert any(member in text for text in lines[max(0, line - 2) : line + 1]), (line, caught.value.detail)


def test_a_uv_lock_is_described_for_all_platforms() -> None:
    found = uv_lock.describe(UV.encode())
    assert (found.format, found.locked, found.name, found.python_version) == ("uv-lock", True, "app", ">=3.10")
    assert {item.name for item in found.packages} == {"crypto", "deep", "fast", "forked", "server", "tester", "winonly", "writer"}
    assert found.channels == (INDEX,)
    assert {code for code, _ in found.problems} == {"from_repository"}


PYLOCK = f"""lock-version = "1.0"
created-by = "other"
requires-python = ">=3.10"
extras = ["web"]
dependency-groups = ["dev"]
environments = ["sys_platform != 'emscripten'"]

[[packages]]
name = "forked"
version = "1.0"
marker = "python_version < '3.12'"
wheels = [{{ url = "https://files.example/forked-1.0-py3-none-any.whl", hashes = {{ sha256 = "{A}" }} }}]

[[packages]]
name = "forked"
version = "2.0"
marker = "python_version >= '3.12'"
wheels = [{{ url = "https://files.example/forked-2.0-py3-none-any.whl", hashes = {{ sha256 = "{B}" }} }}]

[[packages]]
name = "server"
version = "3.0"
marker = "'web' in extras"
sdist = {{ url = "https://files.example/server-3.0.tar.gz", hashes = {{ sha256 = "{A}" }} }}

[[packages]]
name = "tester"
version = "1.0"
marker = "'dev' in dependency_groups"
sdist = {{ url = "https://files.example/tester-1.0.tar.gz", hashes = {{ sha256 = "{A}" }} }}

[[packages]]
name = "archived"
archive = {{ url = "https://files.example/archived-5.1.tar.gz", hashes = {{ sha256 = "{C}" }} }}

[[packages]]
name = "cloned"
vcs = {{ type = "git", url = "https://code.example/cloned.git", commit-id = "0123" }}

[[packages]]
name = "mine"
directory = {{ path = ".", editable = true }}

[[packages]]
name = "beside"
version = "1.0"
wheels = [{{ name = "beside-1.0-py3-none-any.whl", path = "wheels/beside-1.0-py3-none-any.whl", hashes = {{ sha256 = "{A}" }} }}]
"""


def test_a_pylock_for_many_is_read_for_one() -> None:
    lock = pylock.read(PYLOCK.encode(), platform="linux-64", python_version="3.11")
    assert [(item.name, item.version, item.sha256) for item in lock.pypi] == [("archived", "5.1", C), ("forked", "1.0", A)]
    assert {(item.code, item.name) for item in lock.problems} == {
        ("from_repository", "cloned"),
        ("editable", "mine"),
        ("local_wheel", "beside"),
    }
    assert (lock.platform, lock.python_version) == ("linux-64", "3.11")
    newer = pylock.read(PYLOCK.encode(), platform="linux-64", python_version="3.12", extras=["web"], groups=["dev"])
    assert [item.filename for item in newer.pypi] == [
        "archived-5.1.tar.gz",
        "forked-2.0-py3-none-any.whl",
        "server-3.0.tar.gz",
        "tester-1.0.tar.gz",
    ]


def test_a_pylock_for_many_needs_a_platform() -> None:
    with pytest.raises(BadRequest) as caught:
        pylock.read(PYLOCK.encode())
    assert caught.value.code == "platform_required"
    with pytest.raises(InvalidFile) as refused:
        pylock.read(PYLOCK.encode(), platform="linux-64", python_version="3.9")
    assert refused.value.code == "wrong_platform"


def test_only_files_with_known_digests_are_chosen() -> None:
    text = f"""lock-version = "1.0"
created-by = "other"

[[packages]]
name = "fast"
version = "2.0"
sdist = {{ url = "https://files.example/fast-2.0.tar.gz", hashes = {{ sha256 = "{C}" }} }}
wheels = [{{ url = "https://files.example/fast-2.0-py3-none-any.whl", hashes = {{ sha256 = "{A}" }} }}]
"""
    for digest, suffix in [(A, ".whl"), (C, ".tar.gz")]:
        lock = pylock.read(text.encode(), platform="linux-64", hashes={"fast": {digest}})
        assert lock.pypi[0].filename.endswith(suffix)
        assert pylock.read(text.encode(), hashes={"fast": {digest}}) == pylock.read(text.encode(), hashes={"fast": {digest}, "other": {B}})
    with pytest.raises(InvalidFile) as caught:
        pylock.read(text.encode(), platform="linux-64", hashes={"fast": {B}})
    assert (caught.value.code, caught.value.fields["line"]) == ("not_from_index", 4)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('name = "tester"', 'name = "Tester"', 27),
        ("marker = \"python_version >= '3.12'\"", 'marker = "python_version ~ 3"', 17),
        (f'archived-5.1.tar.gz", hashes = {{ sha256 = "{C}" }}', 'archived-5.1.tar.gz", hashes = { sha256 = "12" }', 32),
        ("https://files.example/archived", "https://me:secret@files.example/archived", 32),
        ("lock-version", "lock-version = ", 1),
    ],
)
def test_rejections_of_pylocks_name_the_line(old: str, new: str, line: int) -> None:
    assert old in PYLOCK
    with pytest.raises(InvalidFile) as caught:
        pylock.read(PYLOCK.replace(old, new, 1).encode(), platform="linux-64", python_version="3.11")
    assert caught.value.fields["line"] == line, caught.value.detail
    assert "secret" not in caught.value.detail


def test_the_python_that_is_meant_without_one_being_named() -> None:
    assert python_for("==3.9.*") == "3.9"
    assert python_for(">3.14.1,<3.15") == "3.14.2"
    assert python_for(">=3.9").count(".") == 2  # this one
    with pytest.raises(BadRequest):
        python_for("<3")


def test_platforms_that_no_wheel_is_for() -> None:
    for platform, version in [("noarch", "3.11"), ("zos-z", "3.11"), ("linux-64", "three")]:
        with pytest.raises(BadRequest):
            Target(platform, version)
    newest_first = [str(tag) for tag in Target("linux-64", "3.12").tags()]
    assert newest_first.index("py3-none-any") < newest_first.index("cp312-cp312-manylinux_2_29_x86_64")
    assert newest_first.index("cp312-cp312-manylinux_2_28_x86_64") < newest_first.index("cp312-abi3-manylinux_2_28_x86_64")


def test_forks_tell_versions_apart_where_a_dependency_names_none() -> None:
    text = 'version = 1\nrequires-python = ">=3.10"\n' + package(
        "app", "0", 'dependencies = [{ name = "forked" }]\n', wheels="", source='virtual = "."'
    )
    for version, marker in [("1.0", "sys_platform == 'win32'"), ("2.0", "sys_platform != 'win32'")]:
        text += package("forked", version, f'resolution-markers = ["{marker}"]\n')
    assert [item.version for item in uv_lock.read(text.encode(), platform="linux-64").pypi] == ["2.0"]
    assert [item.version for item in uv_lock.read(text.encode(), platform="win-64").pypi] == ["1.0"]
    with pytest.raises(InvalidFile, match="several times") as caught:
        uv_lock.read(text.replace("!= 'win32'", "== 'win32'").encode(), platform="win-64")
    assert caught.value.fields["line"] == 8
