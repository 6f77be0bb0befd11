"""Prepared: a statement of Core that stands on the way of every message, built once and compiled once (decision 0006).

On SQLite's loop building a statement and finding it in SQLAlchemy's cache costs ten times what running it does.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import UpdateBase

_DIALECT = sqlite.dialect(paramstyle="qmark")
Convert = Callable[[Any], Any] | None


class Prepared:
    """Call it with a session and the values of its `bindparam`s, and of an INSERT or UPDATE those of its columns by name.

    It gives its rows as tuples, converted as their columns say; none where the statement gives none. What it may not be: one
    with columns that Python fills in by default, or with a list of values that differs in length. Errors on SQLite are
    sqlite3's own.
    """

    def __init__(self, statement: Select[Any] | UpdateBase) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def __call__(self, session: Session, **values: Any) -> Sequence[Any]:
        connection = session.info.get("sqlite")
        if connection is None:
            result = session.execute(self._statement, values)
            return result.all() if result.returns_rows else ()  # type: ignore[attr-defined]
        if session.new or session.identity_map:
            session.flush()
        names = tuple(values)
        compiled = self._compiled.get(names)
        if compiled is None:
            compiled = self._compiled[names] = _Compiled(self._statement, names)
        cursor = connection.execute(compiled.sql, compiled.bound(values))
        return compiled.converted(cursor.fetchall()) if compiled.gives else ()


class _Compiled:
    """A statement's text for SQLite, with what turns values into SQLite's and back."""

    def __init__(self, statement: Select[Any] | UpdateBase, names: Sequence[str]) -> None:
        of_dml = not isinstance(statement, Select)
        compiled: Any = statement.compile(dialect=_DIALECT, column_keys=list(names) if of_dml else None)
        assert not of_dml or not (compiled.insert_prefetch or compiled.update_prefetch)
        # Lists of constants are written out here.
        state = compiled.construct_expanded_state(dict.fromkeys(names))
        self.sql: str = state.statement
        self._marks: list[tuple[str | None, Any]] = []
        for name in state.positiontup:
            to = _to_sqlite(compiled.binds[name]) if name in compiled.binds else None
            if name in names:
                self._marks.append((name, to))
            else:
                self._marks.append((None, to(state.parameters[name]) if to else state.parameters[name]))
        columns = list(statement.exported_columns)
        self.gives = bool(columns)
        self._from: list[Convert] = [_from_sqlite(column) for column in columns]
        self._plain = not any(self._from)

    def bound(self, values: dict[str, Any]) -> list[Any]:
        """The values in the order of the marks."""
        return [
            to if name is None else (to(values[name]) if to is not None else values[name]) for name, to in self._marks
        ]

    def converted(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        if self._plain or not rows:
            return rows
        return [
            tuple([value if to is None else to(value) for value, to in zip(row, self._from, strict=True)])
            for row in rows
        ]


def _to_sqlite(bind: Any) -> Convert:
    return bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)  # type: ignore[no-any-return]


def _from_sqlite(column: Any) -> Convert:
    return column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None)  # type: ignore[no-any-return]
