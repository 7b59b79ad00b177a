"""What is said when nothing satisfies a wish, and what is offered instead: only what really solves."""

from __future__ import annotations

from pathlib import Path

import pytest
from environment_fixtures import change, package_index
from planning_lab import Lab

from carrel.core.errors import Unsolvable
from carrel.environments import Change, Policy, Sources, Spec, plan, specs
from carrel.environments.conflicts import Asked, conda_sentence, uv_sentence
from carrel.testing.artifacts import build_wheel


def failing(prefix: Path, wish: Change, sources: Sources, policy: Policy | None = None) -> Unsolvable:
    with pytest.raises(Unsolvable) as caught:
        plan(prefix, wish, sources, policy=policy)
    return caught.value


def check(prefix: Path, error: Unsolvable, sources: Sources) -> list[str]:
    """Every way out is a change that a plan can be made of; return their sentences."""
    for way in error.fields["ways_out"]:
        if not way["new_environment"]:
            wish = way["change"]
            add = tuple(specs.parse_for(text, "conda" if sources.channels else "venv") for text in wish["add"])
            plan(prefix, Change(add, tuple(wish["remove"]), tuple(wish["update"])), sources, find_ways_out=False)
    assert len(error.fields["ways_out"]) <= 4
    return [way["text"] for way in error.fields["ways_out"]]


def test_a_bound_that_meets_another(lab: Lab) -> None:
    error = failing(lab.prefix, Change(add=(Spec("alpha", ">=2"), Spec("gamma"))), lab.sources)
    assert error.detail == "No set of packages satisfies this: gamma 1.0 needs alpha <2, and you ask for alpha >=2."
    ways = check(lab.prefix, error, lab.sources)
    assert ways[0] == "take alpha in another version than >=2: gamma 1.0"
    assert "make a new environment for it" not in ways


def test_names_that_are_near_and_versions_that_there_are(lab: Lab) -> None:
    error = failing(lab.prefix, Change(add=(Spec("coreliib"),)), lab.sources)
    assert error.detail == "No channel has a package “coreliib”. Did you mean corelib?"
    error = failing(lab.prefix, Change(add=(Spec("corelib", "3.*"),)), lab.sources)
    assert error.detail == "There is no corelib 3.*. The newest versions are 2.0, 1.5 and 1.0."
    assert check(lab.prefix, error, lab.sources)[0].startswith("take corelib in another version than 3.*")


def test_the_other_installer(lab: Lab) -> None:
    error = failing(lab.prefix, Change(add=(Spec("onlypip"),)), lab.sources)
    assert check(lab.prefix, error, lab.sources) == ["take onlypip from the Python package index instead of conda: onlypip 1.0"]
    assert error.fields["ways_out"][0]["change"] == {"add": ["pypi::onlypip"], "remove": [], "update": []}
    error = failing(lab.prefix, Change(add=(Spec("dated", source="pypi"),)), lab.sources)
    assert error.detail.startswith("There is no package “dated” on http://127.0.0.1")
    assert check(lab.prefix, error, lab.sources) == ["take dated from conda instead of the Python package index: dated 2.0"]


def test_python_packages_that_may_be_meant(venv: Path, lab: Lab) -> None:
    named = [build_wheel("scikit-learn", "1.5"), build_wheel("tidal-charts", "2.0", requires=["solo<2"]), build_wheel("solo", "1.0")]
    with package_index([*named, build_wheel("broken-charts", "1.0", requires=["gone"])]) as index:
        sources = Sources(indexes=(index.url,))
        # what it is imported as
        error = failing(venv, Change(add=(Spec("sklearn", ">=1", "pypi"),)), sources)
        assert error.detail == f"There is no package “sklearn” on {index.url}. Did you mean scikit-learn?"
        assert check(venv, error, sources)[0] == "take scikit-learn instead of sklearn: scikit-learn 1.5"
        assert error.fields["ways_out"][0]["change"] == {"add": ["pypi::scikit-learn>=1"], "remove": [], "update": []}
        # how it is spelled; of what is like it, only what can be installed
        error = failing(venv, Change(add=(Spec("tidal-chart", source="pypi"), Spec("solo", source="pypi"))), sources)
        assert error.detail.endswith("Did you mean tidal-charts?")
        assert check(venv, error, sources) == ["take tidal-charts instead of tidal-chart: solo 1.0, tidal-charts 2.0"]
        for text in ("brokn-charts", "sklearn>=7", "bs4", "nothing-like-it"):
            error = failing(venv, Change(add=(specs.parse(text, "pypi"),)), sources)
            assert "Check the spelling." in error.detail, text
            assert not [way for way in error.fields["ways_out"] if " instead of " in way["text"]], text
        # what is there under another name
        change(venv, sources, Spec("scikit-learn", source="pypi"))
        error = failing(venv, Change(add=(Spec("sklearn", source="pypi"),)), sources)
        assert check(venv, error, sources)[0] == "take scikit-learn instead of sklearn: it is there already"
    error = failing(lab.prefix, Change(add=(Spec("onlypp", source="pypi"),)), lab.sources)
    assert check(lab.prefix, error, lab.sources)[0] == "take onlypip instead of onlypp: onlypip 1.0"


