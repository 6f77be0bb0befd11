"""Reports: what a campaign came to, person by person, and what it earned beside those who were held out.

An order belongs to a campaign when the person placed it within the window after the message left (for who was held out:
after sending began). Cost is what the messengers charge; Telegram and the web chat are free.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, and_, func, literal, select, type_coerce
from sqlalchemy.orm import Session

from loyalty.orders.orders import Status, orders
from loyalty.outreach import deliveries, links
from loyalty.outreach.campaigns.campaigns import Campaign
from loyalty.outreach.deliveries import CAMPAIGN, FAILED, HELD_OUT, PLANNED, QUEUED, SENT, SKIPPED, UNKNOWN
from loyalty.vouchers.vouchers import VoucherState, vouchers
from store.base import to_micros

WINDOW = timedelta(days=7)
"""How long after its message an order counts as the campaign's."""


@dataclass(frozen=True, slots=True)
class Bought:
    """What some people did in the window: how many bought, in how many orders, for how many đồng (refunds taken off)."""

    people: int
    orders: int
    revenue: int


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
    clicks: int
    redeemed: int
    bought: Bought
    beside: Bought
    """The same of those held out."""
    cost: int


def of(session: Session, campaign: Campaign) -> Report:
    """A campaign's report as of now."""
    stand = deliveries.counts(session, CAMPAIGN, campaign.id)

    def count(*states: str) -> int:
        return sum(number for (state, _), number in stand.items() if state in states)

    d = deliveries.deliveries.c
    mine = deliveries.of(CAMPAIGN, campaign.id)
    redeemed = session.execute(
        select(func.count())
        .select_from(deliveries.deliveries)
        .join(vouchers, vouchers.c.id == d.voucher_id)
        .where(mine, vouchers.c.state == VoucherState.USED)
    ).scalar_one()
    return Report(
        planned=campaign.planned,
        held_out=count(HELD_OUT),
        waiting=count(PLANNED, QUEUED),
        sent=count(SENT),
        failed=count(FAILED),
        unknown=count(UNKNOWN),
        skipped={reason or "": number for (state, reason), number in stand.items() if state == SKIPPED},
        clicks=links.clicked(session, CAMPAIGN, campaign.id),
        redeemed=redeemed,
        bought=_bought(session, and_(mine, d.state == SENT), d.left_at),
        beside=_bought(session, and_(mine, d.state == HELD_OUT), campaign.started_at)
        if campaign.started_at
        else Bought(0, 0, 0),
        cost=0,
    )


def _bought(session: Session, who: ColumnElement[bool], since: ColumnElement[datetime | None] | datetime) -> Bought:
    o, d = orders.c, deliveries.deliveries
    begins = literal(to_micros(since)) if isinstance(since, datetime) else type_coerce(since, BigInteger)
    placed = type_coerce(o.placed_at, BigInteger)
    within = and_(placed >= begins, placed < begins + WINDOW // timedelta(microseconds=1))
    row = session.execute(
        select(
            func.count(d.c.customer_id.distinct()), func.count(o.id), func.coalesce(func.sum(o.total - o.refunded), 0)
        )
        .select_from(d)
        .join(orders, and_(o.customer_id == d.c.customer_id, within))
        .where(who, o.status.in_((Status.COMPLETED, Status.REFUNDED)), o.total > o.refunded)
    ).one()  # fmt: skip
    return Bought(row[0], row[1], int(row[2]))
