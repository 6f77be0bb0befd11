"""Backup: the whole database as one file, the same for SQLite and PostgreSQL, so that either can be brought back into
either. A zip with `manifest.json` (format, revision, moment, rows of each table) and one `TABLE.jsonl` for each table.

It is taken in one reading transaction: what it holds was all true at one instant, however much is written meanwhile.
"""

import base64
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from store import schema
from store.engine import Store

FORMAT = 1
LEFT_OUT = {"alembic_version", "leases"}
"""The schema makes the one itself; the other says who sends at this moment."""
ROWS = 500

Progress = Callable[[str, int], None]
"""Hears a table's name and how many of its rows are done."""


class BackupError(Exception):
    """The backup can't be brought back. `problem`: unreadable, format, newer, not_empty, damaged; `fact` says more."""

    def __init__(self, problem: str, fact: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.fact = fact


async def save(store: Store, path: Path, moment: datetime, progress: Progress | None = None) -> Mapping[str, int]:
    """Write the backup; the rows of each table. The file stands whole or not at all, for its owner's eyes alone."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as file:
            counts = await store.run_on_connection(
                lambda connection: _save(connection, file, moment, progress or (lambda _table, _rows: None))
            )
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return counts


async def load(store: Store, path: Path, progress: Progress | None = None) -> Mapping[str, int]:
    """Bring a backup back into an empty database and up to the newest revision; the rows of each table.

    What was waiting to be sent is marked `unknown`: nobody can know whether it left after the backup. Raises BackupError;
    then nothing was changed but the schema set up.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            if manifest["format"] != FORMAT:
                raise BackupError("format", str(manifest["format"]))
            revision = str(manifest["revision"])
            if revision > schema.head():
                raise BackupError("newer", revision)
            await _empty_at(store, revision)
            counts = await store.run_on_connection(
                lambda connection: _load(connection, archive, manifest, progress or (lambda _table, _rows: None))
            )
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError) as error:
        raise BackupError("unreadable", type(error).__name__) from error
    await schema.migrate(store)
    return counts


async def _empty_at(store: Store, revision: str) -> None:
    """The database at the backup's revision, nothing in it. Raises BackupError("not_empty")."""
    at = await schema.revision(store)
    if at is not None:
        filled = await store.run_on_connection(_filled)
        if filled:
            raise BackupError("not_empty", filled)
    if at != revision:
        await schema.migrate(store, revision)


def _filled(connection: sa.Connection) -> str | None:
    """A table that has rows, if any has."""
    for table in _tables(connection):
        if (
            table.name not in LEFT_OUT
            and connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first()
        ):
            return table.name
    return None