def test_long_lists_of_an_index_are_not_read(venv: Path) -> None:
    with package_index([build_wheel("tidal-charts", "2.0")]) as index:
        index.padding = 600_000
        error = failing(venv, Change(add=(Spec("tidal-chart", source="pypi"),)), Sources(indexes=(index.url,)))
        assert "Check the spelling." in error.detail
        index.padding = 0
        error = failing(venv, Change(add=(Spec("tidal-chart", source="pypi"),)), Sources(indexes=(index.url,)))
        assert "Did you mean tidal-charts?" in error.detail


def test_python_is_too_new(lab: Lab, venv: Path) -> None:
    error = failing(lab.prefix, Change(add=(Spec("oldpython"),)), lab.sources)
    assert "oldpython 1.0 needs python <3.9" in error.detail
    error = failing(venv, Change(add=(Spec("future", source="pypi"),)), Sources(indexes=lab.sources.indexes))
    assert "future==1.0 needs Python >=3.99. This environment has Python 3." in error.detail


def test_another_channel_that_has_it(lab: Lab) -> None:
    error = failing(lab.prefix, Change(add=(Spec("shared", ">=2"),)), lab.sources)
    assert f"shared 2.0 is in {lab.second}, but a channel before it has a package of that name too" in error.detail
    assert f"take shared from {lab.second}: shared 2.0" in check(lab.prefix, error, lab.sources)


def test_updating_what_is_in_the_way(venv: Path, lab: Lab) -> None:
    sources = Sources(indexes=lab.sources.indexes)
    change(venv, sources, Spec("gamma", source="pypi"))
    error = failing(venv, Change(add=(Spec("gamma", source="pypi"), Spec("delta", "1.0", "pypi"))), sources)
    assert "gamma depend on solo<2, and " in error.detail
    assert check(venv, error, sources) == []
    error = failing(venv, Change(add=(Spec("solo", "9", "pypi"),)), sources)
    assert error.detail.endswith("The newest version that fits here is 2.0.")
    assert check(venv, error, sources)[0] == "take solo in another version than 9"


def test_updating_what_conda_has_for_what_pip_wants(conda_env: Path, sources: Sources, pypi: Sources) -> None:
    both = Sources(sources.channels, pypi.indexes)
    change(conda_env, both, Spec("beta", "1.0"))
    error = failing(conda_env, Change(add=(Spec("alpha", "2.0", "pypi"),)), both)
    assert "conda installed beta 1.0, which pip must not replace" in error.detail
    assert "update beta with it: alpha 2.0, beta 2.0" in [
        text.replace("beta 2.0, alpha 2.0", "alpha 2.0, beta 2.0") for text in check(conda_env, error, both)
    ]


def test_a_pin_is_named(lab: Lab) -> None:
    error = failing(lab.prefix, Change(add=(Spec("alpha", "2.0"),)), lab.sources, Policy(pins={"beta": "<2"}))
    assert "the pin beta <2 does not allow it" in error.detail


def test_sentences_of_the_solver() -> None:
    tree = "lib * cannot be installed because there are no viable options:\n└─ lib 1.0 would require\n   └─ {}"
    missing = "{}, for which no candidates were found."
    assert conda_sentence(tree.format(missing.format("__cuda >=12"))).endswith(
        "lib 1.0 needs __cuda >=12, which this machine does not have."
    )
    assert conda_sentence(tree.format(missing.format("zlib >=9"))).endswith("lib 1.0 needs zlib >=9, which no channel has.")
    installed = Asked(installed={"zlib": "1.3"})
    assert conda_sentence(tree.format(missing.format("zlib >=9")), installed).endswith("needs zlib >=9, and zlib 1.3 is installed.")
    assert conda_sentence("something new") == "No set of packages satisfies this: something new."


def test_sentences_of_uv() -> None:
    both = "Because you require solo==2.0 and solo<2, we can conclude that your requirements are unsatisfiable."
    assert uv_sentence(both, []) == "No set of packages satisfies this: you ask for solo==2.0 and for solo<2, which exclude each other."
    gone = "Because nope was not found in the package registry and you require nope, we can conclude that …"
    assert uv_sentence(gone, []) == "There is no package “nope” on no index (none is set up). Check the spelling."
    assert uv_sentence("Because of reasons.", []) == "No set of packages satisfies this: Because of reasons."
