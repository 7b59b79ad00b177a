"""Why nothing satisfies a request, in one sentence: which requirement meets which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from carrel.environments import specs
from carrel.environments.credentials import strip_url
from carrel.environments.models import Spec

_BRANCHES = " │├└─"
_NONE = "No set of packages satisfies this"
_MOST = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is made of, as far as sentences speak of it: match specifications, pins, and installed versions by name."""

    add: Sequence[str] = ()
    pins: Sequence[str] = ()
    installed: Mapping[str, str] | None = None
    platform: str = ""


def missing_spec(tree: str) -> str | None:
    """Return the match specification that nothing was found for, when that is all there is to say."""
    found = re.match(r"No candidates were found for (.+?)\.?\s*\Z", tree.strip())
    return found[1].removesuffix(" *") if found else None


def conda_sentence(tree: str, asked: Asked | None = None) -> str:
    """Return what the solver's *tree* says."""
    asked = asked or Asked()
    if name := missing_spec(tree):
        return f"No channel has a package that matches “{name}”. Check the spelling, or add the channel that has it."
    found = list(dict.fromkeys(_conda_parts(tree, asked)))
    if not found:
        first = next((line.strip() for line in tree.splitlines() if line.strip()), "the request contradicts itself")
        return f"{_NONE}: {first.rstrip('.:')}."
    return f"{_NONE}: {'; '.join(found[:_MOST])}."


def _conda_parts(tree: str, asked: Asked) -> Iterable[str]:
    above: list[tuple[int, str]] = []
    wanted = {_name(text): text for text in asked.add} or {_name(text): text for text in _roots(tree)}
    for line in tree.splitlines():
        text = line.lstrip(_BRANCHES)
        depth = len(line) - len(text)
        while above and above[-1][0] >= depth:
            above.pop()
        text = text.strip().rstrip(".:,")
        parent = above[-1][1] if above else ""
        above.append((depth, text))
        if pin := re.match(r"the constraint (.+) cannot be fulfilled", text):
            yield f"{'the pin' if pin[1] in asked.pins else 'what pip installed needs'} {pin[1]} does not allow it"
        elif cut := re.match(r"(.+) is excluded because (.+)", text):
            yield _excluded(cut[1], cut[2])
        elif need := re.match(r"(.+?), (?:for )?which (.*)", text):
            if parent.endswith(" would require"):
                yield f"{parent.removesuffix(' would require')} needs {_needed(need[1], need[2], wanted, asked)}"
            elif need[2].startswith("conflicts with"):
                continue
            else:
                yield f"{need[1]}, which {need[2]}"


def _roots(tree: str) -> Iterable[str]:
    """Return the specifications that the solver was given, as far as the tree begins with them."""
    for line in tree.splitlines():
        if found := re.match(r"(?:[├└]─ )?(\S+ \S.*?) (?:can|cannot) be installed", line):
            yield found[1].removesuffix(" *")


def _needed(needed: str, why: str, wanted: Mapping[str, str], asked: Asked) -> str:
    name = _name(needed)
    needed = needed.removesuffix(" *")
    if name.startswith("__"):
        return f"{needed}, which this machine does not have"
    if name in wanted and _bare(wanted[name]) != name:
        return f"{needed}, and you ask for {_bare(wanted[name])}"
    if version := (asked.installed or {}).get(name):
        return f"{needed}, and {name} {version} is installed"
    if why.startswith("no candidates"):
        return f"{needed}, which no channel has"
    return needed


def _excluded(what: str, why: str) -> str:
    if found := re.search(r"strict channel priority.*?'([^']+)'", why):
        return f"{what} is in {strip_url(found[1]).rstrip('/')}, but a channel before it has a package of that name too"
    if found := re.search(r"cutoff date of (\S+)", why):
        return f"{what} was published after {found[1]}"
    if found := re.search(r"not in requested channel: '([^']+)'", why):
        return f"{what} is not in the channel {strip_url(found[1]).rstrip('/')}"
    return f"{what} is left out because {why}"


def _name(text: str) -> str:
    return re.split(r"[\s=<>!~\[]", text.rpartition("::")[2], maxsplit=1)[0].lower()


def _bare(text: str) -> str:
    return text.rpartition("::")[2]