class _JsonText(sa.types.TypeDecorator[str]):
    """A JSON column's own text, on PostgreSQL: read and written as it stands, with NULL and null kept apart."""

    impl = sa.Text
    cache_ok = True

    def column_expression(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.cast(column, sa.Text)

    def bind_expression(self, bindparam: sa.BindParameter[Any]) -> sa.ColumnElement[Any]:
        return sa.cast(sa.cast(bindparam, sa.Text), sa.JSON)


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """The tables as they stand, parents first: an old revision's are not those of today's models."""
    metadata = sa.MetaData()
    text = _JsonText if connection.dialect.name == "postgresql" else sa.Text

    @sa.event.listens_for(metadata, "column_reflect")
    def _(_inspector: object, _table: object, column: dict[str, Any]) -> None:
        if isinstance(column["type"], sa.JSON):
            column["type"] = text()

    metadata.reflect(connection, only=lambda name, _: not name.startswith(schema.SEARCH))
    return metadata.sorted_tables


def _save(connection: sa.Connection, file: Any, moment: datetime, progress: Progress) -> dict[str, int]:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    else:
        connection.exec_driver_sql("BEGIN")
    counts: dict[str, int] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for table in _tables(connection):
            if table.name in LEFT_OUT:
                continue
            with archive.open(f"{table.name}.jsonl", "w", force_zip64=True) as lines:
                count = 0
                for row in _rows(connection, table):
                    said = [_plain(value) for value in row]
                    lines.write(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
                    count += 1
                    if count % ROWS == 0:
                        progress(table.name, count)
            counts[table.name] = count
            progress(table.name, count)
        manifest = {
            "format": FORMAT,
            "revision": connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one(),
            "at": moment.isoformat(),
            "tables": {
                table.name: {"rows": counts[table.name], "columns": [column.name for column in table.columns]}
                for table in _tables(connection)
                if table.name in counts
            },
        }
        archive.writestr("manifest.json", json.dumps(manifest, indent=1))
    return counts


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[sa.Row[Any]]:
    yield from connection.execute(sa.select(table).execution_options(yield_per=ROWS))


def _plain(value: Any) -> Any:
    """A value as JSON has it; the column's type brings it back."""
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, date):
        return value.isoformat()
    return value


def _load(
    connection: sa.Connection, archive: zipfile.ZipFile, manifest: Mapping[str, Any], progress: Progress
) -> dict[str, int]:
    tables = [table for table in _tables(connection) if table.name in manifest["tables"]]
    missing = set(manifest["tables"]) - {table.name for table in tables}
    if missing:
        raise BackupError("damaged", min(missing))
    counts: dict[str, int] = {}
    postgres = connection.dialect.name == "postgresql"
    if postgres:
        _defer(connection, "DEFERRABLE INITIALLY DEFERRED")
    for table in tables:
        told = manifest["tables"][table.name]
        counts[table.name] = _fill(connection, table, told["columns"], archive, progress)
        if counts[table.name] != told["rows"]:
            raise BackupError("damaged", table.name)
    if postgres:
        connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
        _defer(connection, "NOT DEFERRABLE")
        for table in tables:
            _wind_on(connection, table)
    elif connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
        raise BackupError("damaged", "foreign keys")
    if "outbox" in counts:
        connection.execute(
            sa.text(
                "UPDATE outbox SET state = 'unknown', error = 'restored', done_at = created_at "
                "WHERE state IN ('queued', 'sending')"
            )
        )
    return counts


def _fill(
    connection: sa.Connection, table: sa.Table, columns: list[str], archive: zipfile.ZipFile, progress: Progress
) -> int:
    back = [_back(table.c[name].type) for name in columns]
    count = 0
    with archive.open(f"{table.name}.jsonl") as lines:
        batch: list[dict[str, Any]] = []
        for line in lines:
            values = json.loads(line)
            batch.append(
                {
                    name: value if value is None or turn is None else turn(value)
                    for name, turn, value in zip(columns, back, values, strict=True)
                }
            )
            if len(batch) == ROWS:
                connection.execute(sa.insert(table), batch)
                count += len(batch)
                batch = []
                progress(table.name, count)
        if batch:
            connection.execute(sa.insert(table), batch)
            count += len(batch)
    progress(table.name, count)
    return count


def _back(column: sa.types.TypeEngine[Any]) -> Callable[[Any], Any] | None:
    if isinstance(column, sa.LargeBinary):
        return base64.b64decode
    if isinstance(column, sa.Boolean):
        return bool
    if isinstance(column, sa.Date):
        return date.fromisoformat
    return None


def _defer(connection: sa.Connection, how: str) -> None:
    """Have PostgreSQL check foreign keys at the end, for a customer may refer to one that comes later."""
    named = connection.execute(
        sa.text(
            "SELECT CAST(CAST(conrelid AS regclass) AS text), conname FROM pg_constraint "
            "WHERE contype = 'f' AND connamespace = CAST(current_schema() AS regnamespace)"
        )
    ).all()
    for table, name in named:
        connection.execute(sa.text(f'ALTER TABLE {table} ALTER CONSTRAINT "{name}" {how}'))


def _wind_on(connection: sa.Connection, table: sa.Table) -> None:
    """Let PostgreSQL number new rows after those that came back."""
    if "id" not in table.c:
        return
    sequence = connection.execute(sa.select(sa.func.pg_get_serial_sequence(table.name, "id"))).scalar()
    if sequence is not None:
        last = sa.select(sa.func.max(table.c.id)).scalar_subquery()
        connection.execute(sa.select(sa.func.setval(sequence, last)).where(last.is_not(None)))
