"""Terms: what a shop asks its customers beyond the stars for each case. All of it is off until it is set."""

from dataclasses import dataclass

from sqlalchemy import ForeignKey, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, table
from store.errors import InvalidError

NPS_DAYS = (30, 730)
"""How seldom a customer may be asked."""


class TermsRow(Base):
    __tablename__ = "feedback_terms"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"), primary_key=True, autoincrement=False)
    nps_days: Mapped[int]
    effort: Mapped[bool]


@dataclass(frozen=True, slots=True)
class Terms:
    """`nps_days`: a customer is asked at most once in so many days whether they would recommend the shop (0: nobody is);
    `effort`: whether who rated a case is also asked how easy it was to get help.
    """

    nps_days: int = 0
    effort: bool = False


terms = table(TermsRow)


def of(session: Session, shop_id: int) -> Terms:
    """A shop's terms."""
    row = session.execute(select(terms.c.nps_days, terms.c.effort).where(terms.c.shop_id == shop_id)).first()
    return Terms(*row) if row else Terms()


def change(session: Session, shop_id: int, new: Terms, actor: str) -> None:
    """Set a shop's terms. Raises InvalidError("nps_days")."""
    low, high = NPS_DAYS
    if new.nps_days and not low <= new.nps_days <= high:
        raise InvalidError("nps_days", "range", new.nps_days)
    before, values = of(session, shop_id), {"nps_days": new.nps_days, "effort": new.effort}
    try:
        with session.begin_nested():
            session.execute(insert(terms).values(shop_id=shop_id, **values))
    except IntegrityError:
        session.execute(update(terms).where(terms.c.shop_id == shop_id).values(**values))
    was = {"nps_days": before.nps_days, "effort": before.effort}
    audit.record(session, actor, "feedback_terms", shop_id, before=was, after=values)
