"""The base model, the column types every table shares, and `raw` for the store's own hand-written SQL."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Session

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Base(DeclarativeBase):
    """Every table of the five floors hangs here, under explicit constraint names so that migrations can address them."""

    type_annotation_map = {int: sa.BigInteger()}  # noqa: RUF012  # SQLAlchemy's own form

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A 64-bit key; SQLite numbers rows by itself only in a column declared INTEGER."""


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware moment. Raises ValueError for a naive one: a programmer's error."""
    if moment.tzinfo is None:
        raise ValueError("a naive time has no place in the store")
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware moment, in UTC, so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=micros)


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC time, kept as whole microseconds since 1970: one form, one order, on every database (decision 0002)."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else from_micros(value)


def raw(session: Session, sql: str, params: Sequence[Any] = ()) -> Sequence[Any]:
    """Run one hand-written statement with `?` marks on either database and give its rows as tuples.

    For what stands on the way of every message, where SQLAlchemy's statement objects cost more than the statement: the
    store's own tables (inbox, outbox, conversations, leases) and a few looks of the rules. Elsewhere rules use SQLAlchemy
    (decision 0006). Values are plain ints, strs and None; times go through `to_micros`.
    """
    connection = session.info.get("sqlite")
    if connection is not None:
        cursor = connection.execute(sql, params)
        return cursor.fetchall() if cursor.description else ()
    speak = session.info.get("speak")
    if speak is not None:
        return speak(session, _marks("postgresql", sql), params)  # type: ignore[no-any-return]
    result = session.connection().exec_driver_sql(_marks(session.get_bind().dialect.name, sql), tuple(params))
    return result.all() if result.returns_rows else ()


def raw_many(session: Session, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run one hand-written statement once for each row of values."""
    if not rows:
        return
    connection = session.info.get("sqlite")
    if connection is not None:
        connection.executemany(sql, rows)
        return
    speak = session.info.get("speak")
    if speak is not None:
        speak(session, _marks("postgresql", sql), rows, many=True)
        return
    session.connection().exec_driver_sql(_marks(session.get_bind().dialect.name, sql), [tuple(row) for row in rows])


def one_of(session: Session, values: Sequence[Any]) -> tuple[str, Sequence[Any]]:
    """`column` followed by this is one of the values, and what to give for its marks. On PostgreSQL they are one array: a
    statement for each length of a list would be parsed and planned anew each time.
    """
    if "speak" in session.info:
        return "= ANY(?)", (list(values),)
    return f"IN ({', '.join('?' * len(values))})", values


ROWS = 200
"""Rows of one statement."""


def insert_rows(
    session: Session, name: str, columns: str, rows: Sequence[Sequence[Any]], *, once: bool = False
) -> None:
    """Write rows, many by one statement: SQLite keeps a journal for each statement that a trigger or a foreign key may
    stop, and inside a work's savepoints that costs more than the row (a third of the speed, measured). `once`: what a
    unique key knows already stays as it is.
    """
    marks = f"({', '.join('?' * (columns.count(',') + 1))})"
    into = f"INSERT INTO {name} ({columns}) VALUES "  # noqa: S608  # the rules' own names
    end = " ON CONFLICT DO NOTHING" if once else ""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        raw(session, into + ", ".join([marks] * len(part)) + end, list(chain.from_iterable(part)))


def upsert(session: Session, into: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say what is to become of a row that is there already (`on_conflict_do_update`, `…_nothing`)."""
    return postgresql.insert(into) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(into)


def update_rows(session: Session, name: str, change: str, rows: Sequence[tuple[int, int]]) -> None:
    """Change rows by their ids: each of `rows` is an id and a number, `v.column2` in the `change`."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        values = ", ".join(["(CAST(? AS BIGINT), CAST(? AS BIGINT))"] + ["(?, ?)"] * (len(part) - 1))
        sql = f"UPDATE {name} SET {change} FROM (VALUES {values}) v WHERE {name}.id = v.column1"  # noqa: S608
        raw(session, sql, list(chain.from_iterable(part)))


def draw_numbers(session: Session, of: sa.Table, count: int) -> Sequence[int]:
    """The next free numbers of a table: nobody else writes to SQLite now, PostgreSQL's sequence is everybody's."""
    if not count:
        return ()
    if session.get_bind().dialect.name == "postgresql":
        drawn = f"SELECT nextval(pg_get_serial_sequence('{of.name}', 'id')) FROM generate_series(1, ?)"  # noqa: S608
        return sorted(row[0] for row in raw(session, drawn, (count,)))
    last = raw(session, f"SELECT coalesce(max(id), 0) FROM {of.name}")[0][0]  # noqa: S608
    return range(last + 1, last + 1 + count)


@cache
def _marks(dialect: str, sql: str) -> str:
    """Number the `?` marks as asyncpg wants them ($1, $2 …); SQLite takes them as they are."""
    if dialect == "sqlite":
        return sql
    head, *rest = sql.split("?")
    return head + "".join(f"${number}{part}" for number, part in enumerate(rest, start=1))


def like(words: str) -> str:
    """`words` as a LIKE pattern that finds them anywhere, its own wildcards escaped with a backslash."""
    escaped = words.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


def table(model: type[Base]) -> sa.Table:
    """The Core table of a model: rules on the way of a message speak Core, which costs half of what the ORM does."""
    found = model.__table__
    assert isinstance(found, sa.Table)
    return found
