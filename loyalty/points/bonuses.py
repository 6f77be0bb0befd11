"""Bonuses beside orders: for joining, a complete profile, a birthday, a review, a streak of visits.

What each gives stands in the shop's earning plan, 0 by default. Causes are events: each is paid by the plan that was in force
when it happened, once under a key of its own, a moment later. Joining is proving a phone number, so that nobody joins twice;
a complete profile is a name, a proven number and a birthday. A birthday is paid in the morning of the shop that is the
customer's home, of 29 February on the 28th of a year that has none. A bonus stays when an order that led to it goes back.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Text, and_, extract, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty import programme, rounds
from loyalty.customers import customers, records
from loyalty.customers.customers import Customer
from loyalty.orders import earning, orders, real
from loyalty.orders.earning_rules import Bonuses
from loyalty.points import ledger, points
from loyalty.rounds import Round
from store import events, notices, shops
from store.base import Base, table
from store.clock import midnight
from store.errors import NotFoundError
from store.events import Happened
from store.outbox import Purpose

FOLLOWER = "bonuses"
HOUR = 8
"""Of the shop's morning, when birthdays are paid."""
NUMBERS = 5_000
"""Customers looked at in one step of the birthday round."""


class StreakRow(Base):
    """The last day that counted for a streak bonus: the next one begins after it."""

    __tablename__ = "bonus_streaks"

    customer_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    shop_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[str] = mapped_column(Text)


streaks = table(StreakRow)


def pay_due(session: Session) -> int:
    """Pay for what happened since the last time, some of it; how many events that were. For the clock."""
    if not events.any_new(session, FOLLOWER):
        return 0
    events.number(session)
    happened = events.follow(session, FOLLOWER)
    for event in happened:
        causes = _CAUSES.get(event.kind)
        if causes is None or event.customer_id is None:
            continue
        try:
            person = customers.get(session, event.customer_id)
        except NotFoundError:
            continue
        shop = _shop(session, event.shop_id or person.home_shop_id)
        rules = earning.in_force(session, shop.id, event.at)
        if rules is not None:
            for cause in causes:
                cause(session, event, person, shop, rules.bonuses)
    return len(happened)


def birthdays_due(session: Session) -> int:
    """Pay some of today's birthdays; 0 when all are. For the clock."""
    return rounds.go_on(session, "birthday", HOUR, _birthdays)


def _shop(session: Session, shop_id: int | None) -> shops.Shop:
    return shops.get(session, shop_id) if shop_id is not None else shops.every(session)[0]


def _joined(session: Session, _: Happened, person: Customer, shop: shops.Shop, gives: Bonuses) -> None:
    if person.phone_verified_at is not None:
        _pay_once(session, "join", person, shop, gives.join)


def _profile(session: Session, _: Happened, person: Customer, shop: shops.Shop, gives: Bonuses) -> None:
    if person.phone_verified_at is not None and person.name and person.birthday is not None:
        _pay_once(session, "profile", person, shop, gives.profile)


def _reviewed(session: Session, event: Happened, person: Customer, shop: shops.Shop, gives: Bonuses) -> None:
    _pay(session, f"bonus:review:{event.data['ticket']}", "review", person.id, shop, gives.review)


def _visited(session: Session, event: Happened, person: Customer, shop: shops.Shop, gives: Bonuses) -> None:
    """A streak is n days with an order here within m days, days that paid a streak before left out."""
    if not gives.streak:
        return
    zone = ZoneInfo(shop.timezone)
    today = event.at.astimezone(zone).date()
    begins = today - timedelta(days=gives.streak_days - 1)
    mine = (streaks.c.customer_id == person.id, streaks.c.shop_id == shop.id)
    last = session.execute(select(streaks.c.day).where(*mine).with_for_update()).scalar()
    if last is not None:
        begins = max(begins, date.fromisoformat(last) + timedelta(days=1))
    o = orders.orders.c
    placed = session.execute(
        select(o.placed_at).where(
            *real.of(shop.id), o.customer_id == person.id, o.placed_at >= midnight(begins, zone),
        )
    ).scalars()  # fmt: skip
    days = sorted({at.astimezone(zone).date() for at in placed})
    if len(days) < gives.streak_visits:
        return
    day = days[-1].isoformat()
    _pay(session, f"bonus:streak:{person.id}:{shop.id}:{day}", "streak", person.id, shop, gives.streak)
    if last is None:
        session.execute(insert(streaks).values(customer_id=person.id, shop_id=shop.id, day=day))
    else:
        session.execute(update(streaks).where(*mine).values(day=day))


