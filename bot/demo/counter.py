"""The demo's counter: a shift of yesterday with a few đồng too little in the drawer, points by hand that wait for approval."""

import itertools
from collections.abc import Sequence
from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from bot.demo.past import as_of
from bot.demo.trade import ZONE
from loyalty import programme, shifts
from loyalty.orders import sales
from loyalty.orders.sales import Sale
from loyalty.points import adjustments
from store.clock import now

TAKEN = (87_000, 49_000, 136_000, 94_000, 72_000)
"""đồng on the bills of the shift."""
SHORT = 5_000
LIMIT = 200
"""The most points that a manager gives by hand without a second person."""


def close_shift(session: Session, shop_id: int, cashier_id: int, buyers: Sequence[int]) -> None:
    """A shift of yesterday afternoon: sales to these buyers and, the last one, to somebody unknown."""
    yesterday = now(session).astimezone(ZONE).date() - timedelta(days=1)
    at = datetime.combine(yesterday, time(15, 10), ZONE)
    last: Sale | None = None
    for number, (amount, buyer) in enumerate(itertools.zip_longest(TAKEN, buyers[: len(TAKEN) - 1])):
        last = as_of(
            session, at + timedelta(minutes=37 * number), _sell, shop_id, cashier_id, f"demo:{number}", amount, buyer
        )  # fmt: skip
    assert last is not None
    taken = shifts.current(session, shop_id, cashier_id).sums.paid
    closing = at + timedelta(hours=4)
    as_of(session, closing, shifts.close, shop_id, cashier_id, last_sale_id=last.id, counted=taken - SHORT)


def _sell(session: Session, shop_id: int, cashier_id: int, key: str, amount: int, buyer: int | None) -> Sale:
    sold = sales.sell(session, shop_id=shop_id, staff_id=cashier_id, key=key, amount=amount, customer_id=buyer)
    assert isinstance(sold, Sale)
    return sold


def ask_for_points(session: Session, shop_id: int, manager_id: int, customer_id: int) -> None:
    """The manager wants to give more than they may alone."""
    programme.change(session, second_approval=1, adjust_manager=LIMIT, adjust_agent=50)
    at = now(session) - timedelta(hours=3)
    as_of(
        session, at, adjustments.ask, "demo", staff_id=manager_id, shop_id=shop_id, customer_id=customer_id, points=300,
        reason="Đơn PC-1204 thanh toán hai lần, xin lỗi khách",
    )  # fmt: skip
