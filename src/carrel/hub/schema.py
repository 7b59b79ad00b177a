"""All tables of the hub: importing this module fills :data:`carrel.database.schema.metadata`."""

from __future__ import annotations

import carrel.hub.accounts.models
import carrel.hub.anaconda.models
import carrel.hub.audit.models
import carrel.hub.channels.models
import carrel.hub.collections.models
import carrel.hub.groups.models
import carrel.hub.jobs.models
import carrel.hub.labels.models
import carrel.hub.namespaces.models
import carrel.hub.packages.models
import carrel.hub.publishers.models
import carrel.hub.search.models
import carrel.hub.search.schema
import carrel.hub.tokens.models  # noqa: F401
from carrel.database.schema import metadata

__all__ = ["metadata"]
