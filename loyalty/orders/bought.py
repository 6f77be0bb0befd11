"""Bought: what was in each order, by names and categories in the form that is searched, so that "who bought coffee in the
last 90 days" is a look into an index. It follows the orders' items; whose an order is stands with the order.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, insert_rows, table
from store.text import fold

ITEM, CATEGORY = 0, 1
NAME_CHARS_MAX = 100
NAMES_MAX = 200
"""Names that one order is found by."""
LATELY = 3_000
"""Lines that the commonest names are taken from."""
_KEYS = ((ITEM, "name"), (ITEM, "sku"), (ITEM, "code"), (CATEGORY, "category"), (CATEGORY, "group"))


class BoughtRow(Base):
    __tablename__ = "bought"
    __table_args__ = (Index("ix_bought_name", "kind", "name", "order_id"),)

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True, autoincrement=False)
    kind: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """0 an item, 1 a category."""
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    """Folded."""
    said: Mapped[str] = mapped_column(Text)
    """As the shop writes it."""


bought = table(BoughtRow)


def folded(said: str) -> str:
    """A name as it is looked for."""
    return fold(said).strip()[:NAME_CHARS_MAX]


def named(items: Iterable[Mapping[str, Any]]) -> dict[tuple[int, str], str]:
    """What items are called: by (kind, folded name) as it is written."""
    found: dict[tuple[int, str], str] = {}
    for item in items:
        for kind, key in _KEYS:
            said = str(item.get(key) or "").replace("\x00", "").strip()
            name = folded(said)
            if name and len(found) < NAMES_MAX:
                found.setdefault((kind, name), said[:NAME_CHARS_MAX])
    return found


def keep(session: Session, order_id: int, items: Sequence[Mapping[str, Any]]) -> None:
    """Write down what is in an order now."""
    session.execute(delete(bought).where(bought.c.order_id == order_id))
    keep_new(session, {order_id: items})


def keep_new(session: Session, orders: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
    """Write down what is in orders that are new."""
    rows = [
        (order_id, kind, name, said)
        for order_id, items in orders.items() if items
        for (kind, name), said in named(items).items()
    ]  # fmt: skip
    insert_rows(session, "bought", "order_id, kind, name, said", rows)


def common(session: Session, kind: int, limit: int = 40) -> list[str]:
    """The names that were in most of the latest orders, the commonest first."""
    b = bought.c
    rows = session.execute(select(b.name, b.said).where(b.kind == kind).order_by(b.order_id.desc()).limit(LATELY)).all()
    said = {row.name: row.said for row in reversed(rows)}
    return [said[name] for name, _ in Counter(row.name for row in rows).most_common(limit)]
