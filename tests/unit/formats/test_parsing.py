from __future__ import annotations

import json

import pytest

from carrel.core.errors import InvalidFile, TooLarge
from carrel.formats import parsing


def test_yaml_keeps_versions_as_written() -> None:
    document = parsing.load_yaml(
        b"version: 3.10\nday: 2026-01-02\ntime: 1:30\nword: on\nflag: true\ncount: 12\nnothing: null\nodd: 1_0\n", "It"
    )
    assert document == {
        "version": "3.10",
        "day": "2026-01-02",
        "time": "1:30",
        "word": "on",
        "flag": True,
        "count": 12,
        "nothing": None,
        "odd": "1_0",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"a: &x 1\nb: *x\n",
        b"a: 1\na: 2\n",
        b"? [1]\n: 2\n",
        b"a: !!python/object/apply:os.system ['true']\n",
        b"a: !custom 1\n",
        b"[" * 200 + b"]" * 200,
        b"a: 1\n---\nb: 2\n",
        b"a: [1",
        b"\xff",
        b"a: \0",
    ],
)
def test_yaml_refuses_what_no_lock_needs(data: bytes) -> None:
    with pytest.raises(InvalidFile):
        parsing.load_yaml(data, "It")


def test_yaml_and_json_bound_the_number_of_values() -> None:
    with pytest.raises(TooLarge):
        parsing.load_yaml(b"- a\n" * 500_000, "It")
    with pytest.raises(TooLarge):
        parsing.load_json(b"[" + b"[]," * 2_000_000 + b"1]", "It")


def test_yaml_round_trip_of_odd_text() -> None:
    document = {"a": "3.10", "b": "null", "c": "yes", "d": "1:30", "e": " x ", "f": "ü\n", "g": ["- x", "# y"], "h": {}, "i": []}
    assert parsing.load_yaml(parsing.dump_yaml(document), "It") == document


@pytest.mark.parametrize("data", [b"{", b"NaN", b"[Infinity]", b"[" * 100_000, b'"\\u0000"', b'"\\ud800"', b"\xff", b'"a\0b"', b""])
def test_json_is_strict(data: bytes) -> None:
    with pytest.raises(InvalidFile):
        parsing.load_json(data, "It")


def test_json_keeps_text_that_only_looks_escaped() -> None:
    assert parsing.load_json(rb'"\\u0000 and \\ud800"', "It") == r"\u0000 and \ud800"
    assert parsing.load_json(rb'"\ud83d\ude00"', "It") == "😀"
    assert parsing.load_json(rb'"\u0000"', "It", any_text=True) == "\0"


def test_storable_text_goes_into_any_database() -> None:
    value = parsing.storable_json({"a\0": ["b\ud800", 1, None, {"c": "\0"}]})
    assert value == {"a": ["b", 1, None, {"c": ""}]}
    assert parsing.storable("abc\0def", 5) == "abcd"
    json.dumps(value).encode()


@pytest.mark.parametrize(
    "url",
    [
        "https://user:password@hub.example/simple",
        "https://token@hub.example/simple",
        "https://hub.example/t/ca-secret/conda/alice",
        "https://hub.example/x?token=abc",
        "https://hub.example/x?a=1&X-Amz-Signature=abc",
        "git+https://oauth2:secret@code.example/x.git",
        "git+ssh://git:secret@code.example/x.git",
    ],
)
def test_credentials_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        parsing.refuse_credentials(url, "The file")
    assert caught.value.code == "credentials_in_file"
    assert "secret" not in caught.value.detail
    assert "password@" not in caught.value.detail


@pytest.mark.parametrize(
    "url",
    [
        "https://hub.example/conda/alice/linux-64/a-1-0.conda",
        "https://$USER:${PASSWORD}@hub.example/simple",
        "https://hub.example/t/$TOKEN/alice",
        "https://hub.example/t/<TOKEN>/alice",
        "git+ssh://git@code.example/x.git",
        "file:///opt/channel",
        "conda-forge",
    ],
)
def test_addresses_without_credentials_pass(url: str) -> None:
    assert parsing.refuse_credentials(url, "The file") == url


@pytest.mark.parametrize("key", ["a", '"="', "'.'", '"\\""', "a "])
def test_keys_of_many_parts_cost_no_time(key: str) -> None:
    for document in (f"{'.'.join([key] * 20_000)} = 1", f"x = {{{'.'.join([key] * 20_000)} = 1}}", f"[{'.'.join([key] * 20_000)}]"):
        with pytest.raises(InvalidFile, match="nested too deeply"):
            parsing.load_toml(document.encode(), "x")


def test_dots_in_texts_are_no_parts_of_keys() -> None:
    text = "." * 1000
    document = f'a.b = "{text}" # {text}\nc = \'{text}\'\nd = """\n{text}\\"\n"""\ne = \'\'\'\n{text}\'\'\'\n'
    assert parsing.load_toml(document.encode(), "x") == {"a": {"b": text}, "c": text, "d": text + '"\n', "e": text}
