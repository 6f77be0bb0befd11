"""Settlement: which shop issued how many points and where they were redeemed, so that the shops can square up."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.points import ledger
from store import shops
from store.clock import midnight
from store.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Line:
    """A shop's points in a period. `issued`: given from its wallet, less what refunds took back into it. `redeemed`: spent
    with it, less what was given back. `net` is issued less redeemed: above 0 the shop owes the others.
    """

    shop_id: int
    name: str
    issued: int
    redeemed: int
    net: int


def report(session: Session, first: date, last: date) -> list[Line]:
    """Every shop's line for the days `first` to `last`, both included, each shop's days being those of its own time zone.
    Read from the ledger. Raises InvalidError("to") when the period ends before it begins.
    """
    return [_line(session, shop, first, last) for shop in shops.every(session)]


def _line(session: Session, shop: shops.Shop, first: date, last: date) -> Line:
    begin, end = bounds(shop, first, last)
    issued = -_flow(session, shop.id, "wallet", begin, end)
    redeemed = _flow(session, shop.id, "redeemed", begin, end)
    return Line(shop.id, shop.name, issued, redeemed, issued - redeemed)


def bounds(shop: shops.Shop, first: date, last: date) -> tuple[datetime, datetime]:
    """When a period of a shop's days begins, and when it is over. Raises InvalidError("to") when it ends before it begins."""
    if last < first:
        raise InvalidError("to", "range", last)
    zone = ZoneInfo(shop.timezone)
    return midnight(first, zone), midnight(last + timedelta(days=1), zone)


def _flow(session: Session, shop_id: int, name: str, begin: datetime, end: datetime) -> int:
    """What came from customers into a shop's account, less what went to them, from `begin` until before `end`."""
    legs, moved, held = ledger.postings.c, ledger.transfers.c, ledger.accounts
    own, other = held.alias("own"), held.alias("other")
    flow = 0
    for mine, theirs, sign in ((legs.target_id, legs.source_id, 1), (legs.source_id, legs.target_id, -1)):
        total = (
            select(func.coalesce(func.sum(legs.amount), 0))
            .join(ledger.transfers, moved.id == legs.transfer_id)
            .join(own, own.c.id == mine)
            .join(other, other.c.id == theirs)
            .where(
                own.c.owner == "shop", own.c.owner_id == shop_id, own.c.name == name, other.c.owner == "customer",
                moved.at >= begin, moved.at < end,
            )
        )  # fmt: skip
        flow += sign * int(session.execute(total).scalar_one())
    return flow
