"""What could be wished for instead, when a wish is impossible: only what was really solved is offered."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from carrel.core.errors import CarrelError, Unsolvable
from carrel.core.progress import CancelSignal, OnProgress, Progress
from carrel.environments import conflicts, near_names, policies, specs
from carrel.environments.conda import engine
from carrel.environments.conda import planning as conda_planning
from carrel.environments.credentials import strip_url
from carrel.environments.models import Change, Environment, PlannedPackage, Policy, Sources, Spec
from carrel.environments.naming import normalize
from carrel.environments.pypi import uv
from carrel.environments.wishes import PROTECTED, Wishes

_MOST = 4
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Way:
    """Another change that may be possible.

    Attributes
    ----------
    new_environment : bool
        Whether it needs a new one.
    meant : str
        Name of the package that may have been meant by one that there is not.
    """

    text: str
    change: Change
    new_environment: bool = False
    meant: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as the field ``ways_out`` holds it."""
        change = {
            "add": [specs.text(spec) for spec in self.change.add],
            "remove": list(self.change.remove),
            "update": list(self.change.update),
        }
        return {"text": self.text, "change": change, "new_environment": self.new_environment}


def explained(
    error: Unsolvable,
    environment: Environment,
    wishes: Wishes,
    change: Change,
    sources: Sources,
    policy: Policy,
    *,
    on_event: OnProgress,
    cancel: CancelSignal,
) -> Unsolvable:
    """Return *error* with what channels know of the names in it, and with the ways out that were found.

    At most four are tried, for at most ten seconds.
    """
    search = _Search(error, environment, wishes, change, sources, policy, on_event, cancel)
    found = search.found()
    detail = search.detail([way.meant for way in found if way.meant])
    fields = {key: value for key, value in error.fields.items() if key != "ways_out"}
    if missing := conflicts.missing_package(search.explanation):
        fields["missing"] = missing
    return Unsolvable(detail, code=error.code, **fields, ways_out=[way.to_json() for way in found])


