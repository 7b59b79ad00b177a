"""Channel views of collections, for one viewer."""

from __future__ import annotations

from pathlib import Path

from carrel.core.errors import NotFound
from carrel.database.engine import Database
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.accounts.principal import Principal
from carrel.hub.channels.collections import repository
from carrel.hub.channels.collections.conda import WholeIndexes
from carrel.hub.channels.collections.repository import ListedShard
from carrel.hub.channels.cran.indexes import Form, Index, build
from carrel.hub.channels.cran.repository import collection_entries
from carrel.hub.collections.service import find_collection
from carrel.hub.packages.visibility import listed_packages


class CollectionChannels:
    """What installers read of collections: packages of several namespaces, those that the caller sees listed.

    Parameters
    ----------
    database : Database
    folder : Path
        Where whole conda indexes are kept.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self.wholes = WholeIndexes(database, folder)

    def shards(self, uow: UnitOfWork, principal: Principal, namespace: str, collection: str, subdir: str) -> list[ListedShard]:
        """Return the conda shards of a subdir.

        Raises
        ------
        NotFound
            There is no such collection, or nothing for this subdir; ``noarch`` is always there.
        """
        row = find_collection(uow, principal, namespace, collection)
        found = repository.shards(uow, principal, row.id, subdir)
        if not found and subdir != "noarch":
            raise NotFound(f"This collection has nothing for {subdir}.")
        return found

    def shard(self, uow: UnitOfWork, principal: Principal, namespace: str, collection: str, sha256: str) -> bytes:
        """Return one shard.

        Raises
        ------
        NotFound
        """
        row = find_collection(uow, principal, namespace, collection)
        data = repository.shard_of(uow, principal, row.id, sha256)
        if data is None:
            raise NotFound("There is no such shard. Fetch the index again.")
        return data

    def projects(self, uow: UnitOfWork, principal: Principal, namespace: str, collection: str) -> list[str]:
        """Return the normalised names of the Python projects."""
        return repository.projects(uow, principal, find_collection(uow, principal, namespace, collection).id)

    def r_index(self, uow: UnitOfWork, principal: Principal, namespace: str, collection: str, subdir: str, form: Form) -> Index:
        """Return an index of the R packages for a platform, empty: the sources."""
        row = find_collection(uow, principal, namespace, collection)
        labels = principal.limits.labels
        if labels is not None and repository.LABEL not in labels:
            return build((), form)
        seen = listed_packages(principal)
        return build(collection_entries(uow.connection, row.id, repository.LABEL, subdir, seen), form)

    def holder_of_project(self, uow: UnitOfWork, principal: Principal, namespace: str, collection: str, project: str) -> str:
        """Return the namespace that a Python project (normalised name) of the collection belongs to.

        Raises
        ------
        NotFound
        """
        row = find_collection(uow, principal, namespace, collection)
        holder = repository.holder_of_project(uow, principal, row.id, project)
        if holder is None:
            raise NotFound(f"There is no project {project[:80]!r} here.")
        return holder

    def holder_of_file(self, uow: UnitOfWork, principal: Principal, namespace: str, collection: str, unique_key: str) -> str:
        """Return the namespace that a file of the collection belongs to.

        Raises
        ------
        NotFound
        """
        row = find_collection(uow, principal, namespace, collection)
        holder = repository.holder_of_file(uow, principal, row.id, unique_key)
        if holder is None:
            raise NotFound(f"There is no file {unique_key.rpartition('/')[2][:255]!r} here.")
        return holder
