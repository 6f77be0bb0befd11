"""Reports: what a campaign came to, person by person, and what it earned beside those who were held out.

An order belongs to a campaign when the person placed it within the window after the message left (for who was held out:
after sending began). Cost is what the messengers charge, at the prices of the day when it was approved.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, FromClause, and_, case, func, literal, select, type_coerce
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.orders.orders import orders
from loyalty.orders.real import REAL
from loyalty.outreach import consents, deliveries, links
from loyalty.outreach.campaigns import comparing, contents, costs
from loyalty.outreach.campaigns.campaigns import Campaign
from loyalty.outreach.campaigns.comparing import Difference
from loyalty.outreach.campaigns.freezing import A, B
from loyalty.outreach.deliveries import CAMPAIGN, FAILED, HELD_OUT, PLANNED, QUEUED, SENT, SKIPPED, UNKNOWN
from loyalty.vouchers.redemptions import RedemptionState, redemptions
from loyalty.vouchers.vouchers import VoucherState, vouchers
from store import events
from store.base import table, to_micros
from store.clock import now
from store.webchat import WebChat

WINDOW = timedelta(days=7)
"""How long after its message an order counts as the campaign's."""
WEB = "web"
"""The account of the web chat, which knows how far somebody has read."""
_SECOND, _QUARTER = 1_000_000, 900_000_000
_events = table(events.Event)
_COMPLAINED = and_(_events.c.kind == "ticket_opened", _events.c.data["topic"].as_string() == "complaint")


@dataclass(frozen=True, slots=True)
class Bought:
    """What some people did in the window: how many bought, in how many orders, for how many đồng (refunds taken off)."""

    people: int
    orders: int
    revenue: int


@dataclass(frozen=True, slots=True)
class Group:
    """Some of its people, all of whom heard it (or none, who were held out), and what they bought."""

    people: int
    bought: Bought
    beside: Difference | None
    """How the share of them who bought stands to that of those held out."""


@dataclass(frozen=True, slots=True)
class ByMessenger:
    """What left by one messenger (telegram, web): how many of it were read (None: it doesn't tell), and đồng it cost."""

    name: str
    sent: int
    read: int | None
    cost: int


@dataclass(frozen=True, slots=True)
class Report:
    """A campaign in figures. planned = held_out + waiting + sent + failed + unknown + all skipped; `waiting` is 0 at the end."""

    planned: int
    held_out: int
    waiting: int
    sent: int
    failed: int
    unknown: int
    skipped: dict[str, int]
    failures: dict[str, int]
    """Those that failed, by what the messenger said."""
    opted_out: int
    """People who said stop in the window after it."""
    complained: int
    """People who opened a complaint in the window after it."""
    clicks: int
    vouchers: int
    redeemed: int
    discounts: int
    """đồng that the vouchers of it took off."""
    bought: Bought
    beside: Bought
    """The same of those held out."""
    groups: dict[str, Group]
    """By variant, of those who heard it."""
    versus: Difference | None
    """The first variant beside the second."""
    messengers: list[ByMessenger]
    opened: list[tuple[str, int]]
    """How many people opened each address, or tapped each button (`button:` and its place), the most first."""
    stars: int = 0
    """Telegram's Stars for what went faster than is free, about: by the seconds in which its answers came."""

    @property
    def cost(self) -> int:
        """đồng of sending."""
        return sum(one.cost for one in self.messengers)

    @property
    def sure(self) -> bool:
        """Whether those who heard it did otherwise than those held out, beyond chance."""
        return any(group.beside is not None and group.beside.sure for group in self.groups.values())

    @property
    def extra(self) -> int | None:
        """đồng of revenue beyond what as many of those held out would have brought; None without any held out."""
        if not self.held_out:
            return None
        return self.bought.revenue - self.beside.revenue * self.sent // self.held_out

    def profit(self, margin: int) -> int | None:
        """đồng that are left of `extra` where so many per cent of a full price are the shop's: its vouchers were taken off
        what was paid, the goods cost what they cost. None without any held out.
        """
        if self.extra is None:
            return None
        return (self.extra + self.discounts) * margin // 100 - self.discounts - self.cost


