from __future__ import annotations

import base64
import contextlib
import copy
import json
import time

import planted_secrets as corpus
import pytest

from carrel.core.errors import Unprocessable
from carrel.sharing.secrets import Decision, redact, redact_text, scan_notebook, scan_text
from carrel.sharing.secrets.findings import mask
from carrel.sharing.secrets.notebook import strings
from carrel.sharing.secrets.text import strip_ansi, strip_tags


@pytest.fixture(scope="module")
def findings():
    return scan_notebook(corpus.notebook())


@pytest.mark.parametrize("secret", corpus.PLANTED, ids=lambda secret: secret[:9].strip())
def test_every_planted_secret_is_found_where_it_is(findings, secret):
    cell, where = corpus.PLANTED[secret]
    found = [f for f in findings if secret in f.secret and f.cell == cell and f.where == where]
    assert found, f"not found in {where} of cell {cell}"
    assert any(f.strong for f in found)


def test_findings_never_show_the_secret(findings):
    shown = json.dumps([f.to_json() for f in findings]) + repr(findings)
    for secret in corpus.PLANTED:
        assert secret not in shown
        assert secret[:12] not in shown


def everything(notebook):
    """All text of a notebook in every form a reader could use: raw, without colours and tags, decoded from base64."""
    for _, text in strings(notebook):
        plain = strip_ansi(text)
        yield from (text, plain, strip_tags(plain), strip_tags(plain).replace("\\n", "\n"))
        with contextlib.suppress(ValueError):
            yield base64.b64decode(text, validate=True).decode("latin-1")


def test_no_planted_secret_is_left_in_the_copy(findings):
    original = corpus.notebook()
    before = copy.deepcopy(original)
    published = redact(original, findings, {})
    assert original == before, "the local notebook is never altered"
    views = list(everything(published))
    for secret in corpus.PLANTED:
        assert not any(secret in view for view in views), secret[:6]
        assert not any(secret[:-4] in view for view in views), secret[:6]
    assert scan_notebook(published) == [] or not any(f.strong for f in scan_notebook(published))
    assert 'password = "[REDACTED]"' in published["cells"][0]["source"]


def test_nothing_else_of_the_notebook_changes():
    notebook = {
        "cells": [{"cell_type": "code", "id": "a", "metadata": {}, "source": "x = 1\n", "outputs": []}],
        "metadata": {"a": [1, None]},
    }
    assert redact(notebook, scan_notebook(notebook), {}) == notebook


def test_a_value_decided_to_be_no_secret_stays():
    notebook = {
        "cells": [{"cell_type": "code", "id": "a", "metadata": {}, "source": f"t = '{corpus.GITHUB}'", "outputs": []}],
        "metadata": {},
    }
    (finding,) = scan_notebook(notebook)
    assert corpus.GITHUB in json.dumps(redact(notebook, [finding], {finding.id: Decision.NOT_SECRET}))


def test_remove_output_drops_the_output_and_keeps_the_others():
    notebook = corpus.notebook()
    found = scan_notebook(notebook)
    decisions = {f.id: "remove_output" for f in found if f.where == "output"}
    published = redact(notebook, found, decisions)
    assert published["cells"][1]["outputs"] == []
    assert published["cells"][0]["source"] != ""


def test_a_printed_secret_disappears_from_the_source_too():
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "id": "a",
                "metadata": {},
                "source": "show('zq')",
                "outputs": [{"output_type": "stream", "name": "stdout", "text": f"{corpus.CARREL}"}],
            },
            {"cell_type": "markdown", "id": "b", "metadata": {corpus.CARREL: 1}, "source": f"see {corpus.CARREL}"},
        ],
        "metadata": {},
    }
    found = scan_notebook(notebook)
    only_output = {f.id: "redact" if f.where == "output" else "not_secret" for f in found}
    assert corpus.CARREL not in json.dumps(redact(notebook, found, only_output))


def test_ids_are_stable_between_check_and_publish(findings):
    assert [f.id for f in scan_notebook(corpus.notebook())] == [f.id for f in findings]
    assert len({f.id for f in findings}) == len(findings)


@pytest.mark.parametrize("text", corpus.CLEAN)
def test_ordinary_text_gives_no_sure_finding(text):
    assert [m for m in scan_text(text) if m.strong] == []


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"channels:\n - https://conda.invalid/t/{corpus.CHANNEL}/private", corpus.CHANNEL),
        (f"DefaultEndpointsProtocol=https;AccountName=lab;AccountKey={corpus.AZURE};EndpointSuffix=x", corpus.AZURE),
        (f"Server=db;Database=x;Uid=ada;Pwd={corpus.PASSWORD};", corpus.PASSWORD),
        (f"%env OPENAI_API_KEY={corpus.OPENAI}", corpus.OPENAI),
        (f"os.environ['SERVICE_SECRET'] = '{corpus.API_KEY}'", corpus.API_KEY),
        (f"os.environ.setdefault('MY_TOKEN', '{corpus.BEARER}')", corpus.BEARER),
        (f'requests.get(u, params={{"api_key": "{corpus.API_KEY}"}})', corpus.API_KEY),
        (f"https://maps.invalid/api?key={corpus.GOOGLE}", corpus.GOOGLE),
        (f"git clone https://oauth2:{corpus.GITLAB}@git.invalid/x.git", corpus.GITLAB),
        (f"//registry.invalid/:_authToken={corpus.API_KEY}", corpus.API_KEY),
        (repr({"private_key": corpus.PEM}), corpus.PEM.replace("\n", "\\n")),
        ("db_password: 'correct'", "correct"),
        ("password = '$tr0ngP@ss'", "$tr0ngP@ss"),
    ],
    ids=range(13),
)
def test_forms(text, secret):
    assert any(secret in m.secret for m in scan_text(text) if m.strong), scan_text(text)
    redacted = redact_text(text, [_finding(m) for m in scan_text(text)])
    assert secret not in redacted


def _finding(match):
    from carrel.sharing.secrets.findings import Where, make_finding

    return make_finding(match, Where.SOURCE, "")


def test_mask_shows_little():
    assert mask("abc") == "••••••••"
    assert mask("ghp_abcdefghijklmnop") == "ghp_••••••••"


def test_line_numbers_count_from_one():
    (match,) = scan_text(f"a\nb\n{corpus.GITHUB}")
    assert _line(match, f"a\nb\n{corpus.GITHUB}") == 3


def _line(match, text):
    from carrel.sharing.secrets.findings import Where, make_finding

    return make_finding(match, Where.SOURCE, text).line


@pytest.mark.parametrize(
    "text",
    [
        "0.12345, 6.789e-05, label_key=17, 'name': 'value'\n" * 10_000,
        "QUJDRGVmZ2hp" * 40_000,
        "<td>a</td>" * 50_000,
        "key" * 100_000,
        "://" * 100_000,
    ],
    ids=["table", "one word", "tags", "names", "addresses"],
)
def test_large_outputs_are_scanned_in_time_that_grows_with_their_size(text):
    start = time.process_time()
    scan_text(text, is_html=True)
    assert time.process_time() - start < 5, "a pattern backtracks"


def test_a_copy_that_still_holds_a_secret_is_not_handed_out(findings, monkeypatch):
    from carrel.sharing.secrets import redaction

    monkeypatch.setattr(redaction._Replacer, "__call__", lambda self, text: text)
    with pytest.raises(Unprocessable) as raised:
        redact(corpus.notebook(), findings, {})
    assert raised.value.code == "redaction_failed"