_Cause = Callable[[Session, Happened, Customer, shops.Shop, Bonuses], None]
_CAUSES: Mapping[str, Sequence[_Cause]] = MappingProxyType({
    "phone_proven": (_joined, _profile), "profile_changed": (_profile,), "merged": (_profile,),
    "ticket_rated": (_reviewed,), "order_completed": (_visited,),
})  # fmt: skip


def _birthdays(session: Session, at: Round) -> str | None:
    gives = earning.current(session, at.shop.id).rules.bonuses.birthday
    if not gives:
        return None
    c, begins = customers.customers.c, int(at.place or 0)
    last = session.execute(
        select(c.id).where(c.id > begins).order_by(c.id).offset(NUMBERS - 1).limit(1)
    ).scalar()  # fmt: skip
    first = shops.every(session)[0].id
    home = c.home_shop_id == at.shop.id
    rows = session.execute(
        select(c.id).where(
            c.id > begins, c.id <= last if last is not None else c.id > begins, c.merged_into.is_(None),
            home | c.home_shop_id.is_(None) if at.shop.id == first else home, or_(*_on(at.day)),
        )
    ).scalars()  # fmt: skip
    for number in rows.all():
        key = f"bonus:birthday:{at.day.year}:{number}"
        _pay(session, key, "birthday", number, at.shop, gives, purpose=Purpose.CARE)
    return None if last is None else str(last)


def _on(day: date) -> list[ColumnElement[bool]]:
    """Whose birthday it is on a day."""
    born = customers.customers.c.birthday
    days = [(day.month, day.day)]
    if (day + timedelta(days=1)).month == 3 and day.day == 28:  # 28 February without a 29th
        days.append((2, 29))
    return [and_(extract("month", born) == month, extract("day", born) == number) for month, number in days]


def _pay_once(session: Session, cause: str, person: Customer, shop: shops.Shop, amount: int) -> None:
    """Once for a person, under whichever number they were known."""
    if amount and not any(
        ledger.posted(session, f"bonus:{cause}:{number}") for number in records.every_number(session, person.id)
    ):
        _pay(session, f"bonus:{cause}:{person.id}", cause, person.id, shop, amount)


def _pay(
    session: Session,
    key: str,
    cause: str,
    customer_id: int,
    shop: shops.Shop,
    amount: int,
    *,
    purpose: Purpose = Purpose.SERVICE,
) -> None:
    if not amount or ledger.posted(session, key) is not None:
        return
    try:
        with session.begin_nested():
            points.earn(
                session, key, "bonus", customer_id=customer_id, shop_id=shop.id, points=amount, reason=cause,
                expires_at=programme.expiry(session, zone=shop.timezone),
            )  # fmt: skip
    except ledger.UncoveredError:
        events.happened(session, "bonus_missed", customer_id=customer_id, shop_id=shop.id, cause=cause, points=amount)
        return
    events.happened(session, "bonus", customer_id=customer_id, shop_id=shop.id, cause=cause, points=amount)
    notices.tell(
        session, "bonus", customer_id=customer_id, shop_id=shop.id, purpose=purpose, cause=cause, points=amount,
        shop=shop.name,
    )  # fmt: skip


def move(session: Session, from_id: int, to_id: int) -> None:
    """Carry the days of streaks over to another customer in a merge: the later day stands."""
    mine = {row.shop_id: row.day for row in session.execute(select(streaks).where(streaks.c.customer_id == to_id))}
    for row in session.execute(select(streaks).where(streaks.c.customer_id == from_id)).all():
        if row.shop_id not in mine:
            session.execute(insert(streaks).values(customer_id=to_id, shop_id=row.shop_id, day=row.day))
        elif row.day > mine[row.shop_id]:
            at = (streaks.c.customer_id == to_id, streaks.c.shop_id == row.shop_id)
            session.execute(update(streaks).where(*at).values(day=row.day))
