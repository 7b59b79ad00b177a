"""Installing, updating, removing and undoing conda packages in a real environment."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from environment_fixtures import change, contents, differences, python_says

from carrel.core.errors import BadRequest, Conflict, DigestMismatch, Forbidden, NotFound, PreconditionFailed, Unavailable, Unsolvable
from carrel.core.progress import Progress
from carrel.environments import Change, Sources, Spec, apply, conda_meta, history, inspect, installed, plan, restore
from carrel.testing.conda_channel import ChannelServer, serve


def versions(prefix: Path) -> dict[str, str]:
    return {package.name: package.version for package in installed(prefix)}


def test_install_says_what_and_why_and_does_it(conda_env: Path, sources: Sources, fresh_cache: Path) -> None:
    made = plan(conda_env, Change(add=(Spec("alpha"),)), sources)
    assert {(line.name, line.to_version, line.reason) for line in made.added} == {
        ("alpha", "2.0", "requested"),
        ("beta", "2.0", "needed by alpha"),
    }
    assert made.download_bytes == sum(line.size for line in made.added) > 0
    assert all(len(line.sha256) == 64 for line in made.added)
    assert "conda install" in made.command
    assert not made.changed
    assert not made.removed
    events: list[Progress] = []
    applied = apply(made, on_event=events.append)
    assert python_says(conda_env, "import alpha, beta; print(alpha.__version__, beta.__version__)") == "2.0 2.0"
    assert applied.changed_import_names == ()
    listed = {package.name: package for package in installed(conda_env)}
    assert listed["alpha"].requested
    assert not listed["beta"].requested
    assert listed["alpha"].import_names == ("alpha",)
    stages = [event.stage for event in events]
    assert stages.index("download") < stages.index("link") < stages.index("verify")
    last_download = [event for event in events if event.stage == "download"][-1]
    assert (last_download.done, last_download.unit) == (made.download_bytes, "bytes")


def test_nothing_else_moves(conda_env: Path, sources: Sources) -> None:
    change(conda_env, sources, Spec("beta", "1.0"))
    made = plan(conda_env, Change(add=(Spec("alpha", "1.0"),)), sources)
    assert [line.name for line in made.steps] == ["alpha"]
    made = plan(conda_env, Change(update=("python",)), sources)
    assert made.is_empty


def test_update_tells_what_must_change_with_it(conda_env: Path, sources: Sources) -> None:
    change(conda_env, sources, Spec("alpha", "1.0"), Spec("beta", "1.0"))
    assert conda_meta.requested_specs(conda_env) == {"alpha": ("alpha ==1.0",), "beta": ("beta ==1.0",), "python": ("python",)}
    made = plan(conda_env, Change(update=("alpha",)), sources)
    assert [(line.name, line.from_version, line.to_version, line.reason) for line in made.changed] == [
        ("beta", "1.0", "2.0", "alpha 2.0 needs beta >=2"),
        ("alpha", "1.0", "2.0", "requested"),
    ]
    applied = apply(made)
    assert applied.changed_import_names == ("alpha", "beta")
    assert conda_meta.requested_specs(conda_env) == {"alpha": ("alpha",), "beta": ("beta",), "python": ("python",)}
    assert python_says(conda_env, "import alpha; print(alpha.__version__)") == "2.0"
    assert not list((conda_env / "lib").rglob("only_in_1.py"))


def test_remove_takes_what_needs_it_and_what_is_left_over(conda_env: Path, sources: Sources) -> None:
    change(conda_env, sources, Spec("alpha", "2.0"))
    made = plan(conda_env, Change(remove=("alpha",)), sources)
    assert [(line.name, line.reason) for line in made.removed] == [("beta", "nothing needs it any more"), ("alpha", "requested")]
    made = plan(conda_env, Change(remove=("beta",)), sources)
    assert [(line.name, line.reason) for line in made.removed] == [("alpha", "needs beta"), ("beta", "requested")]
    assert [notice.code for notice in made.warnings] == ["removes_requested"]
    apply(made)
    assert not {"alpha", "beta"} & set(versions(conda_env))
    assert not list((conda_env / "lib").rglob("site-packages/alpha"))


def test_undo_brings_back_every_byte_without_a_network(conda_env: Path, server: ChannelServer, sources: Sources) -> None:
    change(conda_env, sources, Spec("alpha", "1.0"), Spec("beta", "1.0"))
    before = contents(conda_env)
    change(conda_env, sources, update=["alpha"])
    change(conda_env, sources, Spec("large"), remove=["beta"])
    revisions = history(conda_env)
    assert [revision.summary for revision in revisions[:2]] == ["installed large, removed beta and 1 more", "changed alpha and 1 more"]
    shutil.rmtree(Path(inspect(conda_env).prefix.anchor, *Path(_cache()).parts[1:]), ignore_errors=True)
    asked = len(server.requests)
    undone = restore(conda_env, revisions[2].number)
    assert differences(before, contents(conda_env)) == []
    assert len(server.requests) == asked
    assert undone.revision == revisions[0].number + 1
    assert restore(conda_env, revisions[0].number)
    assert versions(conda_env)["large"] == "1.0"
    assert "alpha" not in versions(conda_env)


def _cache() -> Path:
    from carrel.environments.locations import conda_cache_folder

    return conda_cache_folder()


def test_undo_fetches_what_was_changed_behind_our_back(conda_env: Path, sources: Sources) -> None:
    change(conda_env, sources, Spec("alpha", "1.0"))
    before = contents(conda_env)
    change(conda_env, sources, Spec("large"))
    shutil.rmtree(conda_env / ".carrel" / "kept", ignore_errors=True)
    record = next((conda_env / "conda-meta").glob("alpha-*.json"))
    for file in json.loads(record.read_bytes())["files"]:
        (conda_env / file).unlink()
    record.unlink()
    restore(conda_env, history(conda_env)[1].number, sources=sources)
    assert differences(before, contents(conda_env)) == []
    assert versions(conda_env)["alpha"] == "1.0"


def test_python_and_ipykernel_stay(conda_env: Path, sources: Sources) -> None:
    with pytest.raises(Conflict) as caught:
        plan(conda_env, Change(remove=("python",)), sources)
    assert caught.value.code == "protected_package"
    with pytest.raises(BadRequest, match="not installed"):
        plan(conda_env, Change(remove=("nothing-like-it",)), sources)


def test_unsolvable_is_told_in_words(conda_env: Path, sources: Sources) -> None:
    with pytest.raises(Unsolvable) as caught:
        plan(conda_env, Change(add=(Spec("alpha", ">=2"), Spec("gamma"))), sources)
    assert "gamma" in caught.value.fields["explanation"]
    assert "gamma 1.0 needs alpha <2, and you ask for alpha >=2" in caught.value.detail
    with pytest.raises(Unsolvable, match="No channel has a package that matches “no-such-package”"):
        plan(conda_env, Change(add=(Spec("no-such-package"),)), sources)
    with pytest.raises(BadRequest, match="not a package specification"):
        plan(conda_env, Change(add=(Spec("alpha", ">>1"),)), sources)


def test_a_plan_for_another_state_is_refused(conda_env: Path, sources: Sources) -> None:
    made = plan(conda_env, Change(add=(Spec("alpha"),)), sources)
    change(conda_env, sources, Spec("beta", "1.0"))
    with pytest.raises(PreconditionFailed) as caught:
        apply(made)
    assert caught.value.code == "plan_outdated"


def test_a_tampered_archive_is_named_and_nothing_happens(
    conda_env: Path, server: ChannelServer, sources: Sources, fresh_cache: Path
) -> None:
    before = contents(conda_env)
    made = plan(conda_env, Change(add=(Spec("beta", "2.0"), Spec("large"))), sources)
    server.faults.tampered["large-1.0-0.conda"] = b"evil" * 1000
    with pytest.raises(DigestMismatch) as caught:
        apply(made)
    assert caught.value.fields["filename"] == "large-1.0-0.conda"
    assert caught.value.fields["expected"] == next(line.sha256 for line in made.added if line.name == "large")
    assert caught.value.fields["found"] != caught.value.fields["expected"]
    assert differences(before, contents(conda_env)) == []
    assert not [path.name for path in (_cache() / "pkgs").iterdir() if path.name.startswith((".carrel-", "large"))]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not tell")
def test_one_hears_how_much_of_a_large_archive_has_come(
    conda_env: Path, server: ChannelServer, sources: Sources, fresh_cache: Path
) -> None:
    made = plan(conda_env, Change(add=(Spec("large"),)), sources)
    heard: list[tuple[int, int]] = []

    def listen(event: Progress) -> None:
        if event.stage == "download":
            heard.append((event.done, event.total))

    server.faults.delay = 0.02
    apply(made, on_event=listen)
    (total,) = {total for _, total in heard}
    assert total == made.download_bytes
    assert heard[-1] == (total, total)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert len({done for done, _ in heard if 0 < done < total}) >= 3


def test_tampering_in_a_folder_channel_is_seen_too(conda_env: Path, channel: Path, tmp_path: Path, fresh_cache: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(channel, copy)
    sources = Sources(channels=(copy.as_uri(),))
    made = plan(conda_env, Change(add=(Spec("gamma"),)), sources)
    with (copy / "noarch" / "gamma-1.0-0.conda").open("ab") as archive:
        archive.write(b"more")
    with pytest.raises(DigestMismatch, match=r"gamma-1\.0-0\.conda"):
        apply(made)


def test_a_missing_archive_and_a_dead_server(conda_env: Path, server: ChannelServer, sources: Sources, fresh_cache: Path) -> None:
    made = plan(conda_env, Change(add=(Spec("gamma"),)), sources)
    server.faults.status["gamma-1.0-0.conda"] = 404
    with pytest.raises(NotFound) as caught:
        apply(made)
    assert caught.value.fields["filename"] == "gamma-1.0-0.conda"
    assert "127.0.0.1" in caught.value.detail


def test_an_environment_that_does_not_start_is_brought_back(conda_env: Path, sources: Sources) -> None:
    before = contents(conda_env)
    made = plan(conda_env, Change(add=(Spec("broken"),)), sources)
    with pytest.raises(Unavailable) as caught:
        apply(made)
    assert caught.value.code == "verification_failed"
    assert "as it was before" in caught.value.detail
    assert differences(before, contents(conda_env)) == []
    assert [revision.summary for revision in history(conda_env)] == ["installed python and 1 more", "as it was found"]


def test_credentials_open_the_channel_and_are_written_nowhere(conda_env: Path, channel: Path) -> None:
    token = "ca-abcdefghijklmnop"
    with serve(channel, token=token) as private:
        anonymous = Sources(channels=(private.url,))
        with pytest.raises(Exception, match=r"401|sign in|could not be read"):
            plan(conda_env, Change(add=(Spec("alpha"),)), anonymous)
        by_header = Sources(channels=(private.url,), headers={private.url: {"Authorization": f"Bearer {token}"}})
        made = plan(conda_env, Change(add=(Spec("alpha", "1.0"),)), by_header)
        assert token not in repr(made) + made.command
        apply(made)
        by_path = Sources(channels=(f"{private.url}/t/{token}",))
        made = plan(conda_env, Change(add=(Spec("gamma"),)), by_path)
        assert all(token not in line.url + line.channel for line in made.steps)
        assert token not in made.command
        apply(made)
    for path in conda_env.rglob("*"):
        if path.is_file() and (path.suffix in (".json", "") or ".carrel" in path.parts) and path.stat().st_size < 3_000_000:
            assert token.encode() not in path.read_bytes(), path


def test_read_only_environments_are_left_alone(conda_env: Path, sources: Sources) -> None:
    (conda_env / "conda-meta" / "frozen").touch()
    assert not inspect(conda_env).writable
    with pytest.raises(Forbidden) as caught:
        plan(conda_env, Change(add=(Spec("alpha"),)), sources)
    assert caught.value.code == "read_only_environment"


def test_history_is_readable_for_conda(conda_env: Path, sources: Sources) -> None:
    change(conda_env, sources, Spec("alpha", "1.0"))
    change(conda_env, sources, remove=["alpha"])
    history = (conda_env / "conda-meta" / "history").read_text()
    assert '# update specs: ["alpha ==1.0"]' in history
    assert '# remove specs: ["alpha"]' in history
    assert "::alpha-1.0-0" in history


def test_pins_hold(conda_env: Path, sources: Sources) -> None:
    (conda_env / "conda-meta" / "pinned").write_text("beta <2\n")
    made = plan(conda_env, Change(add=(Spec("beta"),)), sources)
    assert [line.to_version for line in made.added] == ["1.0"]
