"""Terms: what a shop asks its customers beyond the stars for each case. All of it is off until it is set."""

from dataclasses import asdict, dataclass

from sqlalchemy import ForeignKey, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, table, upsert
from store.errors import InvalidError

NPS_DAYS = (30, 730)
ORDER_DAYS = (1, 365)
"""How seldom a customer may be asked."""
ORDER_HOURS = (1, 720)
COMPLETED, DELIVERED = "order_completed", "order_delivered"
"""What an order's question follows: the event's name."""


class TermsRow(Base):
    __tablename__ = "feedback_terms"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), primary_key=True, autoincrement=False)
    nps_days: Mapped[int]
    effort: Mapped[bool]
    order_days: Mapped[int]
    order_hours: Mapped[int]
    order_after: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Terms:
    """`nps_days`: a customer is asked at most once in so many days whether they would recommend the shop (0: nobody is);
    `effort`: whether who rated a case is also asked how easy it was to get help; `order_days`: a customer is asked at most
    once in so many days whether an order was all right (0: nobody is), `order_hours` after it was completed or delivered.
    """

    nps_days: int = 0
    effort: bool = False
    order_days: int = 0
    order_hours: int = 24
    order_after: str = COMPLETED


terms = table(TermsRow)
_FIELDS = tuple(terms.c[name] for name in Terms.__dataclass_fields__)


def of(session: Session, shop_id: int) -> Terms:
    """A shop's terms."""
    row = session.execute(select(*_FIELDS).where(terms.c.shop_id == shop_id)).first()
    return Terms(*row) if row else Terms()


def change(session: Session, shop_id: int, new: Terms, actor: str) -> None:
    """Set a shop's terms. Raises InvalidError("nps_days", "order_days", "order_hours" or "order_after")."""
    for field, (low, high) in (("nps_days", NPS_DAYS), ("order_days", ORDER_DAYS)):
        if getattr(new, field) and not low <= getattr(new, field) <= high:
            raise InvalidError(field, "range", getattr(new, field))
    if not ORDER_HOURS[0] <= new.order_hours <= ORDER_HOURS[1]:
        raise InvalidError("order_hours", "range", new.order_hours)
    if new.order_after not in {COMPLETED, DELIVERED}:
        raise InvalidError("order_after", "unknown", new.order_after)
    before, values = of(session, shop_id), asdict(new)
    session.execute(
        upsert(session, terms)
        .values(shop_id=shop_id, **values)
        .on_conflict_do_update(index_elements=["shop_id"], set_=values)
    )
    audit.record(session, actor, "feedback_terms", shop_id, before=asdict(before), after=values)
