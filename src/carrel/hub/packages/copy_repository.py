"""SQL of copies between namespaces: however many files there are, the number of statements is the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, insert, literal, null, select, update

from carrel.core.kinds import Kind
from carrel.database.statements import insert_new
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.labels.models import file_label, label
from carrel.hub.packages.models import companion, file, property_, release, retired_file

_target = file.alias("target")
# Their names are taken in a whole namespace; those of other kinds in one version of one package.
_NAMESPACE_WIDE = (Kind.CONDA.value, Kind.PYPI.value, Kind.R.value)


def _key(name_key: str) -> ColumnElement[str]:
    """Return the unique key of ``file`` in a package with another *name_key* (:func:`carrel.hub.files.service.unique_key`)."""
    own = file.c.kind + literal(f"/{name_key}/") + release.c.version + literal("/") + file.c.filename
    return case((file.c.kind.in_(_NAMESPACE_WIDE), file.c.unique_key), else_=own)


class Copying:
    """One copy: from selected files to a package of another namespace.

    Parameters
    ----------
    uow : UnitOfWork
    files : Select
        Ids of the files, over ``file``, ``release`` and ``package``.
    namespace_id : int
        Where to.
    name_key : str
        Of the package there.
    """

    def __init__(self, uow: UnitOfWork, files: Select[tuple[int]], namespace_id: int, name_key: str) -> None:
        self._connection = uow.connection
        self._dialect = uow.connection.dialect.name
        self._files = files
        self._namespace_id = namespace_id
        self._key = _key(name_key)
        self._same = and_(_target.c.namespace_id == namespace_id, _target.c.unique_key == self._key)

    def plan(self) -> list[Row[Any]]:
        """Return the files and what holds their names: ``target_id``, ``target_package_id``, ``target_sha256``, ``retired_sha256``."""
        taken = and_(retired_file.c.namespace_id == self._namespace_id, retired_file.c.unique_key == self._key)
        query = (
            self._files.with_only_columns(
                file.c.id,
                release.c.version,
                file.c.filename,
                file.c.subdir,
                file.c.kind,
                file.c.sha256,
                _target.c.id.label("target_id"),
                _target.c.package_id.label("target_package_id"),
                _target.c.sha256.label("target_sha256"),
                retired_file.c.sha256.label("retired_sha256"),
            )
            .join(_target, self._same, isouter=True)
            .join(retired_file, taken, isouter=True)
            .order_by(release.c.version, file.c.subdir, file.c.filename)
        )
        return list(self._connection.execute(query))

    def labels(self) -> set[str]:
        """Return the names of the labels that the files have."""
        query = (
            select(label.c.name)
            .join(file_label, file_label.c.label_id == label.c.id)
            .where(file_label.c.file_id.in_(self._files))
            .distinct()
        )
        return set(self._connection.execute(query).scalars())

    def add_releases(self, package_id: int, user_id: int | None, moment: datetime) -> None:
        """Add the releases that the package does not have, with their texts."""
        texts = ("version", "message", "summary", "description", "license", "home_page")
        rows = select(
            literal(package_id),
            *(release.c[name] for name in texts),
            literal("published"),
            literal(moment, release.c.created_at.type),
            literal(user_id) if user_id is not None else null(),
            literal(moment, release.c.created_at.type),
        ).where(release.c.id.in_(self._files.with_only_columns(file.c.release_id).correlate(None)))
        columns = ["package_id", *texts, "state", "created_at", "created_by", "published_at"]
        self._connection.execute(insert_new(self._dialect, release, "package_id", "version").from_select(columns, rows))

    def add_files(self, package_id: int, user_id: int | None, moment: datetime) -> None:
        """Add those files whose names are free, with what belongs to them; *moment* is theirs alone."""
        their = release.alias("their")
        copied = ("kind", "filename", "subdir", "sha256", "attributes", "import_names", "search_text", "yanked_at", "yanked_reason")
        others_took = (
            select(retired_file.c.sha256)
            .where(
                retired_file.c.namespace_id == self._namespace_id,
                retired_file.c.unique_key == self._key,
                retired_file.c.sha256 != file.c.sha256,
            )
            .correlate(file, release)
        )
        rows = (
            self._files.with_only_columns(
                their.c.id,
                literal(package_id),
                literal(self._namespace_id),
                self._key,
                literal(moment, file.c.uploaded_at.type),
                literal(user_id) if user_id is not None else null(),
                *(file.c[name] for name in copied),
            )
            .join(their, and_(their.c.package_id == package_id, their.c.version == release.c.version))
            .where(~others_took.exists())
        )
        columns = ["release_id", "package_id", "namespace_id", "unique_key", "uploaded_at", "uploaded_by", *copied]
        self._connection.execute(insert_new(self._dialect, file, "namespace_id", "unique_key").from_select(columns, rows))
        added = and_(self._same, _target.c.package_id == package_id, _target.c.uploaded_at == moment)
        for table, names in ((companion, ("suffix", "sha256")), (property_, ("name", "value"))):
            beside = (
                self._files.with_only_columns(_target.c.id, *(table.c[name] for name in names))
                .join(_target, added)
                .join(table, table.c.file_id == file.c.id)
            )
            self._connection.execute(insert(table).from_select(["file_id", *names], beside))

    def take_over(self, package_id: int) -> None:
        """Make files that are there with the same bytes yanked, or not, as those that are copied."""
        of_same = self._files.with_only_columns(_target.c.id, file.c.yanked_at, file.c.yanked_reason).join(
            _target, and_(self._same, _target.c.sha256 == file.c.sha256, _target.c.package_id == package_id)
        )
        given = of_same.subquery()
        statement = update(file).where(file.c.id.in_(select(given.c.id)))
        for name in ("yanked_at", "yanked_reason"):
            value = select(given.c[name]).where(given.c.id == file.c.id).scalar_subquery()
            self._connection.execute(statement.values({name: value}))

    def add_label(self, package_id: int, label_id: int, moment: datetime | None) -> None:
        """Put a label on the copies; with *moment* only on those added then."""
        rows = self._files.with_only_columns(_target.c.id, literal(label_id)).join(_target, self._copies(package_id, moment))
        self._label(rows)

    def add_same_labels(self, package_id: int, moment: datetime | None) -> None:
        """Put labels of the same names on the copies, which have to exist; with *moment* only on those added then."""
        theirs = label.alias("theirs")
        rows = (
            self._files.with_only_columns(_target.c.id, theirs.c.id)
            .join(_target, self._copies(package_id, moment))
            .join(file_label, file_label.c.file_id == file.c.id)
            .join(label, label.c.id == file_label.c.label_id)
            .join(theirs, and_(theirs.c.namespace_id == self._namespace_id, theirs.c.name == label.c.name))
        )
        self._label(rows)

    def _label(self, rows: Select[Any]) -> None:
        statement = insert_new(self._dialect, file_label, "file_id", "label_id")
        self._connection.execute(statement.from_select(["file_id", "label_id"], rows))

    def _copies(self, package_id: int, moment: datetime | None) -> ColumnElement[bool]:
        copies = and_(self._same, _target.c.sha256 == file.c.sha256, _target.c.package_id == package_id)
        return copies if moment is None else and_(copies, _target.c.uploaded_at == moment)


def of_package(files: Select[tuple[int]], package_id: int) -> Select[tuple[int]]:
    """Return *files* of one package only."""
    return files.where(file.c.package_id == package_id)
