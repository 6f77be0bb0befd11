"""Hearing of orders: one look at what a shop has set up, and each of it told of the order that was settled."""

from sqlalchemy.orm import Session

from loyalty.recognition import badges, entries, progress, surprises, thanks, visits
from store import shops
from store.base import raw

_ON = (
    "SELECT EXISTS (SELECT 1 FROM quests WHERE shop_id = ?), EXISTS (SELECT 1 FROM badges WHERE shop_id = ?), "
    "EXISTS (SELECT 1 FROM draws WHERE shop_id = ? AND state <> 'draft'), "
    "EXISTS (SELECT 1 FROM surprises WHERE shop_id = ?), EXISTS (SELECT 1 FROM thank_rules WHERE shop_id = ?), "
    "EXISTS (SELECT 1 FROM streaks WHERE shop_id = ?)"
)
PARTS = ("quests", "badges", "draws", "surprises", "thanks", "streaks")


def on(session: Session, shop_id: int) -> frozenset[str]:
    """What a shop has set up, running or over, of PARTS; one statement, for it stands on the way of every order."""
    row = raw(session, _ON, (shop_id,) * len(PARTS))[0]
    return frozenset(name for name, there in zip(PARTS, row, strict=True) if there)


def order_settled(session: Session, order_id: int, *, quiet: bool = False, eventful: bool = True) -> None:
    """Bring everything to where a customer's orders stand after this one was settled; repeatable.

    `quiet`: nobody is told. Without `eventful` (an import) nothing is started, only what a returned order takes back goes.
    """
    from loyalty.orders import order_earning, orders

    order = orders.get(session, order_id)
    if order.customer_id is None:
        return
    parts = on(session, order.shop_id) - {"streaks"}
    if not parts:
        return
    shop = shops.get(session, order.shop_id)
    paid = order.total - order.refunded if order.status in order_earning.BOUGHT else 0
    starts = eventful and paid > 0
    history = visits.of(session, shop, order.customer_id) if parts - {"draws"} else []
    who, placed_at = order.customer_id, order.placed_at
    if "quests" in parts:
        progress.order_settled(
            session, shop, who, history, order_id=order_id, placed_at=placed_at, starts=starts, quiet=quiet
        )
    if "badges" in parts:
        badges.order_settled(session, shop.id, who, history, order_id=order_id, starts=starts, quiet=quiet)
    if "draws" in parts:
        entries.order_settled(
            session, shop, who, order_id=order_id, placed_at=placed_at, paid=paid, starts=starts, quiet=quiet
        )
    if "surprises" in parts:
        surprises.order_settled(
            session, shop, who, history, order_id=order_id, placed_at=placed_at, paid=paid, starts=starts, quiet=quiet
        )
    if "thanks" in parts and starts:
        thanks.order_settled(session, shop.id, who, history, order_id)
