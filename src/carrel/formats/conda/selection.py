"""``current_repodata.json``: the latest version of each name, and older ones without which those could not be solved.

The rules are conda-index's. Where it looks at the dependencies of the latest versions only, this goes on with those of
the records that it adds, so that what is listed can be solved as far as the whole index can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from carrel.formats.conda.hotfixes import NEW, OLD
from carrel.formats.conda.matching import parse_match, version_of

Records = Mapping[str, Mapping[str, Any]]


class CurrentSelection:
    """Chooses records, one name at a time.

    Memory holds what is chosen, never the whole index: records of a name that is needed again are looked up again.
    """

    def __init__(self) -> None:
        self._chosen: dict[str, dict[str, Mapping[str, Any]]] = {}

    def add(self, name: str, records: Records) -> None:
        """Choose the latest of the *records* of one name."""
        distinct = _without_twins(records)
        ordered = _best_first(distinct)
        if not ordered:
            return
        latest = version_of(distinct[ordered[0]]["version"])
        chosen = {key: distinct[key] for key in ordered if version_of(distinct[key]["version"]).starts_with(latest)}
        if any(_has_features(record) for record in chosen.values()):
            # Somebody who does not want the feature needs one without it.
            plain = next((key for key in ordered if not _has_features(distinct[key])), None)
            if plain is not None:
                chosen[plain] = distinct[plain]
        self._chosen[name] = chosen

    def complete(self, lookup: Callable[[str], Records]) -> None:
        """Add what the chosen records depend on and none of them satisfies.

        Parameters
        ----------
        lookup : callable
            Returns all records of a name.
        """
        seen: set[str] = set()
        pending = [record for records in self._chosen.values() for record in records.values()]
        while pending:
            added: list[Mapping[str, Any]] = []
            for record in pending:
                for spec in record.get("depends", ()):
                    if spec not in seen:
                        seen.add(spec)
                        added.extend(self._satisfy(spec, lookup))
            pending = added

    def _satisfy(self, spec: str, lookup: Callable[[str], Records]) -> list[Mapping[str, Any]]:
        match = parse_match(spec)
        chosen = self._chosen.get(match.name) if match is not None else None
        if match is None or chosen is None or any(match.accepts(record) for record in chosen.values()):
            return []
        records = _without_twins(lookup(match.name))
        best = next((key for key in _best_first(records) if match.accepts(records[key])), None)
        if best is None:
            return []
        version = version_of(records[best]["version"])
        found = {key: record for key, record in records.items() if version_of(record["version"]).starts_with(version)}
        fresh = {key: record for key, record in found.items() if key not in chosen}
        chosen.update(fresh)
        return list(fresh.values())

    def records(self) -> dict[str, dict[str, Mapping[str, Any]]]:
        """Return the chosen records by section (``packages``, ``packages.conda``) and file name, in the order of names."""
        sections: dict[str, dict[str, Mapping[str, Any]]] = {"packages": {}, "packages.conda": {}}
        for name in sorted(self._chosen):
            for filename, record in sorted(self._chosen[name].items()):
                sections["packages.conda" if filename.endswith(NEW) else "packages"][filename] = record
        return sections


def _without_twins(records: Records) -> dict[str, Mapping[str, Any]]:
    """Leave out each ``.tar.bz2`` that is there as ``.conda`` too; the latter says the digest of the former."""
    made = {}
    for filename, record in records.items():
        if filename.endswith(NEW):
            twin = records.get(filename.removesuffix(NEW) + OLD)
            made[filename] = {**record, "legacy_bz2_md5": twin["md5"]} if twin is not None else record
        elif filename.removesuffix(OLD) + NEW not in records:
            made[filename] = record
    return made


def _best_first(records: Records) -> list[str]:
    """Return file names in the order of a solver's preference: no features, then version, build number, build."""

    def preference(filename: str) -> tuple[Any, ...]:
        record = records[filename]
        return (-_tracked(record), version_of(record["version"]), record.get("build_number", 0), record.get("build", ""), filename)

    return sorted(records, key=preference, reverse=True)


def _tracked(record: Mapping[str, Any]) -> int:
    value = record.get("track_features") or ()
    return len(value.replace(",", " ").split() if isinstance(value, str) else value)


def _has_features(record: Mapping[str, Any]) -> bool:
    return bool(record.get("track_features") or record.get("features"))