def of(session: Session, campaign: Campaign) -> Report:
    """A campaign's report as of now."""
    stand = deliveries.counts(session, CAMPAIGN, campaign.id)

    def count(*states: str) -> int:
        return sum(number for (state, _), number in stand.items() if state in states)

    d, v, r = deliveries.deliveries.c, vouchers.c, redemptions.c
    mine = deliveries.of(CAMPAIGN, campaign.id)
    given = deliveries.deliveries.join(vouchers, v.id == d.voucher_id)
    redeemed = session.execute(
        select(func.count()).select_from(given).where(mine, v.state == VoucherState.USED)
    ).scalar_one()
    discounts = session.execute(
        select(func.coalesce(func.sum(r.discount), 0))
        .select_from(given.join(redemptions, r.voucher_id == v.id))
        .where(mine, r.state == RedemptionState.CONFIRMED)
    ).scalar_one()
    failures = session.execute(
        select(func.coalesce(d.reason, ""), func.count()).where(mine, d.state == FAILED).group_by(d.reason)
    )
    held_out = count(HELD_OUT)
    beside = (
        _bought(session, and_(mine, d.state == HELD_OUT), campaign.started_at)
        if campaign.started_at and held_out
        else Bought(0, 0, 0)
    )
    groups = {}
    for variant in (A, B) if campaign.messages_b else (A,):
        who = and_(mine, d.state == SENT, d.variant == variant)
        people = session.execute(select(func.count()).where(who)).scalar_one()
        bought = _bought(session, who, d.left_at)
        groups[variant] = Group(
            people, bought, comparing.difference(bought.people, people, beside.people, held_out)
        )  # fmt: skip
    all_bought = [group.bought for group in groups.values()]
    first, second = groups[A], groups.get(B)
    return Report(
        planned=campaign.planned,
        held_out=held_out,
        waiting=count(PLANNED, QUEUED),
        sent=count(SENT),
        failed=count(FAILED),
        unknown=count(UNKNOWN),
        skipped={reason or "": number for (state, reason), number in stand.items() if state == SKIPPED},
        failures={row[0]: row[1] for row in failures},
        opted_out=_said(session, mine, consents.consents.c.customer_id, consents.consents.c.at, and_(
            consents.consents.c.agreed.is_(False), consents.consents.c.purpose == campaign.purpose,
        )),
        complained=_said(session, mine, _events.c.customer_id, _events.c.at, _COMPLAINED),
        clicks=links.clicked(session, CAMPAIGN, campaign.id),
        vouchers=session.execute(select(func.count()).where(mine, d.voucher_id.is_not(None))).scalar_one(),
        redeemed=redeemed,
        discounts=int(discounts),
        bought=Bought(*(sum(getattr(one, name) for one in all_bought) for name in ("people", "orders", "revenue"))),
        beside=beside,
        groups=groups,
        versus=comparing.difference(first.bought.people, first.people, second.bought.people, second.people)
        if second
        else None,
        messengers=_messengers(session, mine, campaign.prices or {}),
        opened=links.opened(session, CAMPAIGN, campaign.id),
        stars=_stars(session, campaign, mine) if campaign.paid else 0,
    )  # fmt: skip