def excluded_channel(tree: str) -> tuple[str, str] | None:
    """Return a package name and the channel that has it, when only the order of channels is in the way."""
    found = re.search(r"([\w.-]+) [^\n]*? is excluded because due to strict channel priority[^']*'([^']+)'", tree)
    return (found[1], found[2].rstrip("/")) if found else None


def sentence_for_missing(spec: Spec, known: Mapping[str, Sequence[str]], until: str | None) -> str:
    """Return what is to be said of a *spec* that nothing was found for, with what channels know of its name."""
    versions, near = known["versions"], known["near"]
    if versions:
        wanted = specs.conda_text(spec).partition(" ")[2].removeprefix("==") or "that"
        return f"There is no {spec.name} {wanted}. The newest versions are {_listed(versions)}."
    if near:
        return f"No channel has a package “{spec.name}”. Did you mean {_listed(near, 'or')}?"
    return ""


def _listed(words: Sequence[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def uv_sentence(tree: str, indexes: Sequence[str]) -> str:
    """Return what uv's derivation says: its last words are the cause, its first ones the packages that meet."""
    flat = " ".join(tree.split())
    where = _where(indexes)
    if name := missing_package(flat):
        return sentence_for_absent(name, indexes)
    if found := re.search(
        r"hint: `(\S+)` was filtered by `exclude-newer` to only include packages uploaded before (\S+?)\.?(?: |\Z)", flat
    ):
        return f"{_NONE}: {found[1]} has no fitting version that was published before {found[2]}."
    if found := re.search(r"there (?:is|are) no versions? of (\S+?)(?:,| and )", flat):
        return f"There is no {found[1].rstrip(',')} on {where}."
    if found := re.search(r"Python version \(([^)]+)\) does not satisfy (Python\S+) and (.+?) depends? on", flat):
        return f"{_NONE}: {found[3]} needs {found[2]}, and this environment has Python {found[1]}."
    if found := re.search(r"(?:Because|and) ([\w.-]+[^\s]*) requires Python ([^\s]+)", flat):
        return f"{_NONE}: {found[1]} needs Python {found[2]}."
    if found := re.match(r"Because you require (\S+) and (\S+), we can conclude", flat):
        return f"{_NONE}: you ask for {found[1]} and for {found[2]}, which exclude each other."
    pairs = re.findall(
        r"((?:all versions of )?[\w.-]+(?:\[[^\]]*\])?(?:[=<>!~][^\s,]*(?:,[=<>!~][^\s,]+)*)?) (depends? on) ([\w.-]+[^\s,]*)", flat
    )
    by_name: dict[str, list[str]] = {}
    for who, verb, what in pairs:
        by_name.setdefault(_name(what), []).append(f"{who} {verb} {what}")
    for name, said in by_name.items():
        said = list(dict.fromkeys(said))
        asked = re.search(rf"you require ((?:.*? and )?)({re.escape(name)}[=<>!~][^\s,]*)", flat)
        if len(said) > 1:
            return f"{_NONE}: {said[0]}, and {said[1]}."
        if asked:
            return f"{_NONE}: {said[0]}, and you ask for {asked[2]}."
    return f"{_NONE}: {flat[:600].rstrip()}{'…' if len(flat) > 600 else ''}"


def sentence_for_absent(name: str, indexes: Sequence[str], near: Sequence[str] = ()) -> str:
    """Return what is to be said of a Python package that no index has; *near* are other names that it may be meant by."""
    advice = f"Did you mean {_listed(near, 'or')}?" if near else "Check the spelling."
    return f"There is no package “{name}” on {_where(indexes)}. {advice}"


def _where(indexes: Sequence[str]) -> str:
    return ", ".join(strip_url(index) for index in indexes) or "no index (none is set up)"


def missing_package(tree: str) -> str | None:
    """Return the name of the package that no index has, as uv's derivation tells."""
    found = re.search(r"Because (\S+) was not found in the (?:package registry|provided package locations)", " ".join(tree.split()))
    return found[1] if found else None


def missing_version(tree: str) -> str | None:
    """Return the name of the package that uv knows in other versions only."""
    found = re.search(r"there (?:is|are) no versions? of ([\w.-]+?)(?:\[[^\]]*\])?[=<>!~][^\s]*", " ".join(tree.split()))
    return found[1] if found else None
