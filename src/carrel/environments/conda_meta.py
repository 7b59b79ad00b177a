"""Reading what conda wrote down about a prefix (``conda-meta``), without running anything."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from carrel.core.errors import Unprocessable
from carrel.environments.credentials import strip_url
from carrel.environments.naming import leads_inside, top_level_modules

_DIST_INFO = re.compile(r"(?:^|/)(?:site|dist)-packages/([^/]+\.(?:dist|egg)-info)(?:/|$)")


@dataclass(frozen=True, slots=True)
class CondaRecord:
    """What is known of one installed conda package; ``files_digest`` tells relinked ones apart (another Python, the same archive)."""

    path: Path
    name: str
    version: str
    build: str
    channel: str
    url: str
    sha256: str
    md5: str
    size: int
    subdir: str
    depends: tuple[str, ...]
    requested: tuple[str, ...]
    distributions: tuple[str, ...]
    import_names: tuple[str, ...]
    extracted: str
    noarch: str
    files_digest: str

    @property
    def key(self) -> str:
        """``name-version-build``."""
        return f"{self.name}-{self.version}-{self.build}"


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """A record that cannot be read: what its file name says, and why."""

    path: Path
    name: str
    version: str
    build: str
    reason: str


def is_conda_prefix(prefix: Path) -> bool:
    """Whether conda (or a program like it) made *prefix*."""
    return (prefix / "conda-meta").is_dir()


def read_records(prefix: Path) -> list[CondaRecord]:
    """Return all installed packages, by name: for changing and capturing, where an environment must not be judged by halves.

    Raises
    ------
    Unprocessable
        A record is damaged, or a package has two (code ``damaged_environment``).
    """
    records, damaged = scan_records(prefix)
    twice = sorted({one.name for one, other in pairwise(records) if one.name == other.name})
    if damaged or twice:
        what = (
            f"{damaged[0].path.name} in {damaged[0].path.parent} cannot be read ({damaged[0].reason})"
            if damaged
            else f"{twice[0]} is installed twice in {prefix}"
        )
        raise Unprocessable(
            f"{what}, so nobody can tell exactly what this environment holds. 'carrel env doctor --prefix {prefix}' says what to do.",
            code="damaged_environment",
            errors=[{"field": one.path.name, "message": one.reason} for one in damaged]
            + [{"field": name, "message": "two records"} for name in twice],
        )
    return records


def scan_records(prefix: Path) -> tuple[list[CondaRecord], list[DamagedRecord]]:
    """Return all installed packages, by name, and the records that cannot be read: for looking."""
    records, damaged = [], []
    for path in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            records.append(read_record(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            damaged.append(_damaged(path, error))
    return sorted(records, key=lambda record: record.name), damaged


def _damaged(path: Path, error: Exception) -> DamagedRecord:
    match error:
        case OSError():
            reason = error.strerror or "it cannot be opened"
        case KeyError():
            reason = f"it does not say the {error.args[0]}"
        case ValueError():
            reason = "it is empty" if path.stat().st_size == 0 else "it is not JSON"
        case _:
            reason = "it is not a record"
    name, version, build = ([*path.stem.rsplit("-", 2), "", ""])[:3] if path.stem.count("-") >= 2 else (path.stem, "", "")
    return DamagedRecord(path, name, version, build, reason)


def read_record(path: Path) -> CondaRecord:
    """Return one installed package; read again only when its record has changed."""
    status = path.stat()
    return _read(path, status.st_mtime_ns, status.st_size)


def files_of(record_path: Path) -> tuple[str, ...]:
    """Return the files that a record owns, relative to the prefix; what would lie elsewhere is nobody's."""
    return tuple(file for file in json.loads(record_path.read_bytes()).get("files") or () if leads_inside(file))


@lru_cache(maxsize=4096)
def _read(path: Path, _mtime_ns: int, _size: int) -> CondaRecord:
    data: dict[str, Any] = json.loads(path.read_bytes())
    files: list[str] = data.get("files") or []
    if not isinstance(data["name"], str) or not data["name"] or not isinstance(files, list):
        raise TypeError("not a record")
    # one search over one string is several times faster than one per file
    joined = "\n".join(files)
    distributions = sorted(set(_DIST_INFO.findall(joined.replace("\n", "\n/")))) if "-info" in joined else []
    url = strip_url(data.get("url") or "")
    return CondaRecord(
        path=path,
        name=data["name"],
        version=str(data["version"]),
        build=data.get("build") or data.get("build_string") or "",
        channel=_channel(data, url),
        url=url,
        sha256=data.get("sha256") or "",
        md5=data.get("md5") or "",
        size=int(data.get("size") or 0),
        subdir=data.get("subdir") or "",
        depends=tuple(data.get("depends") or ()),
        requested=_requested(data),
        distributions=tuple(distributions),
        import_names=top_level_modules(_below_site_packages(files)) if data["name"] != "python" else (),
        extracted=data.get("extracted_package_dir") or (data.get("link") or {}).get("source") or "",
        noarch=data.get("noarch") or "",
        files_digest=hashlib.sha256(joined.encode()).hexdigest()[:8],
    )


def _channel(data: dict[str, Any], url: str) -> str:
    """Return the channel's address, or its name when only that is known."""
    if "://" in url:
        parts = url.rsplit("/", 2)
        if len(parts) == 3 and parts[1] == (data.get("subdir") or parts[1]):
            return parts[0]
    return strip_url(data.get("channel") or "").rstrip("/")


def _requested(data: dict[str, Any]) -> tuple[str, ...]:
    specs = list(data.get("requested_specs") or ())
    single = data.get("requested_spec")
    # conda writes the word None
    if single and single != "None" and single not in specs:
        specs.append(single)
    return tuple(specs)


def _below_site_packages(files: Iterable[str]) -> Iterable[str]:
    for file in files:
        _, found, rest = file.partition("site-packages/")
        if found:
            yield rest


def requested_specs(prefix: Path, records: Iterable[CondaRecord] | None = None) -> dict[str, tuple[str, ...]]:
    """Return what people asked for, by package name: from the records (*records*, if they are read already), else from conda's history."""
    records = list(read_records(prefix) if records is None else records)
    found = {record.name: record.requested for record in records if record.requested}
    installed = {record.name for record in records}
    for name, spec in _history_specs(prefix).items():
        if name in installed:
            found.setdefault(name, (spec,))
    return found


def _history_specs(prefix: Path) -> dict[str, str]:
    """Return the specs of ``conda-meta/history``, the later ones winning, removed ones gone."""
    specs: dict[str, str] = {}
    try:
        lines = (prefix / "conda-meta" / "history").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return specs
    for line in lines:
        match = re.match(r"# (update|remove|neutered) specs: (\[.*\])\s*$", line)
        if not match:
            continue
        for spec in re.findall(r"['\"]([^'\"]+)['\"]", match[2]):
            name = re.split(r"[\s=<>!~\[]", spec.rpartition("::")[2], maxsplit=1)[0].lower()
            if match[1] == "remove":
                specs.pop(name, None)
            else:
                specs[name] = spec
    return specs


def pins(prefix: Path) -> list[str]:
    """Return the pins of ``conda-meta/pinned``."""
    try:
        text = (prefix / "conda-meta" / "pinned").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
