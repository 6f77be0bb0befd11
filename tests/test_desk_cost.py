"""What the desk costs the database: few queries a page, and none that walks through all tickets or all that was said."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.vouchers import voucher_programs, vouchers
from store import staff
from store.clock import now
from store.engine import Store
from store.staff import Member, Role
from support import beside, handling, messages, queue, tags, thread, tickets, views
from support.deadlines import promises
from support.queue import View
from tests import stocked
from tests.statements import told
from tests.test_desk import Desk, desk
from tests.test_tickets import says

__all__ = ["desk"]

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

    with told(lambda statement, values: found.append((statement, values))):
        yield found


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


STREAMS = {"/desk/events", "/desk/media/{attachment}", "/desk/dead-letters"}
"""Not pages: the stream, files, and what every shop's supervisor sees alone."""


def laden(session: Session, shop: int) -> dict[str, str]:
    """A ticket with some of everything on it and beside it; what fills the places of addresses."""
    people = [staff.get(session, staff.add(session, "Hoa", role, shop)) for role in (Role.OWNER, Role.AGENT)]
    at = stocked.Stock(shop, *people, "Hoa")
    ticket_id = stocked.ticket(session, at)
    customer_id = tickets.get(session, ticket_id).customer_id
    filled = {"ticket": str(ticket_id)}
    for number in range(3):
        offer = stocked.offer(session, at)
        voucher_programs.change(session, offer, valid_days=30)
        vouchers.issue(session, offer, customer_id, key=f"gift:{number}")
        messages.customer_says(session, ticket_id, text=f"alo {number}")
        filled |= {"macro": str(stocked.macro(session, at))}
        tags.put(session, ticket_id, at.agent, f"tag {number}")
        orders.put(
            session,
            shop,
            f"A{number}",
            OrderInput(90_000, "VND", now(session), Status.COMPLETED, customer_id=customer_id),
        )
        due = now(session) + timedelta(days=2)
        filled |= {"promise": str(promises.make(session, ticket_id, at.agent, f"call {number}", due))}
    return filled


async def test_no_page_of_the_desk_asks_more_than_a_dozen(desk: Desk) -> None:
    filled = await desk.store.write(laden, desk.shop)
    over: dict[str, list[str]] = {}
    for method, path in desk.routes:
        if method != "GET" or path in STREAMS:
            continue
        address = re.sub(r"{(\w+)}", lambda found: filled[found[1]], path)
        # Once for what is read the first time alone: the second is somebody's every day.
        for _ in range(2):
            with heard() as statements:
                status, _, _ = await desk.people["boss"].get(
                    address + ("?before=9" if address.endswith("/older") else "")
                )
            assert status == 200, (address, status)
            asked = [one for one, _ in statements if not one.startswith(("SAVEPOINT", "RELEASE", "PRAGMA"))]
            if len(asked) > QUERIES_MAX:
                over[address] = asked
    assert not over, {address: len(asked) for address, asked in over.items()}
