"""Prepared statements: on SQLite's own way they mean what SQLAlchemy makes of them, on either database alike."""

from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from store.base import table
from store.clock import SetClock, now
from store.engine import Store
from store.events import events
from store.prepared import Prepared
from store.staff import StaffRow

_staff = table(StaffRow)
ADD = Prepared(insert(events).returning(events.c.id))
FIND = Prepared(
    select(events.c.at, events.c.data, events.c.shop_id)
    .where(events.c.kind.in_(("told", "heard")), events.c.customer_id == bindparam("customer"), events.c.at <= bindparam("until"))
    .order_by(events.c.id)
    .limit(2)
)  # fmt: skip
CHANGE = Prepared(update(events).where(events.c.id == bindparam("which")))
ACTIVE = Prepared(select(_staff.c.active).where(_staff.c.name == bindparam("called")))


async def test_values_are_converted_there_and_back(store: Store, clock: SetClock) -> None:
    def rule(session: Session) -> list[Any]:
        at = now(session)
        for kind in ("told", "forgotten", "heard", "told"):
            ADD(session, at=at, kind=kind, customer_id=7, shop_id=None, data={"words": [kind, "ạ"]})
        return [tuple(row) for row in FIND(session, customer=7, until=at)]

    at = clock.now()
    assert await store.write(rule) == [(at, {"words": ["told", "ạ"]}, None), (at, {"words": ["heard", "ạ"]}, None)]


async def test_an_update_sets_the_columns_it_is_given_and_no_other(store: Store) -> None:
    def rule(session: Session) -> list[Any]:
        [(one,)] = ADD(session, at=now(session), kind="told", customer_id=7, shop_id=None, data={})
        ADD(session, at=now(session), kind="told", customer_id=7, shop_id=None, data={})
        assert not CHANGE(session, which=one, data={"n": 1})
        assert not CHANGE(session, which=one, shop_id=3)
        return [tuple(row)[1:] for row in FIND(session, customer=7, until=now(session))]

    assert await store.write(rule) == [({"n": 1}, 3), ({}, None)]


async def test_what_sqlalchemy_has_not_written_yet_is_there_too(store: Store) -> None:
    """And a yes is a yes, not a 1."""

    def rule(session: Session) -> list[Any]:
        session.add(StaffRow(name="Minh", language="vi", active=True, created_at=now(session)))
        return [tuple(row) for row in ACTIVE(session, called="Minh")]

    [(active,)] = await store.write(rule)
    assert active is True
