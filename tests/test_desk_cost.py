"""What the desk costs the database: few queries a page, and none that walks through all tickets or all that was said."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from store import staff
from store.engine import Store
from store.staff import Member, Role
from support import beside, handling, messages, queue, tags, thread, views
from support.queue import View
from tests.test_tickets import says

LARGE = (
    "tickets",
    "ticket_messages",
    "ticket_events",
    "customers",
    "ticket_tags",
    "agent_views",
    "orders",
    "identities",
)
FEW = "ix_tickets_snoozed"
"""An index over what is put aside alone."""
QUERIES_MAX = 12
FILTERS: list[dict[str, Any]] = [
    {}, {"states": ["closed"]}, {"tags": ["vip"]}, {"topics": ["order"]}, {"assignees": ["me", "nobody"]},
    {"teams": ["mine"]}, {"complaint": True}, {"states": ["snoozed", "open"], "priorities": ["high"]},
]  # fmt: skip


@contextmanager
def heard() -> Iterator[list[tuple[str, Any]]]:
    """The statements that are run meanwhile, with their values."""
    found: list[tuple[str, Any]] = []

    def ran(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        found.append((statement, values))

    sa.event.listen(sa.Engine, "before_cursor_execute", ran)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", ran)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


@pytest.fixture(params=["of a shop", "of all"])
async def minh(store: Store, shop: int, request: pytest.FixtureRequest) -> Member:
    at = shop if request.param == "of a shop" else None
    return await store.read(staff.get, await store.write(staff.add, "Minh", Role.SUPERVISOR, at))


async def test_the_desk_asks_little_and_walks_through_nothing_large(store: Store, shop: int, minh: Member) -> None:
    if store.shared:
        pytest.skip("how PostgreSQL would go about it depends on what it has counted")
    for number in range(30):
        person = await store.write(customers.create, name=f"Khách {number}", home_shop_id=shop)
        ticket, _ = await says(store, person, shop, "alo")
        await store.write(messages.agent_says, ticket, minh, "dạ", key=f"key-{number}")
        if number % 3 == 0:
            await store.write(tags.put, ticket, minh, "vip")
        if number % 2 == 0:
            await store.write(handling.close, ticket, minh)
    looks: list[Callable[[Session], Any]] = [
        lambda s: queue.cursor(s, minh), lambda s: queue.counts(s, minh), lambda s: queue.line(s, 1001, minh),
        lambda s: queue.changes(s, minh, {shop: 50}), lambda s: thread.page(s, 1001, minh),
        lambda s: thread.page(s, 1001, minh, 3), lambda s: thread.changed(s, 1001, minh, 2),
        lambda s: beside.of(s, 1001, minh), lambda s: handling.colleagues(s, 1001, minh),
        lambda s: queue.counts_of(s, minh, [views.parse(one) for one in FILTERS]),
    ]  # fmt: skip
    asked = [*View, *map(views.parse, FILTERS)]
    looks += [
        lambda s, one=one, before=before: queue.page(s, minh, one, before=before)
        for one in asked
        for before in (None, 1010)
    ]
    for number, look in enumerate(looks):
        with heard() as statements:
            await store.read(look)
        assert len(statements) <= QUERIES_MAX, number
        for statement, values in statements:
            plan = await store.read(_plan, statement, values)
            walked = [
                line for line in plan if (at := re.match(r"SCAN (\w+)", line)) and at[1] in LARGE and FEW not in line
            ]
            assert not walked, (number, statement, plan)


def _plan(session: Session, statement: str, values: Any) -> list[str]:
    rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    return [row[3] for row in rows]