class _Search:
    """One search."""

    def __init__(
        self,
        error: Unsolvable,
        environment: Environment,
        wishes: Wishes,
        change: Change,
        sources: Sources,
        policy: Policy,
        on_event: OnProgress,
        cancel: CancelSignal,
    ) -> None:
        self.error, self.environment, self.wishes, self.change = error, environment, wishes, change
        self.sources, self.policy, self.on_event, self.cancel = sources, policy, on_event, cancel
        self.end = time.monotonic() + _SECONDS
        self.explanation = str(error.fields.get("explanation") or "")

    def detail(self, meant: Sequence[str] = ()) -> str:
        """Return the sentence: which requirement meets which; versions that there are and names that are near where one is missing.

        Parameters
        ----------
        meant : sequence of str
            Names of Python packages that were found instead of the one that is missing.
        """
        if meant and (absent := conflicts.missing_package(self.explanation)):
            return conflicts.sentence_for_absent(absent, self.sources.indexes, meant)
        if not self.wishes.needs_conda:
            return self._detail_of_python()
        missing = conflicts.missing_spec(self.explanation)
        if missing is None or not self.sources.channels:
            return self._conda_sentence() if self.explanation else self.error.detail
        spec = specs.parse(missing)
        try:
            known = engine.ask([spec.name], self.environment.platform, sources=self.sources, on_event=self.on_event, cancel=self.cancel)[
                spec.name
            ]
        except CarrelError:
            return self.error.detail
        return conflicts.sentence_for_missing(spec, known, policies.until(self.policy)) or self.error.detail

    def _conda_sentence(self) -> str:
        asked = conflicts.Asked(
            add=[specs.conda_text(spec) for spec in self.wishes.conda_add],
            pins=conda_planning.request(self.environment, self.wishes, self.policy)["pins"],
            installed={name: record.version for name, record in self.wishes.records.items()},
        )
        return conflicts.conda_sentence(self.explanation, asked)

    def _detail_of_python(self) -> str:
        if " needs Python" in self.error.detail and "this environment" not in self.error.detail:
            return f"{self.error.detail} This environment has Python {self.environment.python_version}."
        name = conflicts.missing_version(self.explanation)
        if name is None or not self.environment.python_version:
            return self.error.detail
        try:
            packages = uv.lock_requirements(
                [name],
                python_version=self.environment.python_version,
                platform=self.environment.platform,
                exclude_newer=policies.until(self.policy),
                sources=self.sources,
                cancel=self.cancel,
            )
        except CarrelError:
            return self.error.detail
        version = next((package["version"] for package in packages if normalize(package["name"]) == normalize(name)), None)
        return f"{self.error.detail} The newest version that fits here is {version}." if version else self.error.detail

    def found(self) -> list[Way]:
        """Return the ways that are open."""
        self.on_event(Progress("solve", message="Looking for ways out"))
        possible = list(self._candidates())[:_MOST]
        by_conda = [way for way in possible if self._is_for_conda(way)]
        answers = dict(zip(map(id, by_conda), self._solve_conda(by_conda), strict=True)) if by_conda else {}
        found = []
        for way in possible:
            if id(way) in answers:
                answer = answers[id(way)]
                if answer is not None:
                    lines = conda_planning.CondaHalf(answer)
                    found.append(replace(way, text=way.text + _told((*lines.added, *lines.changed), way.change)))
            elif time.monotonic() < self.end and (made := self._solve_mixed(way)) is not None:
                told = _told(made, way.change) or (": it is there already" if way.meant and not made else "")
                found.append(replace(way, text=way.text + told))
        return found

    def _is_for_conda(self, way: Way) -> bool:
        names = {name.lower() for name in (*way.change.update, *way.change.remove)}
        return self.wishes.needs_conda and all(spec.source == "conda" for spec in way.change.add) and names <= set(self.wishes.records)

    def _candidates(self) -> Iterator[Way]:
        yield from self._by_names_like_it()
        yield from self._without_bounds()
        yield from self._with_updates()
        yield from self._from_elsewhere()
        yield from self._by_the_other_installer()
        if self.environment.kind == "conda" and self.wishes.conda_add and not self.change.remove and not self.change.update:
            yield Way("make a new environment for it", Change(add=self.change.add), new_environment=True)

    def _by_names_like_it(self) -> Iterator[Way]:
        """Yield packages that may be meant by one that no index has."""
        name = normalize(conflicts.missing_package(self.explanation) or "")
        spec = next((one for one in self.change.add if one.source == "pypi" and normalize(one.name) == name and not one.url), None)
        if spec is None:
            return
        installed = {*self.wishes.distributions, *map(normalize, self.wishes.records)}
        names = near_names.of_python(name, installed, self.sources, self.cancel)
        for other in names or self._names_of_channels(name):
            add = tuple(replace(spec, name=other) if one is spec else one for one in self.change.add)
            yield Way(f"take {other} instead of {spec.name}", replace(self.change, add=add), meant=other)

    def _names_of_channels(self, name: str) -> list[str]:
        if not self.sources.channels:
            return []
        try:
            known = engine.ask([name], self.environment.platform, sources=self.sources, on_event=self.on_event, cancel=self.cancel)
        except CarrelError as error:
            if error.code == "cancelled":
                raise
            return []
        return [normalize(other) for other in known[name]["near"]]

    def _without_bounds(self) -> Iterator[Way]:
        bounded = [spec for spec in self.change.add if (spec.version or spec.build) and not spec.url]
        if len(bounded) < 3:
            for spec in bounded:
                yield Way(f"take {spec.name} in another version than {_bound(spec)}", self._with(replace(spec, version=None, build=None)))
        else:
            free = tuple(replace(spec, version=None, build=None) if spec in bounded else spec for spec in self.change.add)
            names = ", ".join(spec.name for spec in bounded)
            yield Way(f"take {names} in whatever versions fit together", replace(self.change, add=free))

    def _with_updates(self) -> Iterator[Way]:
        """Yield the update of what is installed and stands in the way."""
        mentioned = {normalize(word) for word in re.findall(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", self.explanation)}
        asked = {normalize(spec.name) for spec in self.change.add} | {
            normalize(name) for name in (*self.change.remove, *self.change.update)
        }
        if self.wishes.needs_conda:
            blocking = [name for name in self.wishes.records if normalize(name) in mentioned]
        else:
            blocking = [name for name in self.wishes.distributions if name in mentioned]
            blocking += [owner for name in sorted(mentioned) if (owner := self.wishes.owner_of(name)) is not None]
        blocking = [name for name in dict.fromkeys(blocking) if normalize(name) not in asked and name not in PROTECTED]
        if blocking:
            update = replace(self.change, update=(*self.change.update, *blocking[:5]))
            yield Way(f"update {', '.join(blocking[:5])} with it", update)

    def _from_elsewhere(self) -> Iterator[Way]:
        """Yield the same from whatever channel or index has it."""
        for spec in self.change.add:
            if spec.channel or spec.index:
                yield Way(f"take {spec.name} from another source", self._with(replace(spec, channel=None, index=None)))
        if found := conflicts.excluded_channel(self.explanation):
            name, channel = found
            for spec in self.change.add:
                if spec.name.lower() == name and spec.source == "conda" and spec.channel is None:
                    yield Way(f"take {name} from {strip_url(channel)}", self._with(replace(spec, channel=channel)))

    def _by_the_other_installer(self) -> Iterator[Way]:
        if self.environment.kind != "conda" or self.environment.python_executable is None:
            return
        for spec in self.change.add[:1]:
            if spec.url or spec.extras or spec.marker or spec.build or spec.name == "python":
                continue
            if spec.source == "conda" and self.sources.indexes:
                other = replace(spec, source="pypi", channel=None, conditions=())
                yield Way(f"take {spec.name} from the Python package index instead of conda", self._with(other))
            elif spec.source == "pypi" and self.sources.channels:
                other = replace(spec, source="conda", index=None)
                yield Way(f"take {spec.name} from conda instead of the Python package index", self._with(other))

    def _with(self, spec: Spec) -> Change:
        name = normalize(spec.name)
        return replace(self.change, add=tuple(spec if normalize(one.name) == name else one for one in self.change.add))

    def _solve_conda(self, ways: list[Way]) -> list[dict[str, Any] | None]:
        common = conda_planning.request(self.environment, self.wishes, self.policy)
        requests: list[dict[str, Any]] = []
        for way in ways:
            add = [specs.conda_text(spec) for spec in way.change.add]
            if way.new_environment:
                requests.append({"prefix": None, "add": add, "remove": [], "update": []})
            else:
                requests.append({"add": add, "remove": list(way.change.remove), "update": list(way.change.update)})
        try:
            return engine.solve_each(
                self.environment.prefix,
                requests,
                sources=self.sources,
                on_event=self.on_event,
                cancel=self.cancel,
                **{**common, "seconds": max(0.1, self.end - time.monotonic())},
            )
        except CarrelError:
            return [None] * len(ways)

    def _solve_mixed(self, way: Way) -> tuple[PlannedPackage, ...] | None:
        """Return what comes by a way that uv takes part in, None when it is closed."""
        from carrel.environments.planning import plan  # a plan looks for ways out, and a way out is a plan

        try:
            made = plan(
                self.environment.prefix,
                way.change,
                self.sources,
                policy=self.policy,
                find_ways_out=False,
                on_event=self.on_event,
                cancel=self.cancel,
            )
        except CarrelError as error:
            if error.code == "cancelled":
                raise
            return None
        return (*made.added, *made.changed)


def _bound(spec: Spec) -> str:
    return " ".join(filter(None, (spec.version, spec.build)))


def _told(lines: Iterable[PlannedPackage], change: Change) -> str:
    """Return which versions of what was asked for come."""
    asked = {normalize(name) for name in (*(spec.name for spec in change.add), *change.update)}
    told = [f"{line.name} {line.to_version}" for line in lines if normalize(line.name) in asked]
    return f": {', '.join(told[:4])}" if told else ""
