"""Lines: rows of a file judged one by one, before any of them is taken in."""

from collections.abc import Mapping, Sequence
from typing import Any

from loyalty.orders import imports
from loyalty.orders.imports import CustomerLine, OrderLine
from loyalty.orders.sheets import Row
from store.errors import RuleError
from store.shops import Shop

Refused = tuple[int, RuleError]
"""A row's number in the file, and why it can't be taken."""


def judge(
    what: str, rows: Sequence[Row], columns: Mapping[str, int], shop: Shop
) -> tuple[Sequence[Any], list[Refused]]:
    """Rows of `orders` or `customers` as the lines that the import takes, and what of them can't be one."""
    return _orders(rows, columns, shop) if what == "orders" else _customers(rows, columns, shop)


def _orders(rows: Sequence[Row], columns: Mapping[str, int], shop: Shop) -> tuple[list[OrderLine], list[Refused]]:
    """Rows as orders, and what of them can't be one.

    The orders of a customer stand together, each customer's as they came: a batch then touches few pages of the
    database, which makes a long import several times as fast.
    """
    read = imports.order_reader(columns, shop)
    lines: list[OrderLine] = []
    refused: list[Refused] = []
    for row in rows:
        try:
            lines.append(read(row))
        except RuleError as error:
            refused.append((row.line, error))
    # An order that comes twice goes where its first row goes, whoever the second is for: the first one counts.
    first: dict[str, str] = {}
    for line in lines:
        first.setdefault(line.external_id, line.order.phone or "")
    lines.sort(key=lambda line: first[line.external_id])
    return lines, refused


def _customers(rows: Sequence[Row], columns: Mapping[str, int], shop: Shop) -> tuple[list[CustomerLine], list[Refused]]:
    read = imports.customer_reader(columns, shop)
    lines: list[CustomerLine] = []
    refused: list[Refused] = []
    for row in rows:
        try:
            lines.append(read(row))
        except RuleError as error:
            refused.append((row.line, error))
    return lines, refused
