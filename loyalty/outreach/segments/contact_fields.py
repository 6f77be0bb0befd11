"""Fields of how the shop and a customer talk: what they were sent, opened and used of it, and how their requests stand."""

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, true

from loyalty.customers import facts
from loyalty.outreach.deliveries import CAMPAIGN, SENT, deliveries
from loyalty.outreach.links import links
from loyalty.outreach.segments.criteria import Test
from loyalty.outreach.segments.looks import Choices, Kind, Look, number, within
from loyalty.vouchers.vouchers import VoucherState, vouchers
from store.base import raw

_d = deliveries.c


def _sent(seen: Look, test: Test) -> list[ColumnElement[bool]]:
    """Messages that arrived, of the last so many days where the test says so."""
    lately = true() if test.days is None else _d.left_at >= seen.midnight(test.days)
    return [_d.state == SENT, lately, seen.mine(_d.customer_id)]


def _of(test: Test) -> list[ColumnElement[bool]]:
    return [_d.source == CAMPAIGN, _d.source_id == test.value]


def _got(seen: Look, test: Test) -> Select[Any]:
    return select(_d.customer_id).where(*_of(test), *_sent(seen, test))


def _clicked(seen: Look, test: Test) -> Select[Any]:
    opened = select(links.c.delivery_id).where(links.c.clicks > 0)
    return select(_d.customer_id).where(*_of(test), seen.mine(_d.customer_id), _d.id.in_(opened))


def _redeemed(seen: Look, test: Test) -> Select[Any]:
    return (
        select(_d.customer_id)
        .join(vouchers, vouchers.c.id == _d.voucher_id)
        .where(*_of(test), seen.mine(_d.customer_id), vouchers.c.state == VoucherState.USED.value)
    )


def _messages(seen: Look, test: Test) -> ColumnElement[int]:
    def query() -> Select[Any]:
        return select(_d.customer_id, func.count()).where(*_sent(seen, test)).group_by(_d.customer_id)

    return func.coalesce(seen.each(f"messages {test.days}", query), 0)


def _clicks(seen: Look, test: Test) -> ColumnElement[int]:
    def query() -> Select[Any]:
        opened = links.c.clicks > 0
        lately = true() if test.days is None else links.c.clicked_at >= seen.midnight(test.days)
        return (
            select(_d.customer_id, func.count(_d.id.distinct()))
            .join(links, links.c.delivery_id == _d.id)
            .where(opened, lately, seen.mine(_d.customer_id))
            .group_by(_d.customer_id)
        )

    return func.coalesce(seen.each(f"clicks {test.days}", query), 0)


def _campaigns(seen: Look) -> Choices:
    rows = raw(seen.session, "SELECT id, name FROM campaigns ORDER BY id DESC LIMIT 1000")
    return {int(number): str(name) for number, name in rows}


FIELDS = (
    number("messages", _messages, spans=True),
    number("messages_clicked", _clicks, spans=True),
    within("campaign_got", _got, kind=Kind.RECORD, choices=_campaigns),
    within("campaign_clicked", _clicked, kind=Kind.RECORD, choices=_campaigns),
    within("campaign_redeemed", _redeemed, kind=Kind.RECORD, choices=_campaigns),
    number("open_tickets", lambda seen, _test: func.coalesce(seen.fact(facts.OPEN_TICKETS), 0)),
    number("open_complaints", lambda seen, _test: func.coalesce(seen.fact(facts.OPEN_COMPLAINTS), 0)),
    number("last_rating", lambda seen, _test: seen.fact(facts.LAST_RATING), sparse=True),
)
