"""JSON schemas of what conda channels serve.

The schemas that conda publishes are older than the enhancement proposals (they ask for fields that no channel has and know
no current platform), so these say what the accepted proposals say: CEP 26, 34, 36, 42, 44, 47, 48 and 50 for repodata, CEP 12
for run exports, CEP 38 for channeldata.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

_TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}}
_HEX32 = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_HEX64 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_MILLISECONDS = {"type": "integer", "minimum": 0}
_SUBDIR = {"type": "string", "pattern": "^(noarch|[a-z0-9]+-[a-z0-9]+)$", "maxLength": 32}
_RUN_EXPORTS = {
    "type": "object",
    "properties": dict.fromkeys(("weak", "strong", "weak_constrains", "strong_constrains", "noarch"), _TEXTS),
    "additionalProperties": False,
}
_RECORD = {
    "type": "object",
    "required": ["name", "version", "build", "build_number", "depends", "subdir", "md5", "sha256", "size", "indexed_timestamp"],
    "properties": {
        "name": {"type": "string", "pattern": "^(([a-z0-9])|([a-z0-9_](?!_)))[._-]?([a-z0-9]+(\\.|-|_|$))*$", "maxLength": 64},
        "version": {"type": "string", "maxLength": 64},
        "build": {"type": "string", "pattern": "^[a-zA-Z0-9_.+]+$", "maxLength": 64},
        "build_number": {"type": "integer", "minimum": 0},
        "depends": _TEXTS,
        "constrains": _TEXTS,
        "extra_depends": {"type": "object", "additionalProperties": _TEXTS},
        "subdir": _SUBDIR,
        "noarch": {"enum": ["generic", "python", True, False]},
        "timestamp": _MILLISECONDS,
        "indexed_timestamp": _MILLISECONDS,
        "license": {"type": "string"},
        "license_family": {"type": "string"},
        "track_features": {"type": ["string", "array"]},
        "features": {"type": "string"},
        "python_site_packages_path": {"type": "string"},
        "run_exports": _RUN_EXPORTS,
        "revoked": {"const": True},
        "md5": _HEX32,
        "sha256": _HEX64,
        "size": {"type": "integer", "minimum": 0},
        "legacy_bz2_md5": _HEX32,
        "legacy_bz2_size": {"type": "integer", "minimum": 0},
        "attestations_sha256": _HEX64,
        "fn": False,
        "url": False,
        "channel": False,
    },
}
_OLD_RECORD = {**_RECORD, "properties": {**_RECORD["properties"], "schema_version": {"type": "integer", "maximum": 2}}}
_BRACKETS = {"type": "string", "pattern": r"^[a-z0-9_][a-z0-9._-]*(\[[a-z_]+=.+\])?$"}
_NEW_RECORD = {
    **_RECORD,
    "properties": {
        **_RECORD["properties"],
        "schema_version": {"type": "integer", "minimum": 3},
        "depends": {"type": "array", "items": _BRACKETS},
        "constrains": {"type": "array", "items": _BRACKETS},
    },
}
_RELATION = {"type": "string", "pattern": r"^\.\./"}
_STEM = {"pattern": r"^(?!.*\.(conda|tar\.bz2)$).+$"}
_NEW_RECORDS = {"type": "object", "propertyNames": _STEM, "additionalProperties": _NEW_RECORD}
REPODATA = {
    "type": "object",
    "required": ["info", "packages", "packages.conda", "removed", "repodata_version"],
    "properties": {
        "info": {
            "type": "object",
            "required": ["subdir"],
            "properties": {
                "subdir": _SUBDIR,
                "channel_relations": {
                    "type": "object",
                    "properties": {"base": _RELATION, "overrides": _RELATION},
                    "minProperties": 1,
                    "additionalProperties": False,
                },
                "repodata_revisions": {
                    "type": "object",
                    "required": ["v3"],
                    "properties": {
                        "v3": {
                            "type": "object",
                            "required": ["n_packages", "newest", "oldest"],
                            "properties": {
                                "n_packages": {"type": "integer", "minimum": 1},
                                "newest": _MILLISECONDS,
                                "oldest": _MILLISECONDS,
                            },
                        }
                    },
                    "additionalProperties": False,
                },
            },
            "additionalProperties": False,
        },
        "packages": {"type": "object", "propertyNames": {"pattern": r"\.tar\.bz2$", "maxLength": 211}, "additionalProperties": _OLD_RECORD},
        "packages.conda": {
            "type": "object",
            "propertyNames": {"pattern": r"\.conda$", "maxLength": 211},
            "additionalProperties": _OLD_RECORD,
        },
        "removed": {"type": "array", "items": {"type": "string", "pattern": r"\.(conda|tar\.bz2)$"}, "uniqueItems": True},
        "repodata_version": {"const": 1},
        "v3": {
            "type": "object",
            "properties": {
                key: {"type": "object", "propertyNames": _STEM, "additionalProperties": _NEW_RECORD} for key in ("conda", "tar.bz2")
            },
            "additionalProperties": False,
        },
    },
    "dependentRequired": {"v3": ["info"]},
    "additionalProperties": False,
}
_EXPORTED = {"type": "object", "required": ["run_exports"], "properties": {"run_exports": _RUN_EXPORTS}, "additionalProperties": False}
RUN_EXPORTS = {
    "type": "object",
    "required": ["info", "packages", "packages.conda"],
    "properties": {
        "info": {
            "type": "object",
            "required": ["platform", "arch", "subdir", "version"],
            "properties": {"platform": {"type": "string"}, "arch": {"type": "string"}, "subdir": _SUBDIR, "version": {"const": 0}},
        },
        "packages": {"type": "object", "propertyNames": {"pattern": r"\.tar\.bz2$"}, "additionalProperties": _EXPORTED},
        "packages.conda": {"type": "object", "propertyNames": {"pattern": r"\.conda$"}, "additionalProperties": _EXPORTED},
    },
    "additionalProperties": False,
}
_FLAGS = ("activate.d", "binary_prefix", "deactivate.d", "post_link", "pre_link", "pre_unlink", "text_prefix")
CHANNELDATA = {
    "type": "object",
    "required": ["channeldata_version", "packages", "subdirs"],
    "properties": {
        "channeldata_version": {"const": 1},
        "subdirs": {"type": "array", "items": _SUBDIR, "contains": {"const": "noarch"}, "uniqueItems": True},
        "packages": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": [*_FLAGS, "run_exports", "subdirs", "timestamp", "version"],
                "properties": {
                    **{key: {"type": "boolean"} for key in _FLAGS},
                    **{key: {"type": "string"} for key in ("summary", "home", "license", "dev_url", "doc_url", "version")},
                    "run_exports": {"type": "object", "additionalProperties": _RUN_EXPORTS},
                    "subdirs": {"type": "array", "items": _SUBDIR, "minItems": 1, "uniqueItems": True},
                    "timestamp": {"type": "integer", "minimum": 0, "maximum": 253_402_300_799},
                },
            },
        },
    },
    "additionalProperties": False,
}


def _check(schema: dict[str, Any], document: Any) -> None:
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)


def check_repodata(document: Any) -> None:
    """Fail unless *document* is repodata whose counts and names agree."""
    _check(REPODATA, document)
    for section, extension in (("packages", ".tar.bz2"), ("packages.conda", ".conda")):
        for filename, record in document[section].items():
            assert filename == f"{record['name']}-{record['version']}-{record['build']}{extension}"
            assert record["subdir"] == document["info"]["subdir"]
            assert record.get("timestamp", 0) <= record["indexed_timestamp"]
    listed = {*document["packages"], *document["packages.conda"]}
    newer = [record for records in document.get("v3", {}).values() for record in records.values()]
    assert not listed & set(document["removed"])
    revision = document["info"].get("repodata_revisions", {}).get("v3", {})
    assert revision.get("n_packages", 0) == len(newer)


def check_run_exports(document: Any) -> None:
    """Fail unless *document* follows CEP 12."""
    _check(RUN_EXPORTS, document)


def check_channeldata(document: Any) -> None:
    """Fail unless *document* follows CEP 38."""
    _check(CHANNELDATA, document)