def _stars(session: Session, campaign: Campaign, mine: ColumnElement[bool]) -> int:
    d = deliveries.deliveries.c
    each = func.count() * contents.messages(contents.pictures_of(campaign.pictures))
    rows = session.execute(
        select(each)
        .where(mine, d.state == SENT, d.account.startswith("telegram:"))
        .group_by(type_coerce(d.ended_at, BigInteger) // _SECOND)
        .having(each > costs.FREE_RATE)
    )
    return costs.stars(sum(sent - costs.FREE_RATE for sent in rows.scalars()))


def _messengers(session: Session, mine: ColumnElement[bool], prices: Mapping[str, int]) -> list[ByMessenger]:
    d, w = deliveries.deliveries, table(WebChat)
    seen = func.sum(case((and_(d.c.account == WEB, w.c.seen_number >= d.c.message), 1), else_=0))
    rows = session.execute(
        select(d.c.account, func.count(), seen)
        .select_from(d.outerjoin(w, and_(d.c.account == WEB, w.c.id == d.c.chat)))
        .where(mine, d.c.state == SENT)
        .group_by(d.c.account)
        .order_by(func.count().desc())
    )
    found = []
    for account, sent, read in rows:
        name = str(account).partition(":")[0]
        found.append(ByMessenger(name, sent, int(read) if account == WEB else None, sent * prices.get(name, 0)))
    return found


def _said(
    session: Session, mine: ColumnElement[bool], who: ColumnElement[int | None] | ColumnElement[int],
    at: ColumnElement[datetime], what: ColumnElement[bool],
) -> int:  # fmt: skip
    """How many of those who heard it did something within the window after it."""
    d = deliveries.deliveries
    said, left = type_coerce(at, BigInteger), type_coerce(d.c.left_at, BigInteger)
    return session.execute(
        select(func.count(d.c.customer_id.distinct()))
        .select_from(d)
        .join(who.table, and_(who == d.c.customer_id, what, said >= left, said < left + _micros(WINDOW)))
        .where(mine, d.c.state == SENT)
    ).scalar_one()


def _bought(session: Session, who: ColumnElement[bool], since: ColumnElement[datetime | None] | datetime) -> Bought:
    o, d = orders.c, deliveries.deliveries
    row = session.execute(
        select(
            func.count(d.c.customer_id.distinct()), func.count(o.id), func.coalesce(func.sum(o.total - o.refunded), 0)
        )
        .select_from(d)
        .join(orders, and_(o.customer_id == d.c.customer_id, _within(since)))
        .where(who, _BOUGHT)
    ).one()  # fmt: skip
    return Bought(row[0], row[1], int(row[2]))


def _within(since: ColumnElement[datetime | None] | datetime) -> ColumnElement[bool]:
    begins = literal(to_micros(since)) if isinstance(since, datetime) else type_coerce(since, BigInteger)
    placed = type_coerce(orders.c.placed_at, BigInteger)
    return and_(placed >= begins, placed < begins + _micros(WINDOW))


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


_BOUGHT = and_(*REAL)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the shop's calendar since it began: messages that left, first openings of a link, orders."""

    day: date
    sent: int
    clicks: int
    orders: int


def days(session: Session, campaign: Campaign, zone: str) -> list[Day]:
    """Day by day from its beginning to the end of the window after its last message, today at most."""
    if campaign.started_at is None:
        return []
    d, o = deliveries.deliveries, orders.c
    mine = and_(deliveries.of(CAMPAIGN, campaign.id), d.c.state == SENT)
    sent = _by_day(session, zone, d.c.left_at, d, mine)
    opened = _by_day(
        session,
        zone,
        links.links.c.clicked_at,
        d.join(links.links, links.links.c.delivery_id == d.c.id),
        and_(
            mine,
            links.links.c.clicked_at.is_not(None),
        ),
    )
    bought = _by_day(
        session, zone, o.placed_at, d.join(orders, and_(o.customer_id == d.c.customer_id, _within(d.c.left_at))),
        and_(mine, _BOUGHT),
    )  # fmt: skip
    first = campaign.started_at.astimezone(ZoneInfo(zone)).date()
    last = min(now(session).astimezone(ZoneInfo(zone)).date(), max([first, *sent]) + WINDOW)
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [Day(day, sent[day], opened[day], bought[day]) for day in every]


def _by_day(
    session: Session, zone: str, at: ColumnElement[datetime] | ColumnElement[datetime | None], source: FromClause,
    who: ColumnElement[bool],
) -> Counter[date]:  # fmt: skip
    """How much happened on each day, added up from quarters of an hour: no zone's midnight lies within one."""
    quarter_of = type_coerce(at, BigInteger) // _QUARTER
    found: Counter[date] = Counter()
    for quarter, count in session.execute(
        select(quarter_of, func.count()).select_from(source).where(who).group_by(quarter_of)
    ):
        begins = datetime.fromtimestamp(quarter * 900, ZoneInfo(zone))
        found[begins.date()] += count
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one person, for a table to take along."""

    customer_id: int
    name: str
    variant: str
    state: str
    reason: str | None
    left_at: datetime | None
    clicked: bool


def lines(session: Session, campaign: Campaign, limit: int) -> list[Line]:
    """Everybody in it (the first `limit`), in the order in which they were planned."""
    d = deliveries.deliveries.c
    clicked = select(links.links.c.token).where(links.links.c.delivery_id == d.id, links.links.c.clicks > 0).exists()
    rows = session.execute(
        select(d.customer_id, customers.c.name, d.variant, d.state, d.reason, d.left_at, clicked)
        .join(customers, customers.c.id == d.customer_id)
        .where(deliveries.of(CAMPAIGN, campaign.id))
        .order_by(d.id)
        .limit(limit)
    )
    return [Line(*row) for row in rows]
