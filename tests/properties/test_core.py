"""Properties of the vocabulary that hold for any text."""

from __future__ import annotations

import string
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from carrel.core import digests, names, tokens, units
from carrel.core.errors import InvalidName

VALIDATORS = [names.validate_namespace, names.validate_package, names.validate_version, names.validate_label]


@given(st.text(max_size=140), st.sampled_from(VALIDATORS))
def test_a_valid_name_is_safe_in_a_path(text: str, validate: object) -> None:
    try:
        name = validate(text)  # type: ignore[operator]
    except InvalidName:
        return
    assert name == text
    assert not set(name) - set(string.ascii_letters + string.digits + "_.-!+~/")
    assert ".." not in name.split("/")
    assert quote(name, safe="/!+~") == name


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}", fullmatch=True))
def test_canonical_package_names_are_a_fixed_point(name: str) -> None:
    canonical = names.canonical_package(name)
    assert names.canonical_package(canonical) == canonical
    assert names.canonical_package(name.replace("-", "_").upper()) == canonical


@given(st.text(max_size=200))
def test_a_slug_is_a_package_name(text: str) -> None:
    slug = names.slugify(text)
    assert names.validate_package(slug) == slug
    assert names.slugify(slug) == slug


@given(st.text(max_size=80), st.text(max_size=80))
def test_redacting_leaves_no_token_and_nothing_to_do_twice(before: str, after: str) -> None:
    token = tokens.mint().secret
    text = tokens.redact(f"{before} {token} {after}")
    assert token not in text
    assert tokens.redact(text) == text


@given(st.integers(min_value=0, max_value=10**18), st.integers(min_value=0, max_value=10**18))
def test_sizes_keep_their_order_of_magnitude(one: int, other: int) -> None:
    scale = {unit: 1000**i for i, unit in enumerate(["B", "kB", "MB", "GB", "TB"])}

    def value(count: int) -> float:
        number, unit = units.format_bytes(count).split()
        return float(number) * scale[unit]

    low, high = sorted([one, other])
    assert value(low) <= value(high)
    assert abs(value(high) - high) <= 0.06 * high


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_digests_do_not_depend_on_the_chunks(chunks: list[bytes]) -> None:
    assert digests.digest(chunks) == digests.digest(b"".join(chunks))
