from __future__ import annotations

import pytest

from carrel.core.errors import InvalidFile
from carrel.formats import parsing

YAML = b"""\xef\xbb\xbf# what we need
name: demo
channels: [conda-forge,
           bioconda]
dependencies:
  - python
  - pip:
      - six
      - {a: 1,
         b: 2}
  - "x.y": 1
a.b:
  c: |
    text
    more
  d: 1
? [odd, key]
: value
last: 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("name", 2),
        ("channels", 3),
        ("channels[0]", 3),
        ("channels[1]", 4),
        ("dependencies", 5),
        ("dependencies[0]", 6),
        ("dependencies[1]", 7),
        ("dependencies[1].pip", 7),
        ("dependencies[1].pip[0]", 8),
        ("dependencies[1].pip[1].b", 10),
        ("dependencies[2].x.y", 11),
        ("a.b.d", 16),
        ("last", 19),
        ("dependencies[1].pip[7]", 7),  # the innermost that exists
        ("dependencies[0].name", 6),
        ("nam", None),
        ("names", None),
        ("The file", None),
        ("", None),
    ],
)
def test_a_member_of_yaml_is_found(path: str, line: int | None) -> None:
    assert parsing.locate_yaml(YAML, path) == line


TOML = b"""\
# what we need
[workspace]
name = "demo"  # [not.a.header]
channels = [
  "conda-forge", # one
  { channel = "x]y", priority = 1 },
]
text = \"\"\"
[fake]
key = 1
\"\"\"
[feature."a.b".dependencies]
numpy = { version = ">=1", build.number = 2 }
'quoted key' = '''
x'''
a.b.c = 1979-05-27 07:32:32

[[package]]
name = "one"
sizes = [1.5, [2, 3],
  4]
[[package.wheels]]
url = "a"
[[package.wheels]]
url = "b"
[[package]]
name = "two"
[[package.wheels]]
url = "c"
[package.extra]
x = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("workspace", 2),
        ("workspace.name", 3),
        ("workspace.channels[0]", 5),
        ("workspace.channels[1].priority", 6),
        ("workspace.text", 8),
        ("fake", None),
        ("key", None),
        ("feature.a.b.dependencies", 12),
        ("feature.a.b.dependencies.numpy.version", 13),
        ("feature.a.b.dependencies.numpy.build.number", 13),
        ("feature.a.b.dependencies.quoted key", 14),
        ("feature.a.b.dependencies.a.b.c", 16),
        ("package[0].name", 19),
        ("package[0].sizes[1][1]", 20),
        ("package[0].sizes[2]", 21),
        ("package[0].wheels[1].url", 25),
        ("package[1]", 26),
        ("package[1].wheels[0].url", 29),
        ("package[1].wheels[4].url", 26),
        ("package[1].extra.x", 31),
        ("workspace.platforms", 2),
    ],
)
def test_a_member_of_toml_is_found(path: str, line: int | None) -> None:
    parsing.load_toml(TOML, "It")
    assert parsing.locate_toml(TOML, path) == line


def test_errors_within_get_their_line() -> None:
    with pytest.raises(InvalidFile, match=r"^Line 8: It must be text") as caught, parsing.with_lines(YAML, "yaml"):
        raise InvalidFile("It must be text.", field="dependencies[1].pip[0]")
    assert caught.value.fields == {"field": "dependencies[1].pip[0]", "line": 8}
    assert caught.value.to_problem()["detail"] == "Line 8: It must be text."
    with pytest.raises(InvalidFile) as caught, parsing.with_lines(TOML, "toml"), parsing.with_lines(TOML, "toml"):
        raise InvalidFile("It must be text.", field="workspace.name")
    assert caught.value.detail == "Line 3: It must be text."
    with pytest.raises(InvalidFile) as caught, parsing.with_lines(YAML, "yaml"):
        raise InvalidFile("It must be text.", field="elsewhere")
    assert caught.value.detail == "It must be text."
    assert "line" not in caught.value.fields


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a: 1\nb: [1\nc: 2\n", 3),
        (b"a: 1\n\nb:\n\t- x\n", 4),
        (b"a: 1\nb: 2\na: 3\n", 3),
        (b"a: &x 1\nb: *x\n", 2),
        (b"a: 1\nb: \xff\n", 2),
    ],
)
def test_broken_yaml_tells_its_line(data: bytes, line: int) -> None:
    with pytest.raises(InvalidFile) as caught:
        parsing.load_yaml(data, "It")
    assert caught.value.fields["line"] == line


@pytest.mark.parametrize(
    ("data", "line"), [(b"a = 1\nb = = 2\n", 2), (b"a = 1\na = 2\n", 2), (b"a = 1\nb = [1,\n\n", 4), (b"a = 1\r\n\r\nb", 3)]
)
def test_broken_toml_tells_its_line(data: bytes, line: int) -> None:
    with pytest.raises(InvalidFile) as caught:
        parsing.load_toml(data, "It")
    assert caught.value.fields["line"] == line
    assert caught.value.detail.startswith(f"Line {line}: It is not TOML: ")


@pytest.mark.parametrize("data", [b"[" * 100_000, b"\xff", b"a: [", b"*x", b"a" * 300_000 + b"[1]", b"[a\n" * 50_000])
def test_any_bytes_have_no_line_or_one(data: bytes) -> None:
    for locate in (parsing.locate_yaml, parsing.locate_toml):
        assert locate(data, "a[0].b") in {None, 1, 2}
