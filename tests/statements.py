"""Statements as they are run, whichever way they go: SQLAlchemy's, and those that `raw` and `Prepared` give to the driver."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from store.sqlite import _Connection

LOOKS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@contextmanager
def told(ran: Callable[[str, Any], None]) -> Iterator[None]:
    """`ran` is told of each statement and its values before it runs meanwhile, of any connection; what it raises is raised there."""

    def by_sqlalchemy(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        ran(statement, values)

    def first(run: Callable[..., Any], *, listed: bool) -> Callable[..., Any]:
        def told_first(connection: Any, statement: str, *values: Any, **more: Any) -> Any:
            if statement.lstrip().startswith(LOOKS):
                ran(statement, tuple(values[0]) if listed and values else values)
            return run(connection, statement, *values, **more)

        return told_first

    sa.event.listen(sa.Engine, "before_cursor_execute", by_sqlalchemy)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for kind, name in ((_Connection, "execute"), (asyncpg.Connection, "fetch")):
                for one in (name, "executemany"):
                    patch.setattr(
                        kind, one, first(getattr(kind, one), listed=one == "executemany" or kind is _Connection)
                    )
            yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", by_sqlalchemy)
