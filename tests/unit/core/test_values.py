from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from carrel.core import clock, digests, errors, progress, tokens, units
from carrel.core.access import Permission
from carrel.core.scopes import ALL_SCOPES, SCOPES, Scope, expand, parse, reduce


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1550, "1.6 kB"),
        (83_950_000, "84.0 MB"),
        (999_950, "1.0 MB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert units.format_bytes(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0.0 s"), (0.44, "0.4 s"), (12.2, "12 s"), (185, "3 min 05 s"), (3600, "60 min 00 s")])
def test_durations_for_people(seconds: float, text: str) -> None:
    assert units.format_seconds(seconds) == text


def test_digests_of_a_stream_in_one_pass() -> None:
    data = b"carrel" * 1000
    found = digests.digest([data[:10], data[10:]])
    assert found == digests.digest(data)
    assert (found.sha256, found.md5, found.size) == (hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest(), 6000)
    assert digests.is_sha256(found.sha256)
    assert not digests.is_sha256(found.sha256.upper())
    assert not digests.is_sha256(found.sha256 + "\n")


def test_times_are_utc() -> None:
    assert clock.now().tzinfo is UTC
    moment = datetime(2026, 1, 2, 5, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))
    assert clock.to_rfc3339(moment) == "2026-01-02T03:04:05.000006Z"
    assert clock.to_milliseconds(datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)) == 1500


def test_a_token_is_stored_as_its_digest_only() -> None:
    token = tokens.mint()
    assert tokens.PATTERN.fullmatch(token.secret)
    assert token.secret.startswith(token.prefix)
    assert tokens.hash_token(token.secret) == token.sha256
    assert tokens.mint().secret != token.secret


def test_tokens_do_not_reach_a_log() -> None:
    token = tokens.mint().secret
    text = tokens.redact(f"GET /conda/t/{token}/alice/noarch/repodata.json Authorization: token {token}, /t/other-token/x")
    assert token not in text
    assert "other-token" not in text
    assert "/conda/t/<TOKEN>/alice/" in text


def all_errors() -> list[type[errors.CarrelError]]:
    def below(kind: type[errors.CarrelError]) -> list[type[errors.CarrelError]]:
        return [kind, *(deeper for direct in kind.__subclasses__() for deeper in below(direct))]

    return [kind for kind in below(errors.CarrelError) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", all_errors())
def test_an_error_becomes_a_problem_document(kind: type[errors.CarrelError]) -> None:
    problem = kind("What is wrong.", field="name", code="special", title_was="kept").to_problem()
    assert problem["status"] == kind.status
    assert problem["type"] == "urn:carrel:error:special"
    assert (problem["title"], problem["code"], problem["detail"]) == (kind.title, "special", "What is wrong.")
    assert (problem["field"], problem["title_was"]) == ("name", "kept")
    assert kind("x").code == kind.default_code


def test_codes_are_distinct() -> None:
    codes = [kind.default_code for kind in all_errors()]
    assert len(codes) == len(set(codes))


def test_every_scope_is_described() -> None:
    assert {info.scope for info in SCOPES} == ALL_SCOPES
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "tokens.md").read_text()
    for info in SCOPES:
        contained = "everything" if info.scope is Scope.ALL else ", ".join(f"`{scope}`" for scope in info.implies)
        assert f"| `{info.scope}` | {info.summary} | {contained} |\n" in page


def test_scopes_contain_others_and_have_a_shortest_form() -> None:
    assert expand((Scope.ALL,)) == ALL_SCOPES
    assert Scope.CONDA_DOWNLOAD in expand((Scope.API_READ,))
    assert Scope.PACKAGE_READ not in expand((Scope.REPOS,))
    for scopes in ((Scope.ALL,), (Scope.API_WRITE, Scope.CONDA), (Scope.PACKAGE_READ, Scope.PYPI_UPLOAD), ()):
        assert expand(reduce(expand(scopes))) == expand(scopes)
    assert reduce(ALL_SCOPES) == {Scope.ALL}
    assert reduce((Scope.PACKAGE_READ, Scope.CONDA_DOWNLOAD)) == {Scope.PACKAGE_READ}
    assert parse(["package:read", "of-a-newer-hub"]) == expand((Scope.PACKAGE_READ,))


def test_permissions_are_ordered() -> None:
    assert Permission.READ < Permission.WRITE < Permission.ADMIN
    assert max(Permission.WRITE, Permission.ADMIN, Permission.READ) is Permission.ADMIN
    assert Permission("write") >= Permission.WRITE


def test_nobody_cancels() -> None:
    assert not progress.NeverCancelled().is_set()
    progress.ignore_progress(progress.Progress("solve"))
